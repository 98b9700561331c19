"""`python -m tests.bench.contender runql|wandb TASK [digest]`: performs a task through a library, in its interpreter.

The calls are the same for both libraries; only the requested one is imported.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, overload

import polars as pl
from pydantic import BaseModel, Field
from tests.bench import values
from tests.bench.result import timed

FOLDER = "files"
AT_ONCE = 8
"""Threads of a caller who does the work with threads."""

KEYS = ["k00", "k01", "k02"]
SUMMED = "k00"
T = TypeVar("T")


class KeyedRow(BaseModel):
    """A row that has `KEYS`, with its step."""

    step: int = Field(alias="_step")
    k00: float
    k01: float
    k02: float


class BothFile(Protocol):
    """The used members of a file of either library."""

    name: str

    def download(self, root: str, replace: bool) -> object: ...


class BothRun(Protocol):
    """The used members of a run of either library."""

    id: str
    name: str
    config: Mapping[str, object]
    summary: Mapping[str, object]

    @overload
    def scan_history(
        self, *, keys: list[str] | None = None, page_size: int = ..., max_step: int | None = ...
    ) -> Iterable[Mapping[str, object]]: ...

    @overload
    def scan_history(self, *, row: type[T], page_size: int, max_step: int) -> Iterable[T]: ...

    def history(self, *, samples: int, pandas: bool) -> list[dict[str, object]]: ...

    def files(self) -> Iterable[BothFile]: ...


class BothRuns(Iterable[BothRun], Protocol):
    """The used members of a list of runs of either library."""

    def histories(
        self,
        *,
        samples: int,
        keys: list[str] | None = None,
        format: str,  # noqa: A002 — documented
    ) -> pl.DataFrame: ...

    def scan_histories(self) -> Histories: ...


class Histories(Protocol):
    """The used members of a scan of many runs; only runql has it."""

    def lazy(self) -> pl.LazyFrame: ...

    def collect(self) -> pl.DataFrame: ...


class BothApi(Protocol):
    """The used members of either library's entry point."""

    def run(self, path: str) -> BothRun: ...

    def runs(self, path: str, *, per_page: int = ..., lazy: bool = ...) -> BothRuns: ...


@dataclass(frozen=True)
class Read:
    """The result of a task, and the function for its digest, which is not timed."""

    value: Sized
    digest: Callable[[], str]


def framed(frame: pl.DataFrame, *order: str) -> Read:
    """Wrap a frame, with the columns that order its rows."""
    return Read(frame, lambda: values.of_frame(frame, *order))


def listed(runs: Iterable[BothRun]) -> Read:
    """Read config and summary of each run."""
    found = [(run, run.config["c00"], run.summary["s00"]) for run in runs]
    return Read(found, lambda: values.of_records((run.name, run.config, summary(run)) for run, _, _ in found))


def summary(run: BothRun) -> dict[str, object]:
    """Return a run's summary; the official SDK reads its values one by one."""
    return {key: run.summary[key] for key in run.summary.keys()}  # noqa: SIM118 - its mapping does not iterate


def list_runs(api: BothApi) -> Read:
    """List every run with config and summary."""
    return listed(api.runs("runs", per_page=50))


def sampled() -> BothApi:
    """Return an entry point that reads a sample of the responses strictly; only runql has one."""
    made: BothApi = importlib.import_module("runql").Api(strict="raise", sample=0.01)
    return made


def list_eager_runs(api: BothApi) -> Read:
    """As `list_runs`, but not lazy: the newest SDK otherwise requests each run again."""
    return listed(api.runs("runs", per_page=50, lazy=False))


def histories(api: BothApi) -> Read:
    """Read sampled histories of all runs, whole rows, in one frame."""
    frame = api.runs("histories", per_page=50).histories(samples=500, format="polars")
    return framed(frame, "run_id", "_step")


def keyed_histories(api: BothApi) -> Read:
    """As `histories`, by the keys of the rows."""
    runs = api.runs("histories", per_page=50)
    return framed(runs.histories(samples=500, keys=KEYS, format="polars"), "run_id", "_step")


def threaded_histories(api: BothApi) -> Read:
    """As `histories`, by the caller's threads: one run after the other."""

    def of_run(run: BothRun) -> pl.DataFrame:
        return pl.DataFrame(run.history(samples=500, pandas=False)).with_columns(run_id=pl.lit(run.id))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        frames = list(pool.map(of_run, api.runs("histories", per_page=50)))
    return framed(pl.concat(frames), "run_id", "_step")


def scanned(run: BothRun, keys: list[str] | None = None, page_size: int | None = None) -> Read:
    """Scan every row of a run to one frame; None means the library's own page size."""
    rows = (
        run.scan_history(keys=keys) if page_size is None else run.scan_history(keys=keys, page_size=page_size)
    )
    to_polars: Callable[[], pl.DataFrame] | None = getattr(rows, "to_polars", None)
    return framed(to_polars() if to_polars else pl.DataFrame(list(rows)), "_step")


def iterated(run: BothRun) -> Read:
    """Scan every row of a run as a dict, without keeping rows."""
    count = sum(1 for _ in run.scan_history())
    return Read(range(count), lambda: str(count))


def total(frame: pl.DataFrame) -> Read:
    """Wrap a sum; the order of the addition leaves traces beyond these digits."""
    return Read(frame, lambda: f"{frame.item():.6f}")


def lazy_total(api: BothApi) -> Read:
    """Sum one metric over all runs by a lazy frame."""
    return total(api.runs("many").scan_histories().lazy().select(pl.col(SUMMED).sum()).collect())


def collected_total(api: BothApi) -> Read:
    """The same of a frame of all rows."""
    return total(api.runs("many").scan_histories().collect().select(pl.col(SUMMED).sum()))


ROWS = 10_000
"""Rows of the tasks that compare dicts with instances."""


def keyed_rows(run: BothRun) -> Read:
    """Keep the first rows of a run as dicts."""
    rows = list(run.scan_history(keys=KEYS, page_size=ROWS, max_step=ROWS))
    return Read(rows, lambda: values.of_records((str(row["_step"]), row, {}) for row in rows))


def typed_rows(run: BothRun) -> Read:
    """As `keyed_rows`, as instances of a model; only runql has these."""
    rows = list(run.scan_history(row=KeyedRow, page_size=ROWS, max_step=ROWS))
    return Read(
        rows, lambda: values.of_records((str(row.step), row.model_dump(by_alias=True), {}) for row in rows)
    )


def settled(work: Callable[[], Read]) -> Callable[[], Read]:
    """Collect garbage before the work: the first collection of all that was imported falls to either task by chance."""
    gc.collect()
    return work


def files(api: BothApi, run: str, *, by: str = "list") -> Callable[[], Read]:
    """Return the download of all listed files of a run.

    Args:
        api: the library.
        run: name of the run.
        by: ``list``: one call where the library has it, else threads. ``threads``: each file by a thread of the caller.
            ``loop``: one file after the other, as the documents of the official SDK do it.
    """
    found = api.run(f"files/{run}").files()
    names = [file.name for file in found]
    download: Callable[[str], object] | None = getattr(found, "download", None)

    def fetch(file: BothFile) -> object:
        return file.download(FOLDER, replace=True)

    def fetch_all() -> Read:
        if by == "loop":
            for file in found:
                fetch(file)
        elif by == "list" and download:
            download(FOLDER)
        else:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(fetch, found))
        return Read(names, lambda: values.of_folder(FOLDER))

    return fetch_all


TASKS: dict[str, Callable[[BothApi], Read]] = {
    "list": list_runs,
    "list, not lazy": list_eager_runs,
    "histories": histories,
    "histories, threads": threaded_histories,
    "histories by keys": keyed_histories,
    "scan": lambda api: scanned(api.run("scan/long")),
    "tuned scan": lambda api: scanned(api.run("scan/long"), page_size=10_000),
    "scan, tenth": lambda api: scanned(api.run("scan/tenth")),
    "scan, hundredth": lambda api: scanned(api.run("scan/hundredth")),
    "list, tenth": lambda api: listed(api.runs("runs-tenth", per_page=50)),
    "list, hundredth": lambda api: listed(api.runs("runs-hundredth", per_page=50)),
    "iterate": lambda api: iterated(api.run("scan/long")),
    "iterate, tenth": lambda api: iterated(api.run("scan/tenth")),
    "exports": lambda api: scanned(api.run("exports/long")),
    "exports by keys": lambda api: scanned(api.run("exports/long"), ["_step", *KEYS]),
    "sparse": lambda api: scanned(api.run("sparse/sparse")),
    "lazy": lazy_total,
    "collected": collected_total,
}

PREPARED: dict[str, Callable[[BothApi], Callable[[], Read]]] = {
    "large files": lambda api: files(api, "large"),
    "large files, one by one": lambda api: files(api, "large", by="threads"),
    "large files, loop": lambda api: files(api, "large", by="loop"),
    "small files": lambda api: files(api, "small"),
    "small files, loop": lambda api: files(api, "small", by="loop"),
    "many files": lambda api: files(api, "many"),
    "keyed rows": lambda api: settled(lambda: keyed_rows(api.run("scan/tenth"))),
    "typed rows": lambda api: settled(lambda: typed_rows(api.run("scan/tenth"))),
    "list, sampled": lambda _: settled(partial(list_runs, sampled())),
}
"""Tasks with an untimed preparation."""


def main() -> None:
    """Perform one task, and print the result."""
    library, task, *arguments = sys.argv[1:]
    api: BothApi = importlib.import_module(library).Api()
    work = PREPARED[task](api) if task in PREPARED else partial(TASKS[task], api)
    measured = timed(work)
    read = measured.value
    size = read.value.estimated_size("mb") if isinstance(read.value, pl.DataFrame) else 0.0
    measured.result(
        float(size), f"{len(read.value)} {read.digest()}" if "digest" in arguments else ""
    ).print()
    sys.stdout.flush()
    # The measurement is over. At exit the newest official SDK sometimes waits for its core process forever.
    os._exit(0)


if __name__ == "__main__":
    main()
