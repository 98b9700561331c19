"""A named, typed column, and how its pieces are joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from runql.frames.asked_types import AskedType, UnfitValueError
from runql.frames.batches import CHUNK_ROWS, RUN_ID, STEP, TIMES
from runql.frames.dtypes import DType, ScalarType, convert_values, escape_surrogates, infer, is_nested
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

if TYPE_CHECKING:
    import polars as pl

Cells: TypeAlias = "Sequence[JSONValue] | pl.Series"
"""The values of a column, or of a piece of one: Python values, or a polars series of one of `SERIES_TYPES`."""

SERIES_TYPES: Final = {
    "Boolean": ScalarType.BOOL,
    "Int64": ScalarType.INT64,
    "Float64": ScalarType.FLOAT64,
    "String": ScalarType.STRING,
}
"""The polars types whose values are exactly those of a `ScalarType`."""

_FIXED_TYPES: Final = {
    STEP: AskedType("Int64"),
    RUN_ID: AskedType("String"),
    **{name: AskedType("Float64") for name in TIMES},
}

NUMBERS: Final[frozenset[DType]] = frozenset({ScalarType.BOOL, ScalarType.INT64, ScalarType.FLOAT64})


@dataclass(frozen=True)
class Column:
    """One named column.

    Attributes:
        name: the metric's or field's name.
        dtype: the type that holds all values, see `runql.frames.dtypes.infer`.
        cells: one per row. Scalars have the type; lists and objects are as the server sent them, and `stored`
            converts them.
        asked: the dtype that the caller asked for; None where the type follows from the values.
    """

    name: str
    dtype: DType
    cells: Cells
    asked: AskedType | None = None

    @classmethod
    def inferred(cls, name: str, values: Sequence[JSONValue]) -> Self:
        """A column of the type that holds all of ``values``."""
        dtype = infer(values)
        return cls(
            escape_surrogates(name), dtype, values if is_nested(dtype) else convert_values(values, dtype)
        )

    @classmethod
    def joined(cls, name: str, pieces: Sequence[Piece], height: int) -> Self:
        """A column of ``height`` rows from its pieces; None between and after them."""
        dtype = _series_type([piece.cells for piece in pieces])
        if dtype is None:
            return cls.inferred(name, _values(pieces, height))
        return cls(escape_surrogates(name), dtype, _series(pieces, height, dtype))

    @classmethod
    def asked_for(cls, name: str, asked: AskedType, pieces: Sequence[Piece], height: int) -> Self:
        """As `joined`, of a type that the caller asked for.

        Raises:
            UnfitValueError: a value does not fit; its place counts all rows.
        """
        fitted: list[Piece] = []
        for piece in pieces:
            cells = piece.cells
            try:
                new = asked.convert(cells) if isinstance(cells, Sequence) else asked.convert_series(cells)
            except UnfitValueError as error:
                raise UnfitValueError(piece.start + error.place, error.value) from None
            fitted.append(Piece(piece.start, new))
        dtype = asked.stored
        has_series = any(not isinstance(piece.cells, Sequence) for piece in fitted)
        cells = _series(fitted, height, dtype) if has_series else _values(fitted, height)
        return cls(escape_surrogates(name), dtype, cells, asked)

    def settled(self, *, is_requested: bool = False) -> Column:
        """The column with the type that one of its name always has, where each value fits; see `fixed_type`.

        Without a value, a column that was requested by name has a default; see `requested_type`.
        """
        fixed = fixed_type(self.name)
        if fixed is not None and self.dtype in NUMBERS and self.dtype is not fixed.stored:
            if fixed.fits(self.cells):
                column = Column.asked_for(self.name, fixed, [Piece(0, self.cells)], len(self))
                return Column(self.name, column.dtype, column.cells)
        elif self.dtype is ScalarType.NULL and (is_requested or fixed is not None):
            return Column(self.name, requested_type(self.name, self.dtype), self.cells)
        return self

    @classmethod
    def typed(cls, name: str, dtype: DType, cells: Cells) -> Self:
        """A column of a type that is known to hold all of ``cells``."""
        if is_nested(dtype):
            return cls(escape_surrogates(name), dtype, as_values(cells))
        if not isinstance(cells, Sequence) and isinstance(dtype, ScalarType):
            found = SERIES_TYPES[str(cells.dtype)]
            if found is dtype:
                return cls(escape_surrogates(name), dtype, cells)
            if {found, dtype} <= NUMBERS:
                return cls(escape_surrogates(name), dtype, cells.cast(_polars_type(dtype)))
        return cls(escape_surrogates(name), dtype, convert_values(as_values(cells), dtype))

    @property
    def values(self) -> Sequence[JSONValue]:
        """One per row as Python values, None where missing; NaN is a value."""
        return as_values(self.cells)

    def stored(self) -> Sequence[JSONValue]:
        """The values as a typed library stores them: structs with every field, JSON as str."""
        return convert_values(self.values, self.dtype) if is_nested(self.dtype) else self.values

    def __len__(self) -> int:
        return len(self.cells)


def requested_type(name: str, found: DType) -> DType:
    """The type of a column that was requested by name: ``found``, or a default where no row has a value.

    The default of steps is an integer, of run ids a string, and of any other metric a float, as most metrics are.
    """
    if found is not ScalarType.NULL:
        return found
    fixed = fixed_type(name)
    return ScalarType.FLOAT64 if fixed is None else fixed.stored


def fixed_type(name: str) -> AskedType | None:
    """The type of a column that has the same one in every frame, unless a value does not fit; None for other columns.

    Steps are integers, times floats, although whole ones look like integers, and run ids strings.
    """
    return _FIXED_TYPES.get(name)


@dataclass(frozen=True)
class Piece:
    """Some rows of a column.

    Attributes:
        start: the first one's place among all rows.
        cells: one per row from there on.
    """

    start: int
    cells: Cells


def as_values(cells: Cells) -> Sequence[JSONValue]:
    """The cells as Python values; the same object where they already are."""
    return cells if isinstance(cells, Sequence) else cells.to_list()


def _series_type(pieces: Iterable[Cells]) -> ScalarType | None:
    """The type of a series that holds all pieces; None where it depends on the single values."""
    found: set[ScalarType] = set()
    has_series = False
    for cells in pieces:
        if isinstance(cells, Sequence):
            dtype = _plain_type(cells)
            if dtype is None:
                return None
        else:
            dtype, has_series = SERIES_TYPES[str(cells.dtype)], True
        found.add(dtype)
    found.discard(ScalarType.NULL)
    if not has_series:
        return None
    if len(found) == 1:
        return found.pop()
    if not found <= NUMBERS:
        return None
    return ScalarType.FLOAT64 if ScalarType.FLOAT64 in found else ScalarType.INT64


def _plain_type(values: Sequence[JSONValue]) -> ScalarType | None:
    """The type of Python values, where it does not depend on other pieces."""
    dtype = infer(values)
    if dtype in {ScalarType.NULL, ScalarType.BOOL, ScalarType.INT64}:
        return ScalarType(dtype)
    kinds = set(map(type, values))
    # Integers that only a float can hold may become strings together with others.
    if dtype is ScalarType.FLOAT64 and float in kinds:
        return dtype
    return dtype if dtype is ScalarType.STRING and kinds <= {str, type(None)} else None


def _values(pieces: Sequence[Piece], height: int) -> Sequence[JSONValue]:
    if len(pieces) == 1 and len(pieces[0].cells) == height:
        return as_values(pieces[0].cells)
    values: list[JSONValue] = []
    for piece in pieces:
        values.extend([None] * (piece.start - len(values)))
        values.extend(as_values(piece.cells))
    values.extend([None] * (height - len(values)))
    return values


def _series(pieces: Sequence[Piece], height: int, dtype: ScalarType) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - optional: a piece is a series of it, so it is installed

    target = _polars_type(dtype)
    parts: list[pl.Series] = []
    end = 0
    for piece in pieces:
        if piece.start > end:
            parts.append(pl.Series([None], dtype=target).new_from_index(0, piece.start - end))
        cells = piece.cells
        series = (
            pl.Series(convert_values(cells, dtype), dtype=target)
            if isinstance(cells, Sequence)
            else cells.cast(target)
        )
        parts.append(series)
        end = piece.start + len(series)
    if height > end:
        parts.append(pl.Series([None], dtype=target).new_from_index(0, height - end))
    return _in_large_chunks([part.alias("") for part in parts])


def _in_large_chunks(parts: Sequence[pl.Series]) -> pl.Series:
    """One series of all parts. Small parts are copied together, never all at once: that would double the memory."""
    import polars as pl  # noqa: PLC0415 - as above

    chunks: list[pl.Series] = []
    group: list[pl.Series] = []
    for part in parts:
        group.append(part)
        if sum(map(len, group)) >= CHUNK_ROWS:
            chunks.append(pl.concat(group, rechunk=True))
            group = []
    if group:
        chunks.append(pl.concat(group, rechunk=True))
    return pl.concat(chunks, rechunk=False)


def _polars_type(dtype: ScalarType) -> pl.DataType:
    import polars as pl  # noqa: PLC0415 - as above

    return {
        ScalarType.BOOL: pl.Boolean(),
        ScalarType.INT64: pl.Int64(),
        ScalarType.FLOAT64: pl.Float64(),
        ScalarType.STRING: pl.String(),
    }[dtype]
