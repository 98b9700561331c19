"""Converts tables to polars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runql.errors import MissingExtraError
from runql.frames.asked_types import AskedType, DTypeName
from runql.frames.columns import Column
from runql.frames.dtypes import DType, ListType, ScalarType, StructType, escape_surrogates
from runql.frames.table import Table

if TYPE_CHECKING:
    import polars as pl


def to_polars(table: Table) -> pl.DataFrame:
    """A polars frame, its columns in the table's order, with the dtypes of the table.

    Missing values are null, NaN is a float. Objects are structs of the union of their fields, where a missing field is
    null; objects without fields, or with too many, are JSON strings.

    Raises:
        MissingExtraError: polars is not installed.
    """
    try:
        import polars as pl  # noqa: PLC0415 - optional: nothing but this call needs it
    except ImportError as error:
        raise MissingExtraError("polars", extra="polars", needed_for="a polars frame") from error
    # A dict of series, not a list: polars would rename a series whose name is empty.
    return pl.DataFrame({name: _series(name, column) for name, column in table.columns.items()})


def _series(name: str, column: Column) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - as above

    if isinstance(column.cells, pl.Series):
        cells = column.cells
    else:
        cells = pl.Series(name, column.stored(), dtype=_dtype(column.dtype), strict=True)
    return cells if column.asked is None else cells.cast(asked_dtype(column.asked))


def asked_dtype(asked: AskedType) -> pl.DataType:
    """Return the dtype of polars for one that was asked for."""
    import polars as pl  # noqa: PLC0415 - as above

    known: dict[DTypeName, pl.DataType] = {
        "Boolean": pl.Boolean(),
        "Int8": pl.Int8(),
        "Int16": pl.Int16(),
        "Int32": pl.Int32(),
        "Int64": pl.Int64(),
        "UInt8": pl.UInt8(),
        "UInt16": pl.UInt16(),
        "UInt32": pl.UInt32(),
        "UInt64": pl.UInt64(),
        "Float32": pl.Float32(),
        "Float64": pl.Float64(),
        "String": pl.String(),
    }
    return known[asked.name]


def _dtype(dtype: DType) -> pl.DataType:
    import polars as pl  # noqa: PLC0415 - as above

    if isinstance(dtype, ListType):
        return pl.List(_dtype(dtype.item))
    if isinstance(dtype, StructType):
        return pl.Struct([pl.Field(escape_surrogates(name), _dtype(member)) for name, member in dtype.fields])
    match dtype:
        case ScalarType.NULL:
            return pl.Null()
        case ScalarType.BOOL:
            return pl.Boolean()
        case ScalarType.INT64:
            return pl.Int64()
        case ScalarType.UINT64:
            return pl.UInt64()
        case ScalarType.FLOAT64:
            return pl.Float64()
        case ScalarType.TIMESTAMP:
            return pl.Datetime("ms", "UTC")
        case ScalarType.STRING | ScalarType.JSON:
            return pl.String()
