"""What lazy frames of history rows share: which keys and steps a query needs, and frames of a fixed schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from runql.errors import FrameValueError
from runql.frames.asked_types import AskedType, FrameSchema
from runql.frames.batches import RUN_ID, STEP, Batch, ColumnBatch
from runql.frames.columns import as_values
from runql.frames.lazy.predicates import comparisons, required_columns, step_bounds
from runql.frames.table import Table
from runql.frames.to_polars import to_polars
from runql.resources.history.lazy.logged_types import LoggedTypes
from runql.resources.history.plan import Match, ScanPlan
from runql.transport.flow import Flow

if TYPE_CHECKING:
    import polars as pl


FEWER: Final = 2
"""Of this many metrics of a run, one costs about as many bytes as in whole rows, because each value has its step."""


class Portions(Protocol):
    """A stream of rows."""

    def next_batches(self) -> Flow[Iterable[Batch] | None]:
        """Return the next rows; None at the end."""
        ...


def narrowed(
    plan: ScanPlan,
    columns: Sequence[str],
    predicate: pl.Expr | None,
    types: Mapping[str, AskedType],
    logged: LoggedTypes,
) -> ScanPlan | None:
    """Return the plan of a scan that has every row for which the predicate is true; None where there is none.

    Args:
        plan: of the scan without the query.
        columns: metrics that the query needs.
        predicate: see above.
        types: of the steps of the frame.
        logged: the kinds of their values.
    """
    if types[STEP] == AskedType("Int64"):
        first, end = step_bounds(comparisons(predicate), STEP)
        first = max(first, plan.min_step)
        ends = [stop for stop in (end, plan.max_step) if stop is not None]
        stop = min(ends) if ends else None
        if stop is not None and stop <= first:
            return None
        plan = replace(plan, min_step=first, max_step=stop)
    required = required_columns(predicate) & {*columns}
    if plan.keys is not None:
        is_free = plan.match == "any" and not plan.required and {*columns} <= {*plan.keys}
        # Rows that share a step are one row of such a scan, also where one metric is left.
        return replace(plan, keys=tuple(columns)) if is_free and required else plan
    if not columns:
        return _by_key(plan, STEP)
    if not logged.are_plain(columns) or FEWER * len(columns) > len(logged.kinds.keys() - {STEP}):
        return plan
    if required and len(columns) == 1:
        return _by_key(plan, columns[0])
    # A row that lacks the metrics counts too: unless each row has them, its step is read beside them.
    match: Match = "all" if plan.wants_every_step and logged.fill_rows(columns) else "any"
    return replace(plan, keys=tuple(columns), match=match, every_row=True)


def _by_key(plan: ScanPlan, key: str) -> ScanPlan:
    return replace(plan, keys=(key,), match="all")


def rows_frame(
    batches: list[Batch],
    leading: Sequence[str],
    columns: Sequence[str],
    types: Mapping[str, AskedType],
    run: str = "",
    known: Collection[str] | None = None,
) -> pl.DataFrame:
    """Return rows as a frame of the leading columns and some metrics, each of its type.

    Args:
        batches: the rows; the list is empty afterwards.
        leading: steps, and run ids where rows are of many runs.
        columns: the metrics.
        types: of them.
        run: entity, project and id of the run where rows are of one.
        known: all metrics that rows may have; None where others are left out.

    Raises:
        FrameValueError: a value does not fit its type, or belongs to a metric that is not known.
    """
    names = [*leading, *columns]
    if known is not None:
        _refuse_others(batches, {*known, *leading}, run)
    kept: list[Batch] = []
    while batches:
        batch = batches.pop(0)
        if isinstance(batch, ColumnBatch):
            cells = {name: batch.columns[name] for name in names if name in batch.columns}
            batch = ColumnBatch(cells, batch.height)
        kept.append(batch)
    schema = FrameSchema({name: types[name] for name in names}, run)
    table = Table.from_batches(kept, leading=leading, requested=columns, order="sorted", schema=schema)
    return to_polars(Table.from_columns(table.columns[name] for name in names))


def _refuse_others(batches: Sequence[Batch], known: Collection[str], run: str) -> None:
    for batch in batches:
        if isinstance(batch, ColumnBatch):
            others = [name for name, cells in batch.columns.items() if name not in known and cells.count()]
            if not others:
                continue
            place = batch.columns[others[0]].is_not_null().arg_max() or 0
            labels = as_values(batch.columns[RUN_ID]) if RUN_ID in batch.columns else None
            raise _unknown(run or str(labels and labels[place]), others[0], batch.columns[others[0]][place])
        for row in batch.rows:
            for name, value in row.items():
                if name not in known and value is not None:
                    raise _unknown(run or str(row.get(RUN_ID)), name, value)


def _unknown(run: str, column: str, value: object) -> FrameValueError:
    return FrameValueError(
        run, column, value, "nothing, as no run had the metric when the lazy frame was made"
    )
