"""Writes `RESULTS.md`: tables, growth, verdicts, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from tests.bench.measurement import Measured, python_of
from tests.bench.tasks import EVERYBODY, GROWTH, OFFICIAL, OWN, TABLE
from tests.bench.verdicts import Verdict, exponent, ratio

Row = Mapping[str, Measured]


@dataclass
class Findings:
    """All measurements.

    Attributes:
        rounds: rounds of each task.
        tables: rows by latency in milliseconds, then by task.
        one_core: rows without latency and with one core, by task.
        growth: measurements at three sizes, by title.
        memory: measurements of a tenth of the rows and of all, by title.
        capacity: responses per second of the replay proxy.
        skipped: tasks that no contender could perform, with the reason.
        disagreements: contenders that read other values than runql.
        verdicts: verdicts on the goals.
    """

    rounds: int
    tables: dict[int, dict[str, Row]] = field(default_factory=dict[int, dict[str, Row]])
    one_core: dict[str, Row] = field(default_factory=dict[str, Row])
    growth: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    memory: dict[str, tuple[Measured, Measured]] = field(default_factory=dict[str, tuple[Measured, Measured]])
    capacity: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    disagreements: list[str] = field(default_factory=list[str])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])


def written(findings: Findings) -> str:
    """Format the whole file."""
    return "\n".join(_lines(findings)) + "\n"


def _lines(findings: Findings) -> Iterator[str]:
    yield "# Benchmark\n"
    yield "Written by `make bench`. A cell has seconds / requests / MB of responses / MiB / seconds of CPU. Seconds are medians of the call alone; each round is a"
    yield "process of its own. For the start-up they are those of the whole process. All contenders use default arguments; a tuned call is a row of"
    yield "its own. Files were listed before. The official SDKs are driven as their documents say and by eight threads of the caller, where there is"
    yield "more than one thing to read; the faster way counts. All contenders take turns with one server, which responds from memory. × is their"
    yield "seconds divided by runql's, with the quartiles over the rounds. The server counts the requests. MiB are the peak of the process and those"
    yield "that it started, less what they had before the call. The limit is the fewest sensible requests by `http.client`, read by orjson and polars,"
    yield "and files with their digests checked. Files are written to memory where the system has a folder there. A contender is measured in one round if it takes"
    yield "fifty times as long as runql, or more than three seconds without latency. At 100 ms each one is, by the way that was the faster one at 20 ms.\n"
    yield from machine()
    yield f"{findings.rounds} rounds. The server answers {findings.capacity:,.0f} small requests a second.\n"
    for latency, rows in findings.tables.items():
        yield f"## {latency} ms of latency a request\n"
        yield from table(rows, findings.skipped)
        yield ""
    if findings.one_core:
        yield "## One core, 0 ms of latency\n"
        yield from table(findings.one_core, findings.skipped)
        yield ""
    for title, sizes in findings.growth.items():
        yield f"## Growth: {title}\n"
        yield from growth(title, sizes)
        yield ""
    if findings.memory:
        yield "## Memory\n"
        yield "| | a tenth | the frame | all | the frame |\n|---|---|---|---|---|"
        for title, (tenth, whole) in findings.memory.items():
            cells = [f"{each:.0f} MiB" for each in (tenth.over, tenth.size, whole.over, whole.size)]
            yield f"| {title} | " + " | ".join(cells) + " |"
        yield ""
    yield "## The same values\n"
    yield from findings.disagreements or [
        "All contenders read the same values (integers compared as floats)."
    ]
    yield "\n## Goals\n"
    yield from (f"- {'kept' if each.kept else '**missed**'}: {each.text}" for each in findings.verdicts)


def machine() -> Iterator[str]:
    """Yield cores and versions of the machine, without names."""
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("httpx", "pydantic", "polars", "pyarrow", "orjson")
    )
    yield f"{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()};"
    yield f"{libraries}; " + ", ".join(f"{title} with polars {_polars_of(title)}" for title in OFFICIAL) + "."


def _polars_of(title: str) -> str:
    code = "import importlib.metadata as m; print(m.version('polars'))"
    return subprocess.run(
        [python_of(title), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def table(rows: Mapping[str, Row], skipped: Mapping[str, str]) -> Iterator[str]:
    """Yield one line per task."""
    yield "| work | " + " | ".join(EVERYBODY) + " |"
    yield "|---" * (len(EVERYBODY) + 1) + "|"
    for task in TABLE:
        if task.name in skipped:
            yield f"| {task.title} | {skipped[task.name]} |" + " |" * (len(EVERYBODY) - 1)
        elif task.name in rows:
            row = rows[task.name]
            cells = [
                cell(row[OWN], row[title]) if title in row else task.absent.get(title, "")
                for title in EVERYBODY
            ]
            yield f"| {task.title} | " + " | ".join(cells) + " |"


def cell(own: Measured, each: Measured) -> str:
    """Format seconds, requests, memory and ratio of one contender."""
    parts = [f"{each.median:.3f} s", str(each.requests), f"{each.received / 1e6:.3g} MB"]
    if each.peak:
        parts += [f"{each.over:.0f} MiB", f"{each.cpu:.2f} s"]
    text = " / ".join(parts)
    if own is not each:
        times, low, high = ratio(own, each)
        text += f"; {times:.2g} × ({low:.2g}–{high:.2g})"
    if len(each.seconds) == 1:
        text += "; one round"
    return text


def growth(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield one line per contender and size, and the exponents."""
    names = GROWTH[title]
    yield "| | " + " | ".join(f"× {10**index}" for index in range(len(names))) + " | seconds ~ | requests ~ |"
    yield "|---" * (len(names) + 3) + "|"
    for contender in rows[0]:
        sizes = [row[contender] for row in rows]
        cells = [f"{each.median:.3f} s / {each.requests} / {each.over:.0f} MiB" for each in sizes]
        seconds = exponent([each.median for each in sizes])
        requests = exponent([each.requests for each in sizes])
        yield f"| {contender} | " + " | ".join(cells) + f" | n^{seconds:.2f} | n^{requests:.2f} |"
