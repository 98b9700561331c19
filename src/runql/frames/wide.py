"""Pivots a table of many runs: one row for each step, one column for each run and metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Final

from runql.frames.asked_types import AskedType
from runql.frames.batches import RUN_ID, STEP, step_of
from runql.frames.columns import Column, Piece, requested_type
from runql.frames.table import Table
from runql.values import JSONValue

MOST_COLUMNS: Final = 20_000


def widen(table: Table, runs: Sequence[str], *, one_metric: bool, requested: Collection[str] = ()) -> Table:
    """Return one row for each step of any run, rising: `_step`, then the columns by metric, and by run within a metric.

    A column is named ``metric/run``; ids hold no slash, so names differ. With ``one_metric`` columns are named by their
    runs, except for a run called `_step`. A metric that a run never logged has no column unless it was requested. Of two
    rows of a run at one step the later one counts; rows without a step are left out. Types are inferred for each column.

    Args:
        table: the rows, those of a run next to each other; the column `run_id` names the run.
        runs: all runs, in the order of their columns; some may have no row.
        one_metric: whether there is only one metric.
        requested: metrics that become a column of each run.

    Raises:
        ValueError: there are more than 20,000 columns.
    """
    ranges = _row_ranges(table.columns[RUN_ID].values)
    steps = [step_of({STEP: step}) for step in table.columns[STEP].values]
    rising = sorted({step for step in steps if step is not None})
    places = {step: place for place, step in enumerate(rising)}
    columns = [_column(STEP, rising, table.columns[STEP].asked)]
    for name, column in table.columns.items():
        if name in (RUN_ID, STEP):
            continue
        values = column.values
        for run in runs:
            cells = _align_to_steps(values, steps, places, ranges.get(run, slice(0)))
            if cells is not None or name in requested:
                title = run if one_metric and run != STEP else f"{name}/{run}"
                columns.append(_column(title, cells or [None] * len(places), column.asked))
        if len(columns) > MOST_COLUMNS:
            raise ValueError(
                f"more than {MOST_COLUMNS:,} columns, one for each run and metric: give keys, narrow the filter, or leave out pivot"
            )
    return Table.from_columns(columns)


def _column(title: str, values: Sequence[JSONValue], asked: AskedType | None) -> Column:
    if asked is not None:
        return Column.asked_for(title, asked, [Piece(0, values)], len(values))
    column = Column.inferred(title, values)
    return Column(column.name, requested_type(title, column.dtype), column.cells)


def _align_to_steps(
    values: Sequence[JSONValue],
    steps: Sequence[int | None],
    places: Mapping[int, int],
    rows: slice,
) -> list[JSONValue] | None:
    """A run's values of a metric, each at the place of its step; None where the run has none."""
    found = {
        places[step]: value
        for step, value in zip(steps[rows], values[rows], strict=True)
        if step is not None and value is not None
    }
    return [found.get(place) for place in range(len(places))] if found else None


def _row_ranges(labels: Sequence[JSONValue]) -> dict[str, slice]:
    """The places of the rows of each run."""
    ranges: dict[str, slice] = {}
    start = 0
    for label, rows in groupby(labels):
        stop = start + sum(1 for _ in rows)
        ranges[str(label)] = slice(start, stop)
        start = stop
    return ranges
