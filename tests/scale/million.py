"""`python -m tests.scale.million`: read projects of several sizes at a limited rate, and extrapolate to a million runs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from tests.scale.front import KEY, ScaleFront, scale_front

from runql import Api, HistoriesScan
from runql.resources.runs.parts.split import PAGE

MILLION: Final = 1_000_000
RATES: Final = (60, 200, 1_000)
"""Requests a minute for which hours are printed: W&B publishes no number that holds for everybody."""


@dataclass(frozen=True)
class Size:
    """Runs of a project, and the rows of each."""

    runs: int
    rows: int

    def __str__(self) -> str:
        return f"{self.runs:,} runs × {self.rows:,} rows"


@dataclass(frozen=True)
class Reading:
    """What a whole project took.

    Attributes:
        size: of the project.
        split: requests that counted the runs.
        requests: that the server carried out, those of the split included.
        refused: with status 429.
        sent: bytes of the responses.
        seconds: of the scan, under the limit.
        cpu: seconds of the client's CPU.
        rate: requests a second that the limit allows; 0 for none.
    """

    size: Size
    split: int
    requests: int
    refused: int
    sent: int
    seconds: float
    cpu: float
    rate: float

    @property
    def for_rows(self) -> int:
        """Requests that brought rows."""
        return self.requests - self.split

    @property
    def requests_a_thousand(self) -> float:
        """Requests for 1,000 such runs; a split counts 500 of them at a time."""
        return self.for_rows * 1_000 / self.size.runs + 1_000 / PAGE

    @property
    def used(self) -> float:
        """Share of the allowed rate that was used; below 1 where the client, not the limit, decides."""
        return self.requests / (self.rate * self.seconds) if self.rate else 0.0

    def hours(self, rows: int, rate: float) -> float:
        """Hours for a million runs of so many rows, at so many requests a minute.

        Requests for rows grow with the rows, those of the split with the runs.
        """
        requests = MILLION / PAGE + self.for_rows * MILLION / self.size.runs * rows / self.size.rows
        return requests / rate / 60

    def hours_of_cpu(self, rows: int) -> float:
        """Hours that one process is busy with them: below these, no limit decides."""
        return self.cpu * MILLION / self.size.runs * rows / self.size.rows / 3_600

    def __str__(self) -> str:
        return (
            f"{self.size}: {self.requests} requests ({self.split} of the split), {self.refused} refused, "
            f"{self.sent / 1e6:.1f} MB, {self.seconds:.1f} s at {self.rate * 60:.0f} a minute, {self.used:.0%} of the rate; "
            f"for 1,000 runs {self.requests_a_thousand:.0f} requests, "
            f"{self.sent * 1e-3 / self.size.runs:.0f} MB, {self.seconds * 1_000 / self.size.runs:.0f} s, "
            f"{self.cpu * 1_000 / self.size.runs:.1f} s of CPU"
        )


def read_project(front: ScaleFront, size: Size, *, allowed: int, window: float, latency: float) -> Reading:
    """Seed a project, split it, and read its one part under the limit.

    The first reading fills the replay server; the second one is measured.
    """
    project = f"p{size.runs}x{size.rows}"
    front.seed(project, size.runs, size.rows)
    with Api(base_url=front.proxy.url, api_key=front.server.api_key) as api:
        scan = api.runs(f"{front.server.entity}/{project}").scan_histories(
            [KEY], format="polars", schema={KEY: float}
        )
        front.proxy.taken(latency=0)
        (part,) = scan.split(1)
        split = front.proxy.taken(latency=0).requests
        count_rows(part)
        front.proxy.taken(latency=latency, allowed=allowed, window=window)
        began, busy = time.perf_counter(), time.process_time()
        height = count_rows(scan.split(1)[0])
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
        traffic = front.proxy.taken(latency=0)
    if height != size.runs * size.rows or traffic.misses:
        raise RuntimeError(f"{size}: {height} rows, {traffic}")
    done = traffic.requests - traffic.refused
    return Reading(size, split, done, traffic.refused, traffic.sent, seconds, cpu, allowed / window)


def count_rows(part: HistoriesScan[pl.DataFrame]) -> int:
    """Read a part frame after frame."""
    return sum(frame.height for frame in part)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read each size, and print what a million runs would take."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale.million", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--allowed", type=int, default=3, help="requests in a window")
    parser.add_argument("--window", type=float, default=6.0, help="seconds")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    options = parser.parse_args(arguments)
    with scale_front() as front:
        for runs in options.runs:
            size = Size(runs, options.rows)
            reading = read_project(
                front, size, allowed=options.allowed, window=options.window, latency=options.latency
            )
            hours = " / ".join(f"{reading.hours(options.rows, rate):.1f}" for rate in RATES)
            print(reading, flush=True)
            busy = reading.hours_of_cpu(options.rows)
            print(
                f"  1,000,000 such runs at {' / '.join(map(str, RATES))} a minute: {hours} h; CPU {busy:.1f} h"
            )


if __name__ == "__main__":
    main()
