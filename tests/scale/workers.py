"""`python -m tests.scale.workers`: one process beside two workers, by latency and by rate limit; see docs/scale.md."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from queue import Queue
from typing import TypeAlias

import polars as pl
from tests.scale.front import KEY, ScaleFront, scale_front

from runql import Api, HistoriesScan

PROJECT = "p"
AT_ONCE = 8
"""Requests at the same time of a contender, all of its workers together."""

Scan: TypeAlias = HistoriesScan[pl.DataFrame]


@dataclass(frozen=True)
class Condition:
    """How the server behaves.

    Attributes:
        title: in the table.
        latency: seconds before each response.
        allowed: requests of one key in a window; 0 for no limit.
        keys: whether each worker has a key, and so a limit, of its own.
    """

    title: str
    latency: float = 0.0
    allowed: int = 0
    keys: bool = False


WINDOW = 2.0
CONDITIONS = (
    Condition("no latency"),
    Condition("100 ms a response", latency=0.1),
    Condition("1 s a response", latency=1.0),
    Condition("4 requests in 2 s, for the project", latency=0.02, allowed=4),
    Condition("4 requests in 2 s, for each worker's key", latency=0.02, allowed=4, keys=True),
)


@dataclass(frozen=True)
class PartRead:
    """What one part took in its worker: rows, seconds of CPU, MiB at most."""

    rows: int
    cpu: float
    peak: float


@dataclass
class Contender:
    """Seconds of each round, and the CPU and memory of the last one."""

    seconds: list[float] = field(default_factory=list[float])
    cpu: float = 0.0
    peak: float = 0.0
    requests: int = 0
    refused: int = 0


def start(keys: Queue[str]) -> None:
    """Take this worker's key, and import what it needs before the clock runs."""
    os.environ["WANDB_API_KEY"] = keys.get()
    import_module("runql.resources.runs.runs")


def read(part: Scan) -> PartRead:
    """Read a part frame after frame, and keep nothing."""
    began = time.process_time()
    height = sum(frame.height for frame in part)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return PartRead(height, time.process_time() - began, peak)


@contextmanager
def processes(count: int, keys: Sequence[str]) -> Generator[ProcessPoolExecutor]:
    """Workers that have begun, each with one of the keys."""
    context = get_context("spawn")
    with SyncManager(ctx=context) as manager:
        queue = manager.Queue()
        for key in keys:
            queue.put(key)
        with ProcessPoolExecutor(count, context, start, (queue,)) as pool:
            # Each takes its key before any gets a part.
            list(pool.map(time.sleep, [0.5] * count))
            yield pool


def perform(scan: Callable[[int], Scan], pool: Executor, workers: int, parts: int) -> list[PartRead]:
    """Read everything: as one scan, or in parts by several workers."""
    if workers == 1:
        return [pool.submit(read, scan(AT_ONCE)).result()]
    return list(pool.map(read, scan(AT_ONCE // workers).split(parts, workers=workers)))


def compare(front: ScaleFront, runs: int, rows: int, rounds: int, parts: Sequence[int]) -> None:
    """Measure every contender under every condition, in turn, and print a table."""
    front.seed(PROJECT, runs, rows)
    key = front.server.api_key
    with (
        Api(base_url=front.proxy.url, api_key=key) as api,
        ExitStack() as stack,
    ):
        listed = api.runs(f"{front.server.entity}/{PROJECT}")

        def scan(at_once: int) -> Scan:
            return listed.scan_histories([KEY], format="polars", schema={KEY: float}, max_concurrency=at_once)

        one = stack.enter_context(processes(1, [key]))
        two = stack.enter_context(processes(2, [key, key]))
        apart = stack.enter_context(processes(2, [f"{key}-a", f"{key}-b"]))
        threads = stack.enter_context(ThreadPoolExecutor(2))
        ways: list[tuple[str, Executor, Executor, int, int]] = [("one process", one, one, 1, 1)]
        ways += [(f"two threads, {each} parts", threads, threads, 2, each) for each in parts]
        ways += [(f"two processes, {each} parts", two, apart, 2, each) for each in parts]
        for _, pool, _, workers, cut in ways:
            perform(scan, pool, workers, cut)
        for condition in CONDITIONS:
            found = {title: Contender() for title, *_ in ways}
            for _ in range(rounds):
                for title, shared, own, workers, cut in ways:
                    if condition.keys and shared is threads:
                        continue
                    front.proxy.taken(latency=condition.latency, allowed=condition.allowed, window=WINDOW)
                    began = time.perf_counter()
                    each = perform(scan, own if condition.keys else shared, workers, cut)
                    one_round = found[title]
                    one_round.seconds.append(time.perf_counter() - began)
                    traffic = front.proxy.taken(latency=0)
                    if traffic.misses or sum(part.rows for part in each) != runs * rows:
                        raise RuntimeError(f"{title}: {traffic}, {each}")
                    one_round.cpu = sum(part.cpu for part in each)
                    one_round.peak = max(part.peak for part in each)
                    one_round.requests, one_round.refused = traffic.requests, traffic.refused
            report(condition, found)


def report(condition: Condition, found: dict[str, Contender]) -> None:
    """Print one table."""
    print(condition.title)
    first = statistics.median(found["one process"].seconds)
    for title, each in found.items():
        if each.seconds:
            median = statistics.median(each.seconds)
            print(
                f"  {title}: {median:.2f} s ({first / median:.2f} x), {each.requests} requests, "
                f"{each.refused} refused, {each.cpu:.1f} s of CPU, {each.peak:.0f} MiB",
                flush=True,
            )


def main() -> None:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale.workers", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", type=int, nargs="+", default=[2, 8])
    options = parser.parse_args()
    with scale_front() as front:
        compare(front, options.runs, options.rows, options.rounds, options.parts)


if __name__ == "__main__":
    main()
