"""One schema over rows that are read piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runql.frames.asked_types import NO_SCHEMA, FrameSchema
from runql.frames.batches import RUN_ID
from runql.frames.columns import NUMBERS, SERIES_TYPES, Cells, Column, Piece, fixed_type, requested_type
from runql.frames.dtypes import EXACT_IN_FLOAT, DType, ScalarType, TypeEvidence
from runql.frames.table import ColumnOrder, Table, asked_column

if TYPE_CHECKING:
    import polars as pl


class UnifiedColumns:
    """The union of the columns of all pieces, each of the type that holds every value.

    First `see` each piece, then convert each with `table`. The types are those that `TableBuilder` would infer over all
    rows, but only one piece at a time has to be in memory.
    """

    def __init__(
        self,
        leading: Sequence[str],
        requested: Sequence[str] = (),
        schema: FrameSchema = NO_SCHEMA,
        order: ColumnOrder = "sorted",
    ) -> None:
        """Begin with the columns that always exist: the leading ones first, the requested ones among the others."""
        self._leading = leading
        self._requested = (*requested, *schema.types)
        self._schema = schema
        self._order = order
        self._seen: dict[str, None] = {}
        # Names of columns that have no type of their own here, because a value does not fit.
        self._unfixed: set[str] = set()
        self._evidence: dict[str, TypeEvidence] = {}

    def see(self, columns: Mapping[str, Cells]) -> None:
        """Add the columns and types of a piece."""
        self._seen.update(dict.fromkeys(columns))
        for name, cells in columns.items():
            if name in self._schema.types:
                continue
            fixed = fixed_type(name)
            if fixed is not None and not fixed.fits(cells):
                self._unfixed.add(name)
            evidence = self._evidence.setdefault(name, TypeEvidence())
            evidence.add(cells if isinstance(cells, Sequence) else _decisive_values(cells))

    def dtypes(self) -> dict[str, DType]:
        """The type of each column: the leading ones, then the others by name or as they were seen."""
        others = dict.fromkeys((*self._seen, *self._requested))
        names = dict.fromkeys((*self._leading, *(sorted(others) if self._order == "sorted" else others)))
        typed = {*self._leading, *self._requested}
        return {name: self._dtype(name, is_requested=name in typed) for name in names}

    def _dtype(self, name: str, *, is_requested: bool) -> DType:
        asked = self._schema.types.get(name)
        if asked is not None:
            return asked.stored
        found = self._evidence.get(name, TypeEvidence()).dtype()
        fixed = fixed_type(name)
        if fixed is not None and name not in self._unfixed and found in NUMBERS:
            return fixed.stored
        return requested_type(name, found) if is_requested or fixed is not None else found

    def table(self, dtypes: Mapping[str, DType], columns: Mapping[str, Cells], height: int) -> Table:
        """A piece as a table with all columns of ``dtypes``.

        Raises:
            FrameValueError: a value does not fit the schema.
        """
        return Table.from_columns(
            self._column(name, dtype, columns, height) for name, dtype in dtypes.items()
        )

    def _column(self, name: str, dtype: DType, columns: Mapping[str, Cells], height: int) -> Column:
        asked = self._schema.types.get(name)
        pieces = {found: [Piece(0, columns[found])] for found in (name, RUN_ID) if found in columns}
        if asked is not None:
            labels = pieces.get(RUN_ID, [])
            return asked_column(name, asked, pieces.get(name, []), height, self._schema, labels)
        cells = columns.get(name, [None] * height)
        fixed = fixed_type(name)
        if fixed is not None and fixed.stored is dtype:
            column = Column.asked_for(name, fixed, [Piece(0, cells)], height)
            return Column(column.name, column.dtype, column.cells)
        return Column.typed(name, dtype, cells)


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
