"""A list of runs with their histories as the documented server answers it: a plain function over `RunOnServer`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from tests.unit.resources.answers import connection, in_project, run_body
from tests.unit.resources.history_server import RunOnServer, Variables, on_the_wire, wanted
from tests.unit.transport.stepping import sent, served

from runql.errors import RunqlError
from runql.frames.batches import Batch
from runql.frames.row_readers import RowReader
from runql.paths import RunAddress
from runql.resources.history.plan import ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.runs.histories.cursor import HistoriesCursor
from runql.resources.runs.histories.page import HistoriesPart, HistoriesPlan
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Effect, Offload
from runql.transport.sample_limits import SampleLimits
from runql.transport.wire import Response
from runql.values import JSONValue

BUSY = Response(503, b"busy")


@dataclass
class ListOnServer:
    """Runs by id, in list order, listed by offset.

    Attributes:
        runs: by id.
        heavy: runs of which whatever holds rows fails.
        most: runs whose rows fit one page.
        heartbeats: of the runs, where the server reports them.
        break_at: the request, counted from 1, from which on every one fails; 0 for none.
        refusal: what is answered where something is too much.
        sizes: runs that each page of histories asked for.
        samples: rows that each page of histories asked for of each run.
        operations: how often each was sent.
    """

    runs: dict[str, RunOnServer]
    heavy: Collection[str] = ()
    most: int = 1000
    heartbeats: dict[str, str] = field(default_factory=dict[str, str])
    break_at: int = 0
    refusal: Response | RunqlError = field(default_factory=lambda: BUSY)
    sizes: list[int] = field(default_factory=list[int])
    samples: list[int] = field(default_factory=list[int])
    operations: Counter[str] = field(default_factory=Counter[str])
    filters: list[object] = field(default_factory=list[object])

    @property
    def requests(self) -> int:
        return self.operations.total()

    def answer(self, effect: Effect) -> Response | RunqlError | None:
        if isinstance(effect, Offload):
            effect.work()
            return None
        operation = sent(effect)
        asked = on_the_wire(operation)
        self.operations[operation.name] += 1
        if self.break_at and self.requests >= self.break_at:
            return self.refusal
        if operation.name == "ScanHistory":
            run: str = asked["run"]
            return self.refusal if run in self.heavy else self.runs[run].answer(effect)
        names = self._named(asked)
        start = int(asked.get("after") or 0)
        part = names[start : start + asked["first"]]
        if operation.name == "ListWholeHistories":
            self.sizes.append(asked["first"])
            self.samples.append(asked["samples"])
            if len(part) > self.most or set(part) & set(self.heavy):
                return self.refusal
        end = start + len(part)
        nodes = [self._node(name, asked, listed=operation.name == "ListRuns") for name in part]
        return in_project(runs=connection(nodes, cursor=str(end), more=end < len(names), total=len(names)))

    def _named(self, asked: Variables) -> list[str]:
        self.filters.append(asked["filters"])
        if '"$in"' in asked["filters"]:
            return [name for name in self.runs if f'"{name}"' in asked["filters"]]
        return [*self.runs]

    def _node(self, name: str, asked: Variables, *, listed: bool) -> dict[str, object]:
        beat = self.heartbeats.get(name)
        if listed:
            count = self.runs[name].fields({"whole": False, "chosen": False})["historyLineCount"]
            return run_body(name, heartbeatAt=beat, historyLineCount=count)
        return {
            "id": f"storage:{name}",
            "name": name,
            "heartbeatAt": beat,
            **self.runs[name].fields(asked),
        }


def planned_list(
    *,
    per_page: int = 50,
    keys: Sequence[str] | None = None,
    match: JSONValue = "any",
    page_size: int = 10_000,
    min_step: int | None = None,
    max_step: int | None = None,
    max_concurrency: int = 4,
) -> HistoriesPlan:
    """A plan for the list of these tests."""
    scan = ScanPlan.checked(
        RunAddress("e", "p", ""),
        keys=keys,
        match="all" if match == "all" else "any",
        page_size=page_size,
        min_step=min_step,
        max_step=max_step,
        max_concurrency=max_concurrency,
    )
    return HistoriesPlan(RunQuery("e", "p", per_page=per_page), scan)


def dense(count: int, first: int = 0) -> RunOnServer:
    """A run with a row at each step."""
    return RunOnServer([{"_step": step, "loss": step / 2} for step in range(first, first + count)])


def wanted_of_all(runs: dict[str, RunOnServer], plan: HistoriesPlan) -> list[Row]:
    """What a scan has to return: the scans of all runs, one after the other."""
    return [
        {**row, "run_id": name}
        for name, run in runs.items()
        for row in wanted(run.rows, replace(plan.scan, run=RunAddress("e", "p", name)))
    ]


def parts_of(
    plan: HistoriesPlan,
    answer: Callable[[Effect], Response | RunqlError | None],
    *,
    reader: RowReader | None = None,
    bounded: bool = False,
    budget: PageBudget | None = None,
    limits: SampleLimits | None = None,
) -> tuple[list[HistoriesPart], HistoriesCursor]:
    """All parts of a list, and the cursor behind them."""
    cursor = HistoriesCursor(plan, reader, budget, limits)
    parts: list[HistoriesPart] = []
    while (part := served(cursor.next_part(bounded=bounded, ahead=True), answer)) is not None:
        parts.append(part)
    return parts, cursor


def batches_of(parts: Sequence[HistoriesPart]) -> list[Batch]:
    return [batch for part in parts for batch in part.batches]
