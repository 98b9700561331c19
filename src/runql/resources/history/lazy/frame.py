"""The lazy frame of one run's history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from runql.frames.asked_types import AskedType, FrameSchema
from runql.frames.batches import STEP, TIMES
from runql.frames.columns import fixed_type
from runql.frames.lazy.source import LazySource, polars_types
from runql.resources.history.lazy.logged_types import LoggedTypes
from runql.resources.history.lazy.rows import Portions, narrowed, rows_frame
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql.transport.sync import RetryingClient
from runql.values import as_json
from runql_graphql.operations import get_history_keys

if TYPE_CHECKING:
    import polars as pl


class LazyHistory(LazySource):
    """Reads the rows of one run for polars."""

    def __init__(
        self,
        client: RetryingClient,
        plan: ScanPlan,
        types: Mapping[str, AskedType],
        logged: LoggedTypes,
        stream: Callable[[ScanPlan], Portions],
    ) -> None:
        super().__init__(polars_types(types), plan.words(plan.path))
        self._client = client
        self._plan = plan
        self._stream = stream
        self._types = types
        self._logged = logged

    def frames(
        self, columns: list[str], predicate: pl.Expr | None, n_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        """See `LazySource.frames`."""
        metrics = [name for name in columns if name != STEP]
        plan = narrowed(self._plan, metrics, predicate, self._types, self._logged)
        if plan is None:
            self.note(rows=0)
            return
        self.note(**plan.options, rows=n_rows)
        known = self.schema if plan.keys is None and len(columns) == len(self.schema) else None
        stream = self._stream(plan.by_lists)
        while (batches := self._client.run(stream.next_batches())) is not None:
            # One window at a time: a portion has up to ``max_concurrency`` of them.
            for batch in batches:
                if batch.height:
                    yield rows_frame([batch], (STEP,), metrics, self._types, self._plan.path, known)


def lazy_history(
    client: RetryingClient,
    plan: ScanPlan,
    hints: HistoryHints,
    schema: FrameSchema,
    stream: Callable[[ScanPlan], Portions],
) -> pl.LazyFrame:
    """Return the lazy frame of a scan; sends one request, unless the schema has every key."""
    logged = LoggedTypes()
    if plan.keys is None or not {*plan.keys} <= {*schema.types, STEP, *TIMES}:
        client.run(_read_types(logged, plan, hints))
    return LazyHistory(client, plan, row_types(logged, plan, schema, (STEP,)), logged, stream).lazy()


def row_types(
    logged: LoggedTypes, plan: ScanPlan, schema: FrameSchema, leading: tuple[str, ...]
) -> dict[str, AskedType]:
    """Return the type of each column: the leading ones, then the metrics by name."""
    metrics = {*schema.types, *(logged.kinds if plan.keys is None else plan.keys)}
    names = [*leading, *sorted(metrics - {*leading})]
    return {name: schema.types.get(name) or fixed_type(name) or logged.type_of(name) for name in names}


def _read_types(logged: LoggedTypes, plan: ScanPlan, hints: HistoryHints) -> Flow[None]:
    address = plan.run
    operation = get_history_keys(entity=address.entity, project=address.project, run=address.run_id)
    response = yield from fetch(operation)
    run = require_run(response.project, address.entity, address.project, address.run_id)
    logged.add(hints.line_count, as_json(run.history_keys), plan.keys)
