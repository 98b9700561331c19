"""What a contender's process tells: how long its call took, what memory it needed, and what it read."""

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
    """One run of one task.

    Attributes:
        seconds: in the call; of a start-up the whole process, measured from outside.
        baseline: MiB of memory before the call, after everything was imported.
        peak: MiB of memory at the most.
        size: MiB of the frame that came back; 0 for other results.
        digest: of the values; empty when it was not asked for.
    """

    seconds: float
    baseline: float = 0.0
    peak: float = 0.0
    size: float = 0.0
    digest: str = ""

    def print(self) -> None:
        """Print it as the last line of the output."""
        print(json.dumps(asdict(self)))


def parse_result(output: str) -> Result:
    """The result in the output of a contender's process."""
    return Result(**json.loads(output.splitlines()[-1]))


def timed(call: Callable[[], T]) -> tuple[T, float, float, float]:
    """A call's value, its seconds, and MiB before and at the most."""
    before = peak_memory()
    started = time.perf_counter()
    value = call()
    return value, time.perf_counter() - started, before, peak_memory()


def peak_memory() -> float:
    """MiB that this process had at the most, so far; unlike `ru_maxrss` nothing of the process that began it."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
