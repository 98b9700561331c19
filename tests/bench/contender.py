"""One contender's work, run in its own interpreter: `contender.py runql|wandb TASK`; prints its seconds as JSON.

The same calls through either library; it imports only the one it is asked for.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Protocol

import polars as pl


class BothRun(Protocol):
    """What is used of a run of either library."""

    name: str
    config: Mapping[str, object]
    summary: Mapping[str, object]

    def scan_history(self, *, page_size: int) -> Iterable[Mapping[str, object]]: ...


class BothRuns(Iterable[BothRun], Protocol):
    """What is used of a list of runs of either library."""

    def histories(self, *, samples: int, format: str) -> Sized: ...  # noqa: A002 — documented


class BothApi(Protocol):
    """What is used of either library's entry point."""

    def run(self, path: str) -> BothRun: ...

    def runs(self, path: str, *, per_page: int) -> BothRuns: ...


def list_runs(api: BothApi) -> Sized:
    """Every run's name, one config value and one summary value."""
    return [(run.name, run.config["lr"], run.summary["loss"]) for run in api.runs("runs", per_page=50)]


def histories(api: BothApi) -> Sized:
    """The sampled metrics of all runs in one frame."""
    return api.runs("histories", per_page=50).histories(samples=500, format="polars")


def scan(api: BothApi) -> Sized:
    """Every row of one run in one frame."""
    rows = api.run("scan/long").scan_history(page_size=10_000)
    to_polars: Callable[[], Sized] | None = getattr(rows, "to_polars", None)
    return to_polars() if to_polars else pl.DataFrame(list(rows))


TASKS = {"list": list_runs, "histories": histories, "scan": scan}
EXPECTED = {"list": 1_000, "histories": 100_000, "scan": 100_000}


def main() -> None:
    """Do one task and print how long the call took."""
    library, task = sys.argv[1:]
    api: BothApi = importlib.import_module(library).Api()
    started = time.perf_counter()
    size = len(TASKS[task](api))
    seconds = time.perf_counter() - started
    if size != EXPECTED[task]:
        raise SystemExit(f"{library} {task}: {size} instead of {EXPECTED[task]}")
    print(json.dumps({"call": seconds}))


if __name__ == "__main__":
    main()
