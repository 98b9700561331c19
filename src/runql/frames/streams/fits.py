"""Which values a column takes without another type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runql.frames.columns import SERIES_TYPES, Cells, as_values, fixed_type
from runql.frames.dtypes import (
    INT64_MAX,
    INT64_MIN,
    UINT64_MAX,
    DType,
    ListType,
    ScalarType,
    StructType,
    infer,
)
from runql.values import JSONValue

_WIDER: Final[dict[ScalarType, frozenset[ScalarType]]] = {
    ScalarType.BOOL: frozenset(ScalarType) - {ScalarType.NULL, ScalarType.JSON},
    ScalarType.INT64: frozenset({ScalarType.FLOAT64, ScalarType.STRING}),
    ScalarType.FLOAT64: frozenset({ScalarType.STRING}),
}
"""The types that hold each value of another type."""


def unfit_place(name: str, dtype: DType, cells: Cells) -> int | None:
    """Return the place of the first cell that would change the type of the column; None where there is none."""
    fixed = fixed_type(name)
    if fixed is not None and fixed.stored is dtype and fixed.fits(cells):
        return None
    if not isinstance(cells, Sequence):
        found = SERIES_TYPES[str(cells.dtype)]
        if found is dtype or cells.null_count() == len(cells):
            return None
        if isinstance(dtype, ScalarType) and dtype in _WIDER.get(found, ()):
            return None
    for place, value in enumerate(as_values(cells)):
        if value is not None and not holds(dtype, value):
            return place
    return None


def holds(dtype: DType, value: JSONValue) -> bool:
    """Whether a column of this type keeps it when this value joins; see `runql.frames.dtypes.infer`."""
    if value is None:
        return True
    if isinstance(dtype, ListType):
        return isinstance(value, list) and all(holds(dtype.item, item) for item in value)
    if isinstance(dtype, StructType):
        members = dict(dtype.fields)
        return isinstance(value, dict) and all(
            key in members and holds(members[key], each) for key, each in value.items()
        )
    match dtype:
        case ScalarType.STRING:
            return True
        case ScalarType.JSON:
            return isinstance(value, list | dict)
        case ScalarType.BOOL:
            return isinstance(value, bool)
        case ScalarType.INT64:
            return isinstance(value, int) and INT64_MIN <= value <= INT64_MAX
        case ScalarType.UINT64:
            return isinstance(value, int) and 0 <= value <= UINT64_MAX
        case ScalarType.FLOAT64:
            return isinstance(value, int | float) and infer([value, 0.5]) is ScalarType.FLOAT64
        case ScalarType.NULL | ScalarType.TIMESTAMP:
            return False
