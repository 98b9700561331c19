"""One schema over rows that are read piece by piece, and each piece brought to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runql.frames.columns import SERIES_TYPES, Cells, Column, requested_type
from runql.frames.dtypes import EXACT_IN_FLOAT, DType, Evidence, ScalarType
from runql.frames.table import Table

if TYPE_CHECKING:
    import polars as pl


class UnifiedColumns:
    """The union of the columns of all pieces, each of the type that holds every value.

    First `see` every piece, then `table` brings each to the same columns. The types are those that `TableBuilder` would
    give all rows, but no more than one piece has to be in memory at any time.
    """

    def __init__(self, leading: Sequence[str], requested: Sequence[str] = ()) -> None:
        """Begin with columns that always exist: the leading ones come first, the requested ones among the others."""
        self._leading = leading
        self._requested = requested
        self._evidence: dict[str, Evidence] = {}

    def see(self, columns: Mapping[str, Cells]) -> None:
        """Take a piece into account."""
        for name, cells in columns.items():
            evidence = self._evidence.setdefault(name, Evidence())
            evidence.add(cells if isinstance(cells, Sequence) else _telling(cells))

    def dtypes(self) -> dict[str, DType]:
        """The type of each column: the leading ones, then the others by name."""
        names = dict.fromkeys((*self._leading, *sorted({*self._requested, *self._evidence})))
        typed = {*self._leading, *self._requested}
        found = {name: self._evidence.get(name, Evidence()).dtype() for name in names}
        return {
            name: requested_type(name, dtype) if name in typed else dtype for name, dtype in found.items()
        }

    @staticmethod
    def table(dtypes: Mapping[str, DType], columns: Mapping[str, Cells], height: int) -> Table:
        """A piece as a table of the columns that `dtypes` names."""
        return Table.from_columns(
            Column.typed(name, dtype, columns.get(name, [None] * height)) for name, dtype in dtypes.items()
        )


def _telling(cells: pl.Series) -> list[int | float | str | bool | None]:
    """Those values of a series that tell as much of its type as all of them."""
    dtype = SERIES_TYPES[str(cells.dtype)]
    if dtype is not ScalarType.INT64:
        return cells.drop_nulls().head(1).to_list()
    low, high = cells.min(), cells.max()
    if not (isinstance(low, int) and isinstance(high, int)):
        return []
    # Where integers may lose digits as floats, each of them counts.
    is_small = low >= -EXACT_IN_FLOAT and high <= EXACT_IN_FLOAT
    return [low, high] if is_small else cells.to_list()
