"""`python -m tests.bench`: measure, compare results, write RESULTS.md and README's table, fail when a goal is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
from tests.bench import readme, seeding
from tests.bench.measurement import BenchServer, Measured, measure, prepare
from tests.bench.paths import RESULTS
from tests.bench.replay_process import ReplayProxy
from tests.bench.report import Findings, Row, written
from tests.bench.tasks import EXPORTS, GROWTH, LAZY, LIMIT, MEMORY, ONE_CORE, OWN, PAIRS, TABLE, Task, Where
from tests.bench.verdicts import Verdict, exponent, lazy_verdict, memory_verdict, pair_verdict, verdicts

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer

GOALS_AT, IDLE = 20, 0
"""Latencies in milliseconds at which the goals and the idle goals apply."""

LATENCIES = (GOALS_AT, IDLE, 100)
"""All that are measured. Where no goals apply, one round by the fastest way has to do: more would take an hour."""

SLACK = 16.0
"""MiB by which two measurements of the same work may differ."""

LINEAR = 1.1
"""Highest exponent of a linear cost."""

GROWTH_NAME, MEMORY_NAME, PAIRS_NAME = "growth", "memory", "pairs"


def main() -> None:
    """Measure, compare, write, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [*(task.name for task in TABLE), GROWTH_NAME, MEMORY_NAME, PAIRS_NAME]
    parser.add_argument("--only", nargs="+", choices=names, metavar="TASK", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=int, nargs="+", default=LATENCIES, help="milliseconds")
    arguments = parser.parse_args()
    only: Sequence[str] = arguments.only or names
    findings = Findings(arguments.rounds)
    with bench_servers() as servers:
        findings.capacity = servers["plain"].proxy.capacity("/healthz")
        skip_exports(servers["exporting"], findings)
        digests: dict[str, str] = {}
        for task in TABLE:
            if task.name in only and task.name not in findings.skipped:
                digests[task.name] = measure_task(servers[task.where], task, arguments.latency, findings)
        compare_lazy(digests, findings)
        if GROWTH_NAME in only:
            measure_growth(servers["plain"], findings)
        if MEMORY_NAME in only:
            measure_memory(servers["plain"], findings)
        if PAIRS_NAME in only:
            measure_pairs(servers["plain"], findings)
    text = written(findings)
    if not arguments.only:
        RESULTS.write_text(text)
        readme.FILE.write_text(readme.refreshed(readme.FILE.read_text("utf-8"), text), "utf-8")
    print(text)
    missed = [each for each in findings.verdicts if not each.kept]
    print(f"bench: {len(findings.verdicts) - len(missed)} passed, {len(missed)} failed")
    sys.exit(1 if missed or findings.disagreements else 0)


@contextmanager
def bench_servers() -> Generator[dict[Where, BenchServer]]:
    """Start and fill both servers, each behind a replay proxy."""
    with ExitStack() as stack:
        # One server exports nothing; the other exports before its first response with rows.
        live, exported = ExportPolicy(above_rows=sys.maxsize), ExportPolicy()
        plain = stack.enter_context(RunningServer(export_policy=live))
        exporting = stack.enter_context(RunningServer(export_policy=exported))
        log_progress("filling the servers")
        seeding.fill(plain)
        seeding.fill_exports(exporting)
        yield {
            "plain": BenchServer(plain, stack.enter_context(ReplayProxy(plain.url))),
            "exporting": BenchServer(exporting, stack.enter_context(ReplayProxy(exporting.url))),
        }


def skip_exports(bench: BenchServer, findings: Findings) -> None:
    """Skip tasks that need exports if the server writes none."""
    variables = {"entity": bench.server.entity, "project": "exports", "run": "long"}
    answer = httpx.post(
        f"{bench.server.url}/graphql",
        json={"query": EXPORTS, "variables": variables},
        auth=("api", bench.server.api_key),
        timeout=300,
    ).json()
    if not answer["data"]["project"]["run"]["parquetHistory"]["parquetUrls"]:
        reason = "the embedded server lists no exports"
        findings.skipped |= {task.name: reason for task in TABLE if task.where == "exporting"}


def measure_task(bench: BenchServer, task: Task, latencies: Sequence[int], findings: Findings) -> str:
    """Measure one row of the table, and return the digest of what runql read."""
    log_progress(task.title)
    read = prepare(bench, task)
    findings.disagreements += [
        f"- {task.title}: {title} read {digest}, {OWN} {read[OWN]}"
        for title, digest in read.items()
        if digest != read[OWN]
    ]
    goals, fastest = {GOALS_AT: task.goal, IDLE: task.idle_goal}, task
    for latency in latencies:
        measured, rounds = (task, findings.rounds) if latency in goals else (fastest, 1)
        row = measure(bench, measured, latency=latency / 1000, rounds=rounds)
        if latency == GOALS_AT:
            fastest = replace(task, ways={title: (each.way,) for title, each in row.items()})
        findings.tables.setdefault(latency, {})[task.name] = row
        for title, each in row.items():
            log_progress(
                f"  {latency} ms, {title}: {each.median:.3f} s, {each.requests} requests, {each.over:.0f} MiB, {each.cpu:.2f} s of CPU"
            )
        if latency in goals:
            findings.verdicts += verdicts(f"{task.title}, {latency} ms", goals[latency], row)
    if task.name in ONE_CORE and IDLE in latencies:
        findings.one_core[task.name] = measure(bench, task, latency=0, rounds=findings.rounds, one_core=True)
    return read.get(OWN, "")


def compare_lazy(digests: Mapping[str, str], findings: Findings) -> None:
    """Compare a lazy query with collecting all rows, where both were measured."""
    if not digests.keys() >= {*LAZY}:
        return
    lazy, collected = LAZY
    if digests[lazy] != digests[collected]:
        findings.disagreements.append(
            f"- lazy, a query read {digests[lazy]}, the frame in memory {digests[collected]}"
        )
    for latency, table in findings.tables.items():
        if latency in (GOALS_AT, IDLE):
            own = table[lazy][OWN], table[collected][OWN]
            findings.verdicts.append(lazy_verdict(f"a lazy sum, {latency} ms", *own))


def measure_growth(bench: BenchServer, findings: Findings) -> None:
    """Measure how costs grow with the amount of data."""
    for title, names in GROWTH.items():
        log_progress(f"growth: {title}")
        rows: list[Row] = []
        for name in names:
            task = Task(name, title, contenders=(OWN, LIMIT))
            prepare(bench, task)
            rows.append(measure(bench, task, latency=GOALS_AT / 1000, rounds=findings.rounds))
        findings.growth[title] = rows
        seconds = exponent([row[OWN].median for row in rows])
        requests = exponent([row[OWN].requests for row in rows])
        findings.verdicts.append(Verdict(f"{title}: seconds ~ n^{seconds:.2f}, linear", seconds <= LINEAR))
        findings.verdicts.append(Verdict(f"{title}: requests ~ n^{requests:.2f}, sublinear", requests < 1))


def measure_memory(bench: BenchServer, findings: Findings) -> None:
    """Measure the memory of a scan, to a frame and row by row."""
    log_progress("memory")
    for title, (few, many) in MEMORY.items():
        tenth, whole = (measure_own(bench, each, findings.rounds) for each in (few, many))
        findings.memory[title] = tenth, whole
        findings.verdicts.append(memory_verdict(title, tenth, whole, slack=SLACK))


def measure_pairs(bench: BenchServer, findings: Findings) -> None:
    """Measure both tasks of each pair in turn, without latency."""
    for pair in PAIRS:
        log_progress(pair.title)
        rounds = [
            [measure_own(bench, name, 1) for name in (pair.usual, pair.more)] for _ in range(findings.rounds)
        ]
        usual, more = rounds[0]
        for other_usual, other_more in rounds[1:]:
            usual.seconds += other_usual.seconds
            more.seconds += other_more.seconds
        log_progress(f"  without {usual.median:.3f} s, with {more.median:.3f} s")
        findings.verdicts.append(pair_verdict(pair, usual, more))


def measure_own(bench: BenchServer, name: str, rounds: int) -> Measured:
    """Measure a task that only runql performs, without latency."""
    task = Task(name, name, contenders=(OWN,))
    prepare(bench, task)
    return measure(bench, task, latency=0, rounds=rounds)[OWN]


def log_progress(text: str) -> None:
    """Print progress to stderr; stdout is for the results."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
