"""Converts tables to pandas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runql.errors import MissingExtraError
from runql.frames.columns import Column, as_values
from runql.frames.dtypes import EXACT_IN_FLOAT, DType, ScalarType
from runql.frames.table import Table
from runql.values import JSONValue

if TYPE_CHECKING:
    import pandas as pd

PandasDtype: TypeAlias = Literal[
    "bool", "boolean", "int64", "Int64", "uint64", "UInt64", "float64", "datetime64[ms, UTC]", "object"
]


def to_pandas(table: Table) -> pd.DataFrame:
    """A pandas frame, its columns in the table's order over a plain 0, 1, 2, … index.

    ==================  =================================================================================
    int                 int64 or uint64; with missing values float64 (NaN) while every integer is exact
                        there (up to 2^53), else Int64 or UInt64
    float, all missing  float64; a missing value and NaN are both NaN
    bool                bool; with missing values boolean
    time                datetime64[ms, UTC]; NaT where missing
    str                 object with None where missing, the same under pandas 2 and 3
    lists, objects      object: Python lists and dicts, as the server sent them
    ==================  =================================================================================

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional: nothing but this call needs it
    except ImportError as error:
        raise MissingExtraError("pandas", extra="pandas", needed_for="a pandas frame") from error
    series = {name: _series(column) for name, column in table.columns.items()}
    return pd.DataFrame(series, index=pd.RangeIndex(table.height))


def _series(column: Column) -> pd.Series[Any]:  # Any: what a column holds is known at run time only
    import pandas as pd  # noqa: PLC0415 - as above

    cells = column.cells
    if not isinstance(cells, Sequence) and column.dtype is ScalarType.FLOAT64:
        return pd.Series(cells.fill_null(math.nan).to_numpy())
    if not isinstance(cells, Sequence) and column.dtype is ScalarType.INT64 and not cells.null_count():
        return pd.Series(cells.to_numpy())
    values = as_values(cells)
    return pd.Series(list(values), dtype=_dtype(column.dtype, values))


def _dtype(dtype: DType, values: Sequence[JSONValue]) -> PandasDtype:
    match dtype:
        case ScalarType.NULL | ScalarType.FLOAT64:
            return "float64"
        case ScalarType.BOOL:
            return "boolean" if None in values else "bool"
        case ScalarType.INT64:
            return _int64_dtype(values)
        case ScalarType.TIMESTAMP:
            return "datetime64[ms, UTC]"
        case ScalarType.UINT64:
            return "UInt64" if None in values else "uint64"
        case _:
            return "object"


def _int64_dtype(values: Sequence[JSONValue]) -> PandasDtype:
    if None not in values:
        return "int64"
    integers = [value for value in values if isinstance(value, int)]
    is_exact = not integers or (min(integers) >= -EXACT_IN_FLOAT and max(integers) <= EXACT_IN_FLOAT)
    return "float64" if is_exact else "Int64"
