"""Batches of history rows, as dicts or as columns, with one interface for both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Self, TypeAlias, TypeGuard

from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

if TYPE_CHECKING:
    import polars as pl

STEP = "_step"

TIMES = ("_timestamp", "_runtime")
"""Seconds since 1970, and since the run began."""

RUN_ID = "run_id"
"""The column that names the run of each row, in frames of many runs."""

CHUNK_ROWS = 1 << 14
"""Rows of each chunk of a series, at least; the last chunk may have fewer."""

FEW = 256
"""Rows up to which Python counts different steps sooner than polars, which hands each count to its own threads."""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows as dicts."""

    rows: Sequence[dict[str, JSONValue]]

    @property
    def height(self) -> int:
        """How many rows."""
        return len(self.rows)

    def _whole_steps(self) -> list[int] | None:
        """The step of each row where all are integers, found without Python code for each row; else None."""
        steps = [row.get(STEP) for row in self.rows]
        return steps if _are_whole(steps) else None

    def extent(self) -> tuple[int, int] | None:
        """The lowest and the highest step; None when no row has one."""
        steps = self._whole_steps() or [step for row in self.rows if (step := step_of(row)) is not None]
        return (min(steps), max(steps)) if steps else None

    def step_at(self, place: int) -> int | None:
        """The step of one row."""
        return step_of(self.rows[place])

    def bad_step(self) -> int | None:
        """The place of a row with a step that is no finite number; None where there is none."""
        if self._whole_steps() is not None:
            return None
        for place, row in enumerate(self.rows):
            if step_of(row) is None and row.get(STEP) is not None:
                return place
        return None

    def has_each_step_once(self) -> bool:
        """Whether each row has a step that no other row has."""
        steps: Sequence[int | None] = self._whole_steps() or [step_of(row) for row in self.rows]
        return len({*steps}) == len(steps) and None not in steps

    def in_step_order(self) -> Self:
        """The rows in step order; those of the same step keep theirs."""
        steps = self._whole_steps() or [step for row in self.rows if (step := step_of(row)) is not None]
        if steps == sorted(steps):
            return self
        return type(self)(sorted(self.rows, key=lambda row: -1 if (step := step_of(row)) is None else step))

    def to_rows(self) -> Sequence[dict[str, JSONValue]]:
        """The rows as dicts."""
        return self.rows

    def rises_within(self, lengths: Sequence[int]) -> bool:
        """Whether the steps do not fall within each part, where the parts have these lengths."""
        steps = [step_of(row) for row in self.rows]
        borders = {*accumulate(lengths)}
        return all(
            low is None or high is None or low <= high or place in borders
            for place, (low, high) in enumerate(pairwise(steps), 1)
        )

    def having(self, names: Sequence[str]) -> Self:
        """The rows that have a value for each of ``names``; null is not a value."""
        return type(self)([row for row in self.rows if all(row.get(name) is not None for name in names)])

    def labelled(self, name: str, labels: Sequence[str]) -> Self:
        """The rows, each with its label under ``name``, which replaces a value of that name."""
        return type(self)([{**row, name: label} for row, label in zip(self.rows, labels, strict=True)])

    def between(self, start: int, stop: int | None) -> Self:
        """The rows of ``start <= step < stop``, and those without a step."""
        return type(self)([row for row in self.rows if _is_between(step_of(row), start, stop)])


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Rows as polars series of equal length, in the order their names were first seen; null where missing.

    Attributes:
        columns: name to series, each of a type of `runql.frames.columns.SERIES_TYPES`.
        height: how many rows.
    """

    columns: Mapping[str, pl.Series]
    height: int

    @classmethod
    def joined(cls, batches: Sequence[ColumnBatch]) -> ColumnBatch:
        """The rows of batches with equal columns, in one chunk a column."""
        if len(batches) == 1:
            return batches[0]
        import polars as pl  # noqa: PLC0415 - optional: its columns are here, so it is installed

        names = batches[0].columns
        columns = {
            name: pl.concat([batch.columns[name] for batch in batches], rechunk=True) for name in names
        }
        return cls(columns, sum(batch.height for batch in batches))

    def is_like(self, other: ColumnBatch) -> bool:
        """Whether both have the same columns of the same types, in the same order."""
        return [*self._types()] == [*other._types()]

    def _types(self) -> Iterator[tuple[str, pl.DataType]]:
        return ((name, cells.dtype) for name, cells in self.columns.items())

    def extent(self) -> tuple[int, int] | None:
        """The lowest and the highest step; None when no row has one."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric():
            return None
        low, high = steps.min(), steps.max()
        return (
            (int(low), int(high))
            if isinstance(low, (int, float)) and isinstance(high, (int, float))
            else None
        )

    def step_at(self, place: int) -> int | None:
        """The step of one row."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric():
            return None
        step = steps[place]
        return int(step) if isinstance(step, (int, float)) else None

    def bad_step(self) -> int | None:
        """The place of a row with a step that is no finite number; None where there is none."""
        steps = self.columns.get(STEP)
        if steps is None or steps.dtype.is_integer():
            return None
        if steps.dtype.is_numeric():
            return (steps.is_not_null() & ~steps.is_finite()).arg_max() if _is_infinite(steps) else None
        return steps.is_not_null().arg_max()

    def has_each_step_once(self) -> bool:
        """Whether each row has a step that no other row has."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric() or steps.null_count():
            return False
        whole = steps.cast(int)
        return (len({*whole.to_list()}) if self.height <= FEW else whole.n_unique()) == self.height

    def in_step_order(self) -> Self:
        """The rows in step order; those of the same step keep theirs."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric() or steps.is_sorted():
            return self
        import polars as pl  # noqa: PLC0415 - optional: its columns are here, so it is installed

        frame = pl.DataFrame(dict(self.columns)).sort(STEP, maintain_order=True)
        return type(self)(frame.to_dict(as_series=True), self.height)

    def to_rows(self) -> Sequence[dict[str, JSONValue]]:
        """The rows as dicts, without missing values."""
        return rows_of_columns(((name, cells.to_list()) for name, cells in self.columns.items()), self.height)

    def rises_within(self, lengths: Sequence[int]) -> bool:
        """Whether the steps do not fall within each part, where the parts have these lengths."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric():
            return True
        falls = (steps.diff() < 0).arg_true().to_list()
        return {*falls} <= {*accumulate(lengths)}

    def having(self, names: Sequence[str]) -> Self:
        """The rows that have a value for each of ``names``."""
        if not all(name in self.columns for name in names):
            return type(self)({}, 0)
        whole = [self.columns[name] for name in names if self.columns[name].null_count()]
        if not whole:
            return self
        kept = whole[0].is_not_null()
        for cells in whole[1:]:
            kept &= cells.is_not_null()
        return self._filtered(kept)

    def _filtered(self, kept: pl.Series) -> Self:
        return type(self)({name: cells.filter(kept) for name, cells in self.columns.items()}, int(kept.sum()))

    def labelled(self, name: str, labels: Sequence[str]) -> Self:
        """The rows, each with its label under ``name``, which replaces a value of that name."""
        import polars as pl  # noqa: PLC0415 - optional: its columns are here, so it is installed

        return type(self)({**self.columns, name: pl.Series(name, labels, dtype=pl.String())}, self.height)

    def parts(self, heights: Sequence[int]) -> Iterator[ColumnBatch]:
        """Yield the rows in parts of these heights."""
        start = 0
        for height in heights:
            columns = {name: cells.slice(start, height) for name, cells in self.columns.items()}
            yield type(self)(columns, height)
            start += height

    def between(self, start: int, stop: int | None) -> Self:
        """The rows of ``start <= step < stop``, and those without a step."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric():
            return self
        whole = steps.cast(int)
        inside = (whole >= start) & (True if stop is None else whole < stop)
        return self._filtered(inside.fill_null(value=True))


def _is_infinite(cells: pl.Series) -> bool:
    return not cells.drop_nulls().is_finite().all()


Batch: TypeAlias = RowBatch | ColumnBatch


def rows_of_columns(
    columns: Iterable[tuple[str, Sequence[JSONValue]]], height: int
) -> list[dict[str, JSONValue]]:
    """The rows of columns as dicts, without missing values."""
    rows: list[dict[str, JSONValue]] = [{} for _ in range(height)]
    for name, values in columns:
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row[name] = value
    return rows


def merge_by_step(lists: Sequence[Batch], keys: Sequence[str]) -> Batch:
    """Merge the rows of one list for each key into rows by step; a row has at least one of the keys."""
    joined = _merge_columns(lists, keys)
    if joined is not None:
        return joined
    by_step: dict[int, dict[str, JSONValue]] = {}
    for key, rows in zip(keys, lists, strict=True):
        for row in rows.having((key,)).to_rows():
            step = step_of(row)
            if step is not None:
                by_step.setdefault(step, {STEP: row[STEP]})[key] = row[key]
    return RowBatch([by_step[step] for step in sorted(by_step)])


def _merge_columns(lists: Sequence[Batch], keys: Sequence[str]) -> ColumnBatch | None:
    """As `merge_by_step`, where every list is of columns with each step once; else None."""
    columns = [
        rows.having((STEP, key)).columns
        for key, rows in zip(keys, lists, strict=True)
        if isinstance(rows, ColumnBatch)
    ]
    if len(columns) < len(keys) or not all(
        STEP in each and each[STEP].dtype.is_integer() and each[STEP].is_unique().all() for each in columns
    ):
        return None
    import polars as pl  # noqa: PLC0415 - as in `ColumnBatch.labelled`

    frame = pl.DataFrame({STEP: pl.concat([each[STEP] for each in columns]).unique().sort()})
    for key, each in zip(keys, columns, strict=True):
        if key != STEP:
            frame = frame.join(
                pl.DataFrame({STEP: each[STEP], key: each[key]}), on=STEP, how="left", maintain_order="left"
            )
    return ColumnBatch(frame.to_dict(as_series=True), frame.height)


def step_of(row: Mapping[str, JSONValue]) -> int | None:
    """A row's step; None where it is missing or no finite number."""
    step = row.get(STEP)
    if isinstance(step, bool) or not isinstance(step, (int, float)):
        return None
    return int(step) if math.isfinite(step) else None


def _are_whole(steps: list[JSONValue]) -> TypeGuard[list[int]]:
    return {*map(type, steps)} == {int}


def _is_between(step: int | None, start: int, stop: int | None) -> bool:
    return step is None or (start <= step and (stop is None or step < stop))
