"""A long table of many runs as a wide one: a row for each step, a column for each run and metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Final

from runql.frames.batches import RUN_ID, STEP, step_of
from runql.frames.columns import Column
from runql.frames.table import Table
from runql.values import JSONValue

MOST_COLUMNS: Final = 20_000


def widen(table: Table, runs: Sequence[str], *, one_metric: bool, requested: Collection[str] = ()) -> Table:
    """One row for each step of any run, rising; `_step`, then the columns by metric, and within a metric as runs come.

    A column is named ``metric/run``: an id holds no slash, so no two names are alike. With only ``one_metric`` its
    columns are named by their runs; only a run that calls itself `_step` keeps the long name. A metric that a run never
    logged has no column unless it was requested. Of two rows of a run at one step, the later one counts; rows without a step have no place.
    Types are decided for each column over all of its values.

    Args:
        table: rows of a run next to each other; the column `run_id` names the run.
        runs: all runs, in the order of their columns; some may have no row.
        one_metric: whether there is but one.
        requested: metrics that are a column of each run.

    Raises:
        ValueError: there are more than 20,000 columns.
    """
    stretches = _stretches(table.columns[RUN_ID].values)
    steps = [step_of({STEP: step}) for step in table.columns[STEP].values]
    rising = sorted({step for step in steps if step is not None})
    places = {step: place for place, step in enumerate(rising)}
    columns = [Column.inferred(STEP, rising).requested()]
    for name, column in table.columns.items():
        if name in (RUN_ID, STEP):
            continue
        values = column.values
        for run in runs:
            cells = _placed(values, steps, places, stretches.get(run, slice(0)))
            if cells is not None or name in requested:
                title = run if one_metric and run != STEP else f"{name}/{run}"
                columns.append(Column.inferred(title, cells or [None] * len(places)).requested())
        if len(columns) > MOST_COLUMNS:
            raise ValueError(
                f"more than {MOST_COLUMNS:,} columns, one for each run and metric: give keys, narrow the filter, or leave out pivot"
            )
    return Table.from_columns(columns)


def _placed(
    values: Sequence[JSONValue],
    steps: Sequence[int | None],
    places: Mapping[int, int],
    stretch: slice,
) -> list[JSONValue] | None:
    """A run's values of a metric, each at its step's place; None where it has none."""
    found = {
        places[step]: value
        for step, value in zip(steps[stretch], values[stretch], strict=True)
        if step is not None and value is not None
    }
    return [found.get(place) for place in range(len(places))] if found else None


def _stretches(labels: Sequence[JSONValue]) -> dict[str, slice]:
    """Where the rows of each run lie."""
    stretches: dict[str, slice] = {}
    start = 0
    for label, rows in groupby(labels):
        stop = start + sum(1 for _ in rows)
        stretches[str(label)] = slice(start, stop)
        start = stop
    return stretches
