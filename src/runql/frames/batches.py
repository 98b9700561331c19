"""Some rows of a history, as Python objects or as columns, and what a reader of steps asks of either."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

from runql.values import JSONValue

if TYPE_CHECKING:
    import polars as pl

STEP = "_step"


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows as dicts."""

    rows: Sequence[dict[str, JSONValue]]

    @property
    def height(self) -> int:
        """How many rows."""
        return len(self.rows)

    def extent(self) -> tuple[int, int] | None:
        """The lowest and the highest step; None when no row has one."""
        steps = [step for row in self.rows if (step := step_of(row)) is not None]
        return (min(steps), max(steps)) if steps else None

    def to_rows(self) -> Sequence[dict[str, JSONValue]]:
        """The rows as dicts."""
        return self.rows

    def labelled(self, name: str, labels: Sequence[str]) -> Self:
        """The rows, each with its label under ``name``; what was there gives way."""
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

    def to_rows(self) -> Sequence[dict[str, JSONValue]]:
        """The rows as dicts, without what is missing."""
        rows: list[dict[str, JSONValue]] = [{} for _ in range(self.height)]
        for name, cells in self.columns.items():
            for row, value in zip(rows, cells.to_list(), strict=True):
                if value is not None:
                    row[name] = value
        return rows

    def labelled(self, name: str, labels: Sequence[str]) -> Self:
        """The rows, each with its label under ``name``; what was there gives way."""
        import polars as pl  # noqa: PLC0415 - optional: there are columns of it, so it is here

        return type(self)({**self.columns, name: pl.Series(name, labels, dtype=pl.String())}, self.height)

    def between(self, start: int, stop: int | None) -> Self:
        """The rows of ``start <= step < stop``, and those without a step."""
        steps = self.columns.get(STEP)
        if steps is None or not steps.dtype.is_numeric():
            return self
        whole = steps.cast(int)
        inside = (whole >= start) & (True if stop is None else whole < stop)
        kept = inside.fill_null(value=True)
        return type(self)({name: cells.filter(kept) for name, cells in self.columns.items()}, int(kept.sum()))


Batch: TypeAlias = RowBatch | ColumnBatch


def step_of(row: Mapping[str, JSONValue]) -> int | None:
    """A row's step; None when it has no finite number there."""
    step = row.get(STEP)
    if isinstance(step, bool) or not isinstance(step, (int, float)):
        return None
    return int(step) if math.isfinite(step) else None


def _is_between(step: int | None, start: int, stop: int | None) -> bool:
    return step is None or (start <= step and (stop is None or step < stop))
