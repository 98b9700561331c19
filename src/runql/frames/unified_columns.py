"""One schema over rows that are read piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runql.frames.columns import SERIES_TYPES, Cells, Column, requested_type
from runql.frames.dtypes import EXACT_IN_FLOAT, DType, ScalarType, TypeEvidence
from runql.frames.table import Table

if TYPE_CHECKING:
    import polars as pl


class UnifiedColumns:
    """The union of the columns of all pieces, each of the type that holds every value.

    First `see` each piece, then convert each with `table`. The types are those that `TableBuilder` would infer over all
    rows, but only one piece at a time has to be in memory.
    """

    def __init__(self, leading: Sequence[str], requested: Sequence[str] = ()) -> None:
        """Begin with the columns that always exist: the leading ones first, the requested ones among the others."""
        self._leading = leading
        self._requested = requested
        self._evidence: dict[str, TypeEvidence] = {}

    def see(self, columns: Mapping[str, Cells]) -> None:
        """Add the columns and types of a piece."""
        for name, cells in columns.items():
            evidence = self._evidence.setdefault(name, TypeEvidence())
            evidence.add(cells if isinstance(cells, Sequence) else _decisive_values(cells))

    def dtypes(self) -> dict[str, DType]:
        """The type of each column: the leading ones, then the others by name."""
        names = dict.fromkeys((*self._leading, *sorted({*self._requested, *self._evidence})))
        typed = {*self._leading, *self._requested}
        found = {name: self._evidence.get(name, TypeEvidence()).dtype() for name in names}
        return {
            name: requested_type(name, dtype) if name in typed else dtype for name, dtype in found.items()
        }

    @staticmethod
    def table(dtypes: Mapping[str, DType], columns: Mapping[str, Cells], height: int) -> Table:
        """A piece as a table with all columns of ``dtypes``."""
        return Table.from_columns(
            Column.typed(name, dtype, columns.get(name, [None] * height)) for name, dtype in dtypes.items()
        )


def _decisive_values(cells: pl.Series) -> list[int | float | str | bool | None]:
    """Values of a series that decide its type as all of them would."""
    dtype = SERIES_TYPES[str(cells.dtype)]
    if dtype is not ScalarType.INT64:
        return cells.drop_nulls().head(1).to_list()
    low, high = cells.min(), cells.max()
    if not (isinstance(low, int) and isinstance(high, int)):
        return []
    # Integers that may lose digits as floats must all be looked at.
    is_small = low >= -EXACT_IN_FLOAT and high <= EXACT_IN_FLOAT
    return [low, high] if is_small else cells.to_list()
