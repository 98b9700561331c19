"""The result that a contender's process prints: time, memory, and a digest of the values."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """One execution of one task.

    Attributes:
        seconds: time of the call; for a start-up of the whole process.
        baseline: MiB of memory before the call, after all imports.
        peak: highest MiB of memory.
        size: MiB of the returned frame; 0 for other results.
        digest: digest of the values; empty if not requested.
    """

    seconds: float
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


def timed(call: Callable[[], T]) -> tuple[T, float, float, float]:
    """Return a call's value, its seconds, and MiB before and at the peak."""
    before = peak_memory()
    started = time.perf_counter()
    value = call()
    return value, time.perf_counter() - started, before, peak_memory()


def peak_memory() -> float:
    """Return the highest MiB of this process; unlike `ru_maxrss` it excludes the parent process."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
