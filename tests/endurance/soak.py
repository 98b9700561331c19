"""A soak: threads and tasks read through a front that misbehaves in one of a hundred requests, for as long as asked.

python -m tests.endurance.soak --seconds 900
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import resource
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.matrix.front import Exchange, Front, Given, Plan

from runql import Api, AsyncApi, RetryPolicy, RunqlError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

THREADS: Final = 64
TASKS: Final = 1_000
MINUTES: Final = 15
SHARE: Final = 100
"""One of so many requests is disturbed."""
RUNS: Final = 12
ROWS: Final = 30
WARM: Final = 0.2
"""Share of the time after which memory is measured first."""
_PROJECT: Final = "soak"
# A busy machine may take minutes for one of so many requests at once.
_POLICY: Final = RetryPolicy(max_attempts=20, total_seconds=3_600, first_delay=0.01, max_delay=0.2)


@dataclass
class Soak:
    """What came of a soak.

    Attributes:
        calls: how many calls were made.
        wrong: descriptions of wrong values.
        errors: errors by class; every fault passes, so there should be none.
        disturbed: how many requests were disturbed.
        memory: resident bytes after the warm-up and at the end.
        descriptors: open descriptors after the warm-up and at the end.
        seconds: how long it took.
    """

    calls: int = 0
    wrong: list[str] = field(default_factory=list[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    disturbed: int = 0
    memory: tuple[int, int] = (0, 0)
    descriptors: tuple[int, int] = (0, 0)
    seconds: float = 0.0

    def __str__(self) -> str:
        before, after = (each / 1e6 for each in self.memory)
        return (
            f"{self.calls:,} calls in {self.seconds:.0f} s, {self.disturbed:,} requests disturbed, "
            f"{len(self.wrong)} wrong values, errors: {dict(self.errors) or 'none'}; "
            f"memory {before:.0f} MB after the warm-up, {after:.0f} MB at the end ({after - before:+.1f} MB); "
            f"descriptors {self.descriptors[0]}, then {self.descriptors[1]}; "
            f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
        )


class _Disturbance:
    """Misbehaves in one of `SHARE` requests, each time in another way."""

    def __init__(self) -> None:
        self.disturbed = 0
        self._counted = 0
        self._guard = threading.Lock()

    def __call__(self, exchange: Exchange) -> bool:
        with self._guard:
            self._counted += 1
            turn = self._counted
        if turn % SHARE:
            return False
        with self._guard:
            self.disturbed += 1
            way = self.disturbed % 6
        if way == 0:
            exchange.reset()
        elif way == 1:
            exchange.respond(Given(502, (), b"bad gateway"))
        elif way == 2:
            exchange.respond(Given(429, (("Retry-After", "0.05"),), b""))
        elif way == 3:
            raw = exchange.forward().whole()
            exchange.send(raw[: -len(raw) // 4])
            exchange.close()
        elif way == 4:
            exchange.close()
        else:
            exchange.respond(exchange.forward())
            exchange.reset()
        return True


class _Work:
    """The calls, and what they must return."""

    def __init__(self, home: str, soak: Soak, ends: float) -> None:
        self.home = home
        self.soak = soak
        self.ends = ends
        self.names = [f"r{index:02}" for index in range(RUNS)]
        self._guard = threading.Lock()

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.ends

    def judge(self, what: str, got: object, expected: object) -> None:
        with self._guard:
            self.soak.calls += 1
            if got != expected:
                self.soak.wrong.append(f"{what}: {got!r:.200}")

    def failed(self, error: RunqlError) -> None:
        with self._guard:
            self.soak.calls += 1
            self.soak.errors[f"{type(error).__name__}: {error}"[:160]] += 1

    def rows(self, index: int) -> list[tuple[int, float]]:
        return [(step, index + step / 2) for step in range(ROWS)]

    def in_thread(self, api: Api, seed: int) -> None:
        chance = random.Random(seed)
        while self.goes_on:
            index = chance.randrange(RUNS)
            try:
                if chance.random() < 0.5:
                    run = api.run(f"{self.home}/{self.names[index]}")
                    self.judge("run", run.config, {"index": index})
                    rows = [(row["_step"], row["loss"]) for row in run.scan_history(page_size=20)]
                    self.judge("rows", rows, self.rows(index))
                else:
                    names = [run.id for run in api.runs(self.home, per_page=5, order="+created_at")]
                    self.judge("names", names, self.names)
            except RunqlError as error:
                self.failed(error)

    async def in_task(self, api: AsyncApi, seed: int) -> None:
        chance = random.Random(seed)
        while self.goes_on:
            index = chance.randrange(RUNS)
            try:
                run = await api.run(f"{self.home}/{self.names[index]}")
                self.judge("run", run.config, {"index": index})
                rows = [(row["_step"], row["loss"]) async for row in run.scan_history()]
                self.judge("rows", rows, self.rows(index))
            except RunqlError as error:
                self.failed(error)


def soak(seconds: float, *, threads: int = THREADS, tasks: int = TASKS) -> Soak:
    """Read for so long, half of it by threads and half by tasks at the same time."""
    found = Soak()
    with RunningServer() as server:
        server.seed(
            _PROJECT,
            [
                SeedRun(
                    name=f"r{index:02}",
                    config={"index": index},
                    history=[{"loss": index + step / 2} for step in range(ROWS)],
                )
                for index in range(RUNS)
            ],
        )
        disturbance = _Disturbance()
        with Front(server.url) as front:
            front.begin(Plan(disturbance, records=False))
            started = time.monotonic()
            work = _Work(f"{server.entity}/{_PROJECT}", found, started + seconds)
            measuring = threading.Thread(
                target=_measure, args=(found, server, started + seconds * WARM, work)
            )
            measuring.start()
            with Api(api_key=server.api_key, base_url=front.url) as whole:
                api = whole.with_options(timeout=900, retries=_POLICY)
                workers = [
                    threading.Thread(target=work.in_thread, args=(api, seed)) for seed in range(threads)
                ]
                for worker in workers:
                    worker.start()
                asyncio.run(_tasks(work, front.url, server.api_key, tasks))
                for worker in workers:
                    worker.join()
            measuring.join()
            found.seconds = time.monotonic() - started
            found.disturbed = disturbance.disturbed
    return found


async def _tasks(work: _Work, url: str, key: str, tasks: int) -> None:
    async with AsyncApi(api_key=key, base_url=url) as whole:
        api = whole.with_options(timeout=900, retries=_POLICY)
        await asyncio.gather(*(work.in_task(api, seed) for seed in range(tasks)))


def _measure(found: Soak, server: RunningServer, warm_at: float, work: _Work) -> None:
    """Measure memory and descriptors after the warm-up, and just before the end."""
    first = _state(server, warm_at)
    last = _state(server, work.ends - 0.1)
    found.memory = (first[0], last[0])
    found.descriptors = (first[1], last[1])


def _state(server: RunningServer, at: float) -> tuple[int, int]:
    waiting = threading.Event()
    waiting.wait(max(0.0, at - time.monotonic()))
    # The embedded server notes each request; nothing else may grow.
    server.clear()
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir()))


def main() -> None:
    """Soak, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=MINUTES * 60.0)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--tasks", type=int, default=TASKS)
    options = parser.parse_args()
    logging.getLogger("runql").setLevel(logging.ERROR)
    found = soak(options.seconds, threads=options.threads, tasks=options.tasks)
    print(found)
    for wrong in found.wrong[:20]:
        print("   ", wrong)
    raise SystemExit(1 if found.wrong or found.errors else 0)


if __name__ == "__main__":
    main()
