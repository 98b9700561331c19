"""Converts tables to Apache Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runql.errors import MissingExtraError
from runql.frames.asked_types import AskedType, DTypeName
from runql.frames.columns import Column
from runql.frames.dtypes import DType, ListType, ScalarType, StructType, escape_surrogates
from runql.frames.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


def to_arrow(table: Table) -> pa.Table:
    """An Arrow table, its columns in the table's order; types and nulls as in `runql.frames.to_polars`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional: nothing but this call needs it
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="arrow", needed_for="an Arrow table") from error
    columns = table.columns.values()
    schema = pa.schema([pa.field(column.name, _column_dtype(column)) for column in columns])
    return pa.Table.from_arrays([_array(column) for column in columns], schema=schema)


def _array(column: Column) -> pa.Array[Any]:  # Any: what it holds is known at run time only
    import pyarrow as pa  # noqa: PLC0415 - as above

    dtype = _column_dtype(column)
    if isinstance(column.cells, Sequence):
        return pa.array(column.stored(), type=dtype, from_pandas=False)
    # Float32 rounds, which a safe cast accepts; every other value was checked.
    return column.cells.to_arrow().cast(dtype)


def _column_dtype(column: Column) -> pa.DataType:
    return _dtype(column.dtype) if column.asked is None else _asked_dtype(column.asked)


def _asked_dtype(asked: AskedType) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415 - as above

    if isinstance(asked.given, pa.DataType):
        return asked.given
    known: dict[DTypeName, pa.DataType] = {
        "Boolean": pa.bool_(),
        "Int8": pa.int8(),
        "Int16": pa.int16(),
        "Int32": pa.int32(),
        "Int64": pa.int64(),
        "UInt8": pa.uint8(),
        "UInt16": pa.uint16(),
        "UInt32": pa.uint32(),
        "UInt64": pa.uint64(),
        "Float32": pa.float32(),
        "Float64": pa.float64(),
        "String": pa.string(),
    }
    return known[asked.name]


def _dtype(dtype: DType) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415 - as above

    if isinstance(dtype, ListType):
        return pa.list_(_dtype(dtype.item))
    if isinstance(dtype, StructType):
        return pa.struct([pa.field(escape_surrogates(name), _dtype(member)) for name, member in dtype.fields])
    match dtype:
        case ScalarType.NULL:
            return pa.null()
        case ScalarType.BOOL:
            return pa.bool_()
        case ScalarType.INT64:
            return pa.int64()
        case ScalarType.UINT64:
            return pa.uint64()
        case ScalarType.FLOAT64:
            return pa.float64()
        case ScalarType.TIMESTAMP:
            return pa.timestamp("ms", "UTC")
        case ScalarType.STRING | ScalarType.JSON:
            return pa.string()
