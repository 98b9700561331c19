"""Column types: how they are inferred from all values of a column, and how values are converted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import chain
from types import NoneType
from typing import Final, TypeAlias

from runql.quick_dataclasses import dataclass
from runql.values import JSONValue, dump_json

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
UINT64_MAX: Final = 2**64 - 1

EXACT_IN_FLOAT: Final = 2**53
"""A float holds every integer up to this one exactly."""

MAX_FIELDS: Final = 256
"""Objects with more distinct members than this are kept as JSON: a struct has a cell per member and row."""

MAX_DEPTH: Final = 24
"""Lists and objects nested deeper than this are kept as JSON."""


class ScalarType(Enum):
    """A column type without inner types."""

    NULL = "null"
    BOOL = "bool"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT64 = "float64"
    STRING = "string"
    TIMESTAMP = "timestamp"
    """Milliseconds since 1970, UTC, as integers."""
    JSON = "json"
    """Lists or objects that no typed column can hold: Python objects in pandas, JSON strings in polars and arrow."""


@dataclass(frozen=True)
class ListType:
    """Lists whose items share one type."""

    item: DType


@dataclass(frozen=True)
class StructType:
    """Objects; the union of their members in first-seen order, a missing one is null."""

    fields: tuple[tuple[str, DType], ...]


DType: TypeAlias = ScalarType | ListType | StructType

_NUMBERS: Final[frozenset[type]] = frozenset({bool, int, float})


def infer(values: Iterable[JSONValue], *, depth: int = 0) -> DType:
    """The type that holds every one of ``values`` without loss.

    ========================  =======================================================================
    only None                 NULL
    bool                      BOOL
    int, or int and bool      INT64; else UINT64; else FLOAT64 when each is exactly a float; else STRING
    float with int or bool    FLOAT64: integers beyond 2^53 round to the nearest float
    str                       STRING
    lists                     ListType of the type of all items
    objects                   StructType of the union of the members
    anything else             STRING: a str stays, any other value becomes its JSON, 7.0 as 7
    ========================  =======================================================================

    True and False count as 1 and 0 among numbers.
    """
    evidence = TypeEvidence(depth)
    evidence.add(values)
    return evidence.dtype()


class TypeEvidence:
    """Collects what the values of a column show of its type, piece by piece; see `infer`."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._kinds: set[type] = set()
        # Of the integers, booleans among them.
        self._low: int | None = None
        self._high: int | None = None
        self._are_floats = True
        self._items: TypeEvidence | None = None
        self._members: dict[str, TypeEvidence] = {}
        self._is_json = depth >= MAX_DEPTH

    def add(self, values: Iterable[JSONValue]) -> None:
        """Add values."""
        values = values if isinstance(values, list) else list(values)
        kinds = set(map(type, values)) - {NoneType}
        self._kinds |= kinds
        if kinds and self._kinds <= _NUMBERS:
            if kinds != {float}:
                self._add_integers([value for value in values if isinstance(value, int)])
        elif kinds == self._kinds == {list}:
            self._add_items(values)
        elif kinds == self._kinds == {dict}:
            self._add_members(values)

    def dtype(self) -> DType:
        """The type that holds all values so far without loss."""
        if not self._kinds:
            return ScalarType.NULL
        if self._kinds <= _NUMBERS:
            return self._number_type()
        if self._kinds == {list}:
            if self._is_json:
                return ScalarType.JSON
            return ListType(ScalarType.NULL if self._items is None else self._items.dtype())
        return self._struct_type() if self._kinds == {dict} else ScalarType.STRING

    def _number_type(self) -> ScalarType:
        if self._kinds == {bool}:
            return ScalarType.BOOL
        if self._low is None or self._high is None:
            return ScalarType.FLOAT64
        low, high = self._low, self._high
        if float in self._kinds:
            return ScalarType.FLOAT64 if _in_float_range(low, high) else ScalarType.STRING
        if low >= INT64_MIN and high <= INT64_MAX:
            return ScalarType.INT64
        if low >= 0 and high <= UINT64_MAX:
            return ScalarType.UINT64
        # Go writes the float 1e20 as 100000000000000000000: such integers are floats, and exactly so.
        return ScalarType.FLOAT64 if self._are_floats else ScalarType.STRING

    def _struct_type(self) -> DType:
        # A struct without fields looks like a missing one, so empty objects are JSON too.
        if self._is_json or not self._members:
            return ScalarType.JSON
        return StructType(tuple((key, member.dtype()) for key, member in self._members.items()))

    def _add_integers(self, integers: list[int]) -> None:
        low, high = min(integers), max(integers)
        self._widen(low, high)
        if self._are_floats and not (low >= -EXACT_IN_FLOAT and high <= EXACT_IN_FLOAT):
            in_range = _in_float_range(low, high)
            self._are_floats = in_range and all(int(float(value)) == value for value in integers)

    def _widen(self, low: int, high: int) -> None:
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)

    def _add_items(self, values: Iterable[JSONValue]) -> None:
        if self._is_json:
            return
        if self._items is None:
            self._items = TypeEvidence(self._depth + 1)
        lists = (value for value in values if isinstance(value, list))
        self._items.add(chain.from_iterable(lists))

    def _add_members(self, values: Iterable[JSONValue]) -> None:
        if self._is_json:
            return
        found: dict[str, list[JSONValue]] = {}
        for value in values:
            if isinstance(value, dict):
                for key, member in value.items():
                    found.setdefault(key, []).append(member)
        for key, members in found.items():
            self._members.setdefault(key, TypeEvidence(self._depth + 1)).add(members)
        names = {escape_surrogates(key) for key in self._members}
        if len(names) > MAX_FIELDS or len(names) < len(self._members):
            self._is_json, self._members = True, {}


def converter(dtype: DType) -> Callable[[JSONValue], JSONValue] | None:
    """The function that converts a value to ``dtype`` as polars and arrow store it; None where no value changes.

    None (missing) stays None, also inside lists and structs.
    """
    if isinstance(dtype, ListType):
        return _list_converter(dtype)
    if isinstance(dtype, StructType):
        return _struct_converter(dtype)
    return _SCALAR_CONVERTERS.get(dtype)


def convert_values(values: Sequence[JSONValue], dtype: DType) -> Sequence[JSONValue]:
    """The values as ``dtype`` stores them; the same object where nothing changes."""
    convert = converter(dtype)
    kinds = {*map(type, values), NoneType}
    if convert is None or kinds == {_STORED.get(dtype), NoneType}:
        return values
    if dtype is ScalarType.STRING and kinds == {str, NoneType} and _are_encodable(values):
        return values
    return [convert(value) for value in values]


def is_nested(dtype: DType) -> bool:
    """Whether the values are lists or objects."""
    return not isinstance(dtype, ScalarType) or dtype is ScalarType.JSON


def escape_surrogates(string: str) -> str:
    """The string with lone surrogates, which UTF-8 cannot encode, written as escapes."""
    if string.isascii():
        return string
    try:
        string.encode()
    except UnicodeEncodeError:
        return string.encode("utf-8", "backslashreplace").decode()
    return string


def _are_encodable(values: Sequence[JSONValue]) -> bool:
    # One long string is tested far faster than many short ones.
    try:
        "".join(value for value in values if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_string(value: JSONValue) -> str | None:
    """A str as it is, any other value as its JSON, None as None.

    A whole float below 2^53 is written as an integer: responses do not show whether 7 or 7.0 was logged, and the SDK
    itself writes 7.0 as 7.
    """
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_IN_FLOAT:
        whole = int(value)
        return "-0.0" if not whole and math.copysign(1, value) < 0 else str(whole)
    return escape_surrogates(value if isinstance(value, str) else dump_json(value, ensure_ascii=False))


def _in_float_range(low: int, high: int) -> bool:
    try:
        return float(low) <= float(high)
    except OverflowError:
        return False


def _as_float(value: JSONValue) -> JSONValue:
    return float(value) if isinstance(value, int) else value


def _as_int(value: JSONValue) -> JSONValue:
    return int(value) if isinstance(value, bool) else value


_SCALAR_CONVERTERS: Final[dict[ScalarType, Callable[[JSONValue], JSONValue]]] = {
    ScalarType.INT64: _as_int,
    ScalarType.UINT64: _as_int,
    ScalarType.FLOAT64: _as_float,
    ScalarType.STRING: as_string,
    ScalarType.JSON: as_string,
}

# Columns of one Python type, which are by far the most, need no conversion; a str may, see `escape_surrogates`.
_STORED: Final[dict[DType, type]] = {
    ScalarType.INT64: int,
    ScalarType.UINT64: int,
    ScalarType.FLOAT64: float,
}


def _list_converter(dtype: ListType) -> Callable[[JSONValue], JSONValue] | None:
    convert = converter(dtype.item)
    if convert is None:
        return None

    def convert_list(value: JSONValue) -> JSONValue:
        return [convert(item) for item in value] if isinstance(value, list) else None

    return convert_list


def _struct_converter(dtype: StructType) -> Callable[[JSONValue], JSONValue]:
    members = [(key, escape_surrogates(key), converter(member)) for key, member in dtype.fields]

    def convert_struct(value: JSONValue) -> JSONValue:
        if not isinstance(value, dict):
            return None
        return {
            name: value.get(key) if convert is None else convert(value.get(key))
            for key, name, convert in members
        }

    return convert_struct
