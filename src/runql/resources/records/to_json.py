"""The JSON form of Python values, for summary, config and metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time
from enum import Enum
from typing import Final, Protocol, TypeGuard, runtime_checkable

from runql.arguments import shown
from runql.values import JSONValue

MAX_ARRAY_SIZE: Final = 32
MAX_INT_BITS: Final = 10_000
"""Python itself writes and reads ints of about 14,000 bits."""


@runtime_checkable
class ArrayLike(Protocol):
    """Arrays and scalars of numpy and torch, which this module need not import."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> object: ...
    def tolist(self) -> object: ...


def to_json_value(value: object, place: str = "value") -> JSONValue:
    """Convert a value to JSON values.

    - Scalars of numpy and torch become Python numbers. An array of one element becomes that element, one of up to 32
      nested lists.
    - `date`, `time` and `datetime` become ISO 8601 strings, bytes become a UTF-8 string, an enum becomes its name.
    - Tuples, other sequences and sets become lists, sets in the order of their JSON. Functions and classes become their dotted names.
    - NaN and infinities stay floats.

    Args:
        value: the value.
        place: names it in the error.

    Raises:
        TypeError: the value has no JSON form, or a key is not a str.
        ValueError: an array has more than 32 elements, bytes are not UTF-8, an int has thousands of digits, or an object
            contains itself.
    """
    try:
        return _stored(value, place)
    except RecursionError:
        raise ValueError(f"{place} contains itself, or is nested too deeply to be stored") from None


def to_json_object(values: Mapping[str, object], place: str) -> dict[str, JSONValue]:
    """Convert a config, a summary or metadata to JSON values; see `to_json_value`."""
    return {_key(key, place): to_json_value(value, f"{place}[{key!r}]") for key, value in values.items()}


def _stored(value: object, place: str) -> JSONValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, ArrayLike):
        return _array(value, place)
    if isinstance(value, int):
        if value.bit_length() > MAX_INT_BITS:
            raise ValueError(f"{place} cannot be stored: the int has more digits than JSON parsers accept")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return _decoded(value, place)
    if isinstance(value, (date, time)):
        return value.isoformat()
    return _collected(value, place)


def _collected(value: object, place: str) -> JSONValue:
    if _is_mapping(value):
        return {_key(key, place): _stored(entry, f"{place}[{key!r}]") for key, entry in value.items()}
    if _is_sequence(value):
        return [_stored(entry, f"{place}[{index}]") for index, entry in enumerate(value)]
    if _is_set(value):
        return sorted((_stored(entry, place) for entry in value), key=json.dumps)
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return f"{value.__module__}.{name}"
    raise TypeError(
        f"{place} cannot be stored: {type(value).__name__} has no JSON form. Use numbers, strings, booleans, None, "
        "lists and dicts of them, arrays of up to 32 elements, dates, bytes, sets or enums"
    )


def _array(value: ArrayLike, place: str) -> JSONValue:
    shape = tuple(value.shape)
    size = math.prod(shape)
    if getattr(value.dtype, "kind", "") in {"M", "m"}:
        # Their numbers count from an epoch, in a unit that JSON would lose.
        if shape or getattr(value.dtype, "kind", "") == "m":
            raise TypeError(
                f"{place} cannot be stored: convert dates and durations in arrays to strings or numbers"
            )
        return str(value)
    if size > MAX_ARRAY_SIZE:
        raise ValueError(
            f"{place} has {size} elements, but the summary allows {MAX_ARRAY_SIZE}: the official SDK would store statistics "
            "there and the data in the file wandb.h5, which runql does not write. Store the numbers that matter "
            "(mean, percentiles), or log the array as an artifact"
        )
    plain = value.tolist()
    if isinstance(plain, ArrayLike):
        raise TypeError(f"{place} cannot be stored: {value.dtype} has no form in Python, convert it first")
    if size == 1:
        for _ in shape:
            plain = next(iter(plain)) if _is_sequence(plain) else plain
    return _stored(plain, place)


def _decoded(value: bytes | bytearray, place: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} cannot be stored: the bytes are not UTF-8 ({error.reason})") from error


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place} cannot be stored: keys must be str, not {shown(key)}")
    return str(key)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    # A list of runs is a sequence and an iterator: reading it would send requests, and no run is JSON.
    return isinstance(value, Sequence) and not isinstance(value, Iterator)


def _is_set(value: object) -> TypeGuard[AbstractSet[object]]:
    return isinstance(value, AbstractSet)


def replace_in_place(held: dict[str, JSONValue], stored: Mapping[str, JSONValue]) -> None:
    """Replace the values of a dict by those that the server stored; dicts and lists inside keep their identity."""
    for key in held.keys() - stored.keys():
        del held[key]
    for key, value in stored.items():
        held[key] = _settled(held.get(key), value)


def _settled(held: JSONValue, stored: JSONValue) -> JSONValue:
    if isinstance(held, dict) and isinstance(stored, dict):
        replace_in_place(held, stored)
        return held
    if isinstance(held, list) and isinstance(stored, list) and len(held) == len(stored):
        held[:] = [_settled(*pair) for pair in zip(held, stored, strict=True)]
        return held
    return stored
