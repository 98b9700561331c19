"""The result that a contender's process prints: time, memory, and a digest of the values."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """One execution of one task.

    Attributes:
        seconds: time of the call; for a start-up of the whole process.
        cpu: seconds of CPU of the call, of the process and those that it started.
        baseline: MiB of memory before the call, after all imports.
        peak: highest MiB of memory, also with those.
        size: MiB of the returned frame; 0 for other results.
        digest: digest of the values; empty if not requested.
    """

    seconds: float
    cpu: float = 0.0
    baseline: float = 0.0
    peak: float = 0.0
    size: float = 0.0
    digest: str = ""

    def print(self) -> None:
        """Print the result as the last line of the output."""
        print(json.dumps(asdict(self)))


def parse_result(output: str) -> Result:
    """Parse the result in the output of a contender's process."""
    return Result(**json.loads(output.splitlines()[-1]))


@dataclass(frozen=True)
class Timed(Generic[T]):
    """A call's value, and what the call cost; see `Result`."""

    value: T
    seconds: float
    cpu: float
    baseline: float
    peak: float

    def result(self, size: float, digest: str) -> Result:
        """Return the result to print."""
        return Result(self.seconds, self.cpu, self.baseline, self.peak, size, digest)


def timed(call: Callable[[], T]) -> Timed[T]:
    """Perform a call, and measure it."""
    baseline, cpu = peak_memory(), cpu_seconds()
    started = time.perf_counter()
    value = call()
    seconds = time.perf_counter() - started
    return Timed(value, seconds, cpu_seconds() - cpu, baseline, peak_memory())


def processes() -> list[Path]:
    """Return the folders in /proc of this process and of all that it started: the newest official SDK has a core process."""
    found = [Path("/proc/self")]
    for process in found:
        for children in process.glob("task/*/children"):
            found += [Path("/proc", number) for number in children.read_text("ascii").split()]
    return found


def peak_memory() -> float:
    """Return the highest MiB of these processes; unlike `ru_maxrss` it excludes the parent process."""
    return sum(
        int(line.split()[1]) / 1024
        for process in processes()
        for line in (process / "status").read_text("ascii").splitlines()
        if line.startswith("VmHWM")
    )


def cpu_seconds() -> float:
    """Return the seconds of CPU that these processes have used."""
    others = [(process / "stat").read_text("utf-8").rpartition(")")[2].split() for process in processes()[1:]]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in others)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")
