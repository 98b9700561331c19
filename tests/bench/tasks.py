"""What is measured, by whom, and how far ahead of the others runql has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

OWN, OLD, NEW, LIMIT = "runql", "wandb 0.21.4", "wandb 0.31.0", "limit"
OFFICIAL = (OLD, NEW)
EVERYBODY = (OWN, OLD, NEW, LIMIT)
Where = Literal["plain", "exporting"]


@dataclass(frozen=True)
class Goal:
    """A bound on a ratio of medians, or on a number of requests.

    Attributes:
        times_limit: runql's seconds at most, in those of the limit.
        ahead: seconds of either official SDK at least, in runql's.
        requests: runql's requests at most.
    """

    times_limit: float | None = None
    ahead: float | None = None
    requests: int | None = None


@dataclass(frozen=True)
class Task:
    """One line of the table.

    Attributes:
        name: what contenders know it by.
        title: what the table calls it.
        goal: holds at 20 ms of latency.
        contenders: who takes part.
        ways: other names of the task, by contender: ways of asking for the same; the quicker one counts.
        absent: why others do not.
        where: the server that it is done on.
    """

    name: str
    title: str
    goal: Goal = field(default_factory=Goal)
    contenders: Sequence[str] = EVERYBODY
    ways: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    where: Where = "plain"


EXPORTS = """\
query Exports($entity: String!, $project: String!, $run: String!) {
  project(entityName: $entity, name: $project) {
    run(name: $run) { parquetHistory(liveKeys: ["_step"]) { parquetUrls } }
  }
}
"""
"""The files that hold a run's history."""

NO_EXPORTS = {OLD: "reads none"}

TABLE = (
    Task(
        "list",
        "1,000 runs with config and summary, 50 a page",
        Goal(times_limit=1.3),
        ways={NEW: ("list", "list, not lazy")},
    ),
    Task(
        "histories",
        "histories of 200 runs × 500 samples × 3 keys, whole rows, polars",
        Goal(times_limit=1.5, ahead=20),
    ),
    Task(
        "histories by keys",
        "the same, asked for by keys",
        Goal(times_limit=1.5, ahead=20),
    ),
    Task(
        "scan",
        "scan of 200,000 rows × 20 keys, polars; 10,000 rows a page, the official SDKs by their own page size",
        Goal(times_limit=1.5, ahead=10),
        ways={OLD: ("scan, own pages",), NEW: ("scan, own pages",)},
    ),
    Task(
        "equal scan",
        "the same, all with 10,000 rows a page",
        contenders=(OWN, OLD),
        ways={OWN: ("scan",), OLD: ("scan",)},
        absent={NEW: "as above", LIMIT: "as above"},
    ),
    Task(
        "exports",
        "the same from parquet exports",
        Goal(times_limit=2, ahead=30),
        contenders=(OWN, NEW, LIMIT),
        absent=NO_EXPORTS,
        where="exporting",
    ),
    Task(
        "exports by keys",
        "3 of its keys from parquet exports",
        Goal(times_limit=2, ahead=30),
        contenders=(OWN, NEW, LIMIT),
        absent=NO_EXPORTS,
        where="exporting",
    ),
    Task("sparse", "100 rows spread over 990,001 steps, polars", Goal(requests=3)),
    Task("large files", "50 files of 1 MB, 8 at a time", Goal(times_limit=1.2)),
    Task("small files", "500 files of 4 KiB, 8 at a time"),
    Task("start", "process start to first answer", Goal(times_limit=1.5, ahead=3)),
)

GROWTH = {
    "rows of a scan": ("scan, hundredth", "scan, tenth", "scan"),
    "runs of a list": ("list, hundredth", "list, tenth", "list"),
}
"""A hundredth, a tenth, and all of it."""

MEMORY = {
    "a scan to polars": ("default scan, tenth", "default scan"),
    "rows as dicts, none of them kept": ("iterate, tenth", "iterate"),
}
"""A tenth of the rows, and all, by pages of the default size."""
