"""Converts tables to pandas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runql.errors import FrameValueError, MissingExtraError
from runql.frames.asked_types import AskedType
from runql.frames.batches import RUN_ID
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

    A column that a schema names has the dtype of pandas or numpy that it gives. A dtype of Python, polars or Arrow is
    boolean, a nullable integer such as Int64, float64 or float32, or object for str, with or without missing values.

    Raises:
        MissingExtraError: pandas is not installed.
        FrameValueError: a value is missing, and the schema asks for a numpy dtype without missing values.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional: nothing but this call needs it
    except ImportError as error:
        raise MissingExtraError("pandas", extra="pandas", needed_for="a pandas frame") from error
    series = {
        name: _series(column) if column.asked is None else _asked_series(column, column.asked, table)
        for name, column in table.columns.items()
    }
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


def _asked_series(column: Column, asked: AskedType, table: Table) -> pd.Series[Any]:  # Any: as above
    import pandas as pd  # noqa: PLC0415 - as above
    from pandas.api.types import pandas_dtype  # noqa: PLC0415 - as above

    cells = column.cells
    name = asked.name
    is_numpy = asked.source == "numpy"
    if not isinstance(cells, Sequence) and name == "Float64" and asked.source != "pandas":
        return pd.Series(cells.fill_null(math.nan).to_numpy())
    values = as_values(cells)
    if is_numpy and None in values and not name.startswith("Float"):
        runs = table.columns.get(RUN_ID)
        run = table.run if runs is None else str(as_values(runs.cells)[values.index(None)])
        raise FrameValueError(run, column.name, None, asked.label)
    if asked.source == "pandas":
        dtype: object = vars(asked.given)["name"] if isinstance(asked.given, type) else asked.given
    elif is_numpy or name.startswith("Float"):
        dtype = "bool" if name == "Boolean" else name.lower()
    else:
        dtype = {"Boolean": "boolean", "String": "object"}.get(name, name)
    return pd.Series(list(values), dtype=pandas_dtype(dtype))


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
