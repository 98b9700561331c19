"""Tasks of the benchmark: contenders, ways, and goals."""

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
    """Bounds on ratios of medians, and on the number of requests.

    Attributes:
        times_limit: upper bound of runql's time in multiples of the limit's.
        ahead: lower bound of each official SDK's time in multiples of runql's.
        ahead_of_new: the same of the newest SDK alone.
        requests: upper bound of runql's requests.
    """

    times_limit: float | None = None
    ahead: float | None = None
    ahead_of_new: float | None = None
    requests: int | None = None


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        name: name for contenders.
        title: title in the table.
        goal: goal at 20 ms of latency.
        idle_goal: goal without latency, where CPU shows.
        contenders: names of the contenders.
        ways: names of alternative ways, by contender; the fastest way counts.
        absent: why other contenders are missing.
        where: the server of the task.
    """

    name: str
    title: str
    goal: Goal = field(default_factory=Goal)
    idle_goal: Goal = field(default_factory=Goal)
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
"""Lists the files of a run's exported history."""

NO_EXPORTS = {OLD: "reads none"}

ALONE = "reads each run alone: thousands of requests"
ONE_BY_ONE = {OLD: ALONE, NEW: ALONE}

TABLE = (
    Task(
        "list",
        "1,000 runs with config and summary",
        Goal(times_limit=1.3),
        Goal(times_limit=2),
        ways={NEW: ("list", "list, not lazy")},
    ),
    Task(
        "histories",
        "histories of 200 runs × 500 samples × 3 keys, whole rows, polars",
        Goal(times_limit=1.5, ahead=20),
        ways={OLD: ("histories", "histories, threads"), NEW: ("histories", "histories, threads")},
    ),
    Task(
        "histories by keys",
        "the same, asked for by keys",
        Goal(times_limit=1.5, ahead=20),
    ),
    Task(
        "scan",
        "scan of 200,000 rows × 20 keys, polars",
        Goal(times_limit=1.4, ahead=10, requests=25),
    ),
    Task(
        "tuned scan",
        "the same, tuned: 10,000 rows a page",
        Goal(times_limit=1.4, ahead=10),
        contenders=(OWN, OLD, LIMIT),
        ways={LIMIT: ("scan",)},
        absent={NEW: "its pages have one size"},
    ),
    Task(
        "exports",
        "the same from parquet exports",
        Goal(times_limit=1.4, ahead=30),
        contenders=(OWN, NEW, LIMIT),
        absent=NO_EXPORTS,
        where="exporting",
    ),
    Task(
        "exports by keys",
        "3 of its keys from parquet exports",
        Goal(times_limit=1.4, ahead=30),
        contenders=(OWN, NEW, LIMIT),
        absent=NO_EXPORTS,
        where="exporting",
    ),
    Task("sparse", "100 rows spread over 990,001 steps, polars", Goal(requests=3)),
    Task(
        "large files",
        "50 files of 1 MB",
        Goal(times_limit=2, ahead_of_new=1),
        Goal(times_limit=2, ahead_of_new=1),
        ways={OLD: ("large files", "large files, loop"), NEW: ("large files", "large files, loop")},
    ),
    Task(
        "large files, one by one",
        "the same, each file by one of eight threads",
        Goal(times_limit=2, ahead_of_new=1),
        Goal(times_limit=2, ahead_of_new=1),
        ways={OLD: ("large files",), NEW: ("large files",)},
    ),
    Task(
        "small files",
        "500 files of 4 KiB",
        Goal(ahead_of_new=3),
        Goal(ahead_of_new=1),
        ways={OLD: ("small files", "small files, loop"), NEW: ("small files", "small files, loop")},
    ),
    Task("many files", "2,000 files of 4 KiB", contenders=(OWN, NEW, LIMIT), absent={OLD: "as above"}),
    Task(
        "lazy",
        "sum of one metric over 2,000 runs × 200 rows × 20 keys, lazy",
        contenders=(OWN, LIMIT),
        absent=ONE_BY_ONE,
    ),
    Task(
        "collected",
        "the same sum, of all rows collected",
        contenders=(OWN, LIMIT),
        absent=ONE_BY_ONE,
    ),
    Task("start", "process start to first answer", Goal(times_limit=1.5, ahead=3)),
)

LAZY = ("lazy", "collected")
"""Tasks for the same sum, of what a query needs and of all rows."""

ONE_CORE = ("list", "scan", "exports", "large files", "small files")
"""Tasks that are also measured on one core, where CPU shows."""

GROWTH = {
    "rows of a scan": ("scan, hundredth", "scan, tenth", "scan"),
    "runs of a list": ("list, hundredth", "list, tenth", "list"),
}
"""Tasks for a hundredth, a tenth, and all of the data."""

MEMORY = {
    "a scan to polars": ("scan, tenth", "scan"),
    "rows as dicts, none of them kept": ("iterate, tenth", "iterate"),
}
"""Tasks for a tenth of the rows and for all."""


@dataclass(frozen=True)
class Pair:
    """Two tasks for the same values, without latency; the second one does more for them.

    Attributes:
        title: what is read, and how.
        usual: name of the first task.
        more: name of the second task.
        most: upper bound of its time in multiples of the first one's.
    """

    title: str
    usual: str
    more: str
    most: float


PAIRS = (
    Pair(
        "10,000 rows of three keys as instances of a model, not as dicts",
        "keyed rows",
        "typed rows",
        2,
    ),
    Pair(
        "1,000 runs with config and summary, the schema loaded, and the first response and a hundredth of the others read strictly",
        "list",
        "list, sampled",
        4,
    ),
)
