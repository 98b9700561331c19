"""One contender's work, run in its own interpreter: `contender.py runql|wandb TASK`; prints its seconds as JSON.

The same calls through either library; it imports only the one it is asked for.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import polars as pl


class BothFile(Protocol):
    """What is used of a file of either library."""

    def download(self, root: str, replace: bool) -> io.TextIOBase: ...


class BothFiles(Iterable[BothFile], Protocol):
    """What is used of a list of files of either library."""

    def __len__(self) -> int: ...


class BothRun(Protocol):
    """What is used of a run of either library."""

    name: str
    config: Mapping[str, object]
    summary: Mapping[str, object]

    def scan_history(self, *, page_size: int) -> Iterable[Mapping[str, object]]: ...

    def files(self) -> BothFiles: ...


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


def files(api: BothApi) -> Sized:
    """Every file of one run, by the one call that fetches all of them, or one after the other where there is none."""
    found = api.run("files/many").files()
    download: Callable[[str], Sized] | None = getattr(found, "download", None)
    return download(ROOT) if download else [fetched(file) for file in found]


def files_by_threads(api: BothApi) -> Sized:
    """The same, one call a file from eight threads."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(fetched, api.run("files/many").files()))


def fetched(file: BothFile) -> str:
    """The file's text."""
    with file.download(ROOT, replace=True) as opened:
        return opened.read()


ROOT = "files"
TASKS = {
    "list": list_runs,
    "histories": histories,
    "scan": scan,
    "files": files,
    "files by threads": files_by_threads,
}
EXPECTED = {"list": 1_000, "histories": 100_000, "scan": 100_000, "files": 500, "files by threads": 500}


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
