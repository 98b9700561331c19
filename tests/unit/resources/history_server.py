"""One run's history as the documented server answers it: a plain function over a list of rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.unit.transport.stepping import answered, sent, served

from runql.frames.batches import RowBatch
from runql.paths import RunAddress
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.transport.codec import encode
from runql.transport.flow import Effect, Flow
from runql.transport.sample_limits import SampleLimits
from runql.transport.wire import Response
from runql.values import JSONValue
from runql_graphql.operation import Operation

Variables: TypeAlias = dict[str, Any]  # Any: what a JSON parser made

MANY = 2000  # more requests than any scan of these tests may need: past it the scan does not end


@dataclass
class RunOnServer:
    """A run that logs while it is read.

    Attributes:
        rows: what was logged, in step order.
        state: of the run.
        lag: steps by which `lastStep` is behind; None when the server does not report it.
        uncounted: rows that `historyLineCount` does not count yet, below 0 for too many; None when it counts none.
        spec_includes_end: whether a spec's maxStep is inclusive, as documented.
        null_is_present: whether a spec takes a row whose value for a key is null.
        keeps_ends: whether downsampled rows hold the first and the last one, as documented.
        arriving: rows that are logged before each further request, the first of them before the second request.
        state_then: the state once everything has arrived; None to stay.
    """

    rows: list[Row]
    state: str | None = "finished"
    lag: int | None = 0
    uncounted: int | None = 0
    spec_includes_end: bool = True
    null_is_present: bool = False
    keeps_ends: bool = True
    arriving: Sequence[Sequence[Row]] = ()
    state_then: str | None = None
    operations: list[Operation[object]] = field(default_factory=list[Operation[object]])

    @property
    def requests(self) -> int:
        return len(self.operations)

    def answer(self, effect: Effect) -> Response:
        """The answer to a `ScanHistory`."""
        operation = sent(effect)
        assert operation.name == "ScanHistory"
        assert self.requests < MANY, "the scan does not end"
        if 1 <= self.requests <= len(self.arriving):
            self.rows = [*self.rows, *self.arriving[self.requests - 1]]
        if self.requests >= len(self.arriving) and self.state_then is not None:
            self.state = self.state_then
        self.operations.append(operation)
        asked = on_the_wire(operation)
        run = {"name": asked["run"], **self.fields(asked)}
        return answered({"project": {"name": asked["project"], "entityName": asked["entity"], "run": run}})

    def fields(self, asked: Variables) -> dict[str, object]:
        """What is asked of the run's history."""
        counted = None if self.uncounted is None else max(0, len(self.rows) - self.uncounted)
        run: dict[str, object] = {"state": self.state, "historyLineCount": counted}
        if asked.get("withKeys"):
            run["historyKeys"] = self._history_keys()
        if asked["whole"]:
            rows = _between(self.rows, asked["minStep"], asked["maxStep"], includes_end=False)
            run["history"] = [json.dumps(row) for row in self._downsampled(rows, asked["samples"])]
        if asked["chosen"]:
            run["sampledHistory"] = [self._sampled(json.loads(spec)) for spec in asked["specs"]]
        return run

    def _history_keys(self) -> object:
        if self.lag is None or not self.rows:
            return None
        counts = {
            key: {"typeCounts": [{"type": "number", "count": count}]} for key, count in self._counts().items()
        }
        return {"keys": counts, "lastStep": max(-1, int(step_of(self.rows[-1])) - self.lag)}

    def _counts(self) -> dict[str, int]:
        """In how many rows each key has a value, as `historyKeys` reports it; a server that lags counts fewer."""
        return Counter(
            key
            for row in self.rows[: len(self.rows) - (self.lag or 0)]
            for key, value in row.items()
            if value is not None
        )

    def _sampled(self, spec: Variables) -> list[Row]:
        rows = _between(
            self.rows, spec.get("minStep"), spec.get("maxStep"), includes_end=self.spec_includes_end
        )
        keys: list[str] = spec["keys"]
        picked = [{key: row[key] for key in keys} for row in rows if self._has(row, keys)]
        return self._downsampled(picked, spec["samples"])

    def _has(self, row: Row, keys: Sequence[str]) -> bool:
        return all(key in row and (self.null_is_present or row[key] is not None) for key in keys)

    def _downsampled(self, rows: list[Row], samples: int) -> list[Row]:
        """At most ``samples`` rows, evenly spread."""
        assert samples > 1
        if len(rows) <= samples:
            return rows
        if self.keeps_ends:
            return [rows[round(place * (len(rows) - 1) / (samples - 1))] for place in range(samples)]
        return [rows[(2 * place + 1) * len(rows) // (2 * samples)] for place in range(samples)]


def on_the_wire(operation: Operation[object]) -> Variables:
    """An operation's variables as the server gets them."""
    variables: Variables = json.loads(encode(operation))["variables"]
    return variables


def step_of(row: Row) -> float:
    step = row["_step"]
    assert isinstance(step, (int, float))
    return step


def acquainted() -> SampleLimits:
    """What a client knows of a server that has sent it long lists of rows."""
    limits = SampleLimits()
    limits.note_list("history", 1000)
    limits.note_list("sampledHistory", 1000)
    return limits


def next_rows(cursor: ScanCursor, ahead: int = 1) -> Flow[list[Row] | None]:
    """The rows of the next windows that hold any; None at the end."""
    batches = yield from cursor.next_batches(ahead)
    if batches is None:
        return None
    return [row for batch in batches if isinstance(batch, RowBatch) for row in batch.rows]


def scanned(
    plan: ScanPlan, hints: HistoryHints, server: RunOnServer, limits: SampleLimits | None = None
) -> list[Row]:
    """All rows of a scan, read to its end."""
    cursor = ScanCursor(plan, hints, limits=limits, streams=True)
    read: list[Row] = []
    while (rows := served(next_rows(cursor), server.answer)) is not None:
        assert rows, "a window without rows is not handed out"
        read += rows
    return read


def wanted(rows: Sequence[Row], plan: ScanPlan) -> list[Row]:
    """What a scan has to return of these rows."""
    kept = _between(rows, plan.min_step, plan.max_step, includes_end=False)
    if plan.keys is None:
        return kept
    picked = [{key: row[key] for key in plan.columns if row.get(key) is not None} for row in kept]
    asked = set(plan.keys)
    enough = asked.issubset if plan.match == "all" else asked.intersection
    return [row for row in picked if enough(row)]


def windows(rows: Sequence[Row], plan: ScanPlan) -> int:
    """How many windows of ``page_size`` steps lie between the first step and the last row's, that one included."""
    end = int(step_of(rows[-1])) + 1 if rows else 0
    if plan.max_step is not None:
        end = min(end, plan.max_step)
    return max(1, -(-(end - plan.min_step) // plan.page_size))


def planned(
    *,
    keys: Sequence[str] | None = None,
    match: JSONValue = "all",
    page_size: int = 10,
    min_step: int | None = None,
    max_step: int | None = None,
) -> ScanPlan:
    """A plan for the run of these tests."""
    assert match in ("all", "any")
    return ScanPlan.checked(
        RunAddress("e", "p", "r"),
        keys=keys,
        match="all" if match == "all" else "any",
        page_size=page_size,
        min_step=min_step,
        max_step=max_step,
    )


def _between(rows: Sequence[Row], first: int | None, end: int | None, *, includes_end: bool) -> list[Row]:
    low = first or 0
    high = float("inf") if end is None else end
    return [
        row
        for row in rows
        if low <= step_of(row) and (step_of(row) <= high if includes_end else step_of(row) < high)
    ]
