"""Values as they are stored in a run's summary and config: anything that has one obvious JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from enum import Enum
from typing import Final, Protocol, TypeGuard, runtime_checkable

from runql.arguments import shown
from runql.values import JSONValue

LARGEST_ARRAY: Final = 32
LARGEST_INT: Final = 10_000
"""Bits; Python itself writes and reads some 14,000."""


@runtime_checkable
class ArrayLike(Protocol):
    """What numpy's and torch's arrays and scalars have in common; no library is imported to know one."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> object: ...
    def tolist(self) -> object: ...


def to_json_value(value: object, place: str = "value") -> JSONValue:
    """The JSON form in which a value is stored.

    - numpy and torch scalars are Python's numbers; arrays of one element are that element, of up to 32 nested lists.
    - `date`, `time` and `datetime` are ISO 8601 texts, bytes are UTF-8 texts, an enum is its name.
    - tuples and sets are lists, a set's sorted by their JSON; functions and classes are their dotted names.
    - NaN and infinities stay what they are.

    Args:
        value: what was assigned.
        place: where it stands, for the error.

    Raises:
        TypeError: there is no such form, or an object's key is no text.
        ValueError: an array has more than 32 elements, bytes are no UTF-8, an int has thousands of digits, or an object
            holds itself.
    """
    try:
        return _stored(value, place)
    except RecursionError:
        raise ValueError(f"{place} holds itself, or is nested too deeply to be stored") from None


def to_json_object(values: Mapping[str, object], place: str) -> dict[str, JSONValue]:
    """The JSON form of a config, a summary or metadata; as `to_json_value`, which names its values by their keys."""
    return {_key(key, place): to_json_value(value, f"{place}[{key!r}]") for key, value in values.items()}


def _stored(value: object, place: str) -> JSONValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, ArrayLike):
        return _array(value, place)
    if isinstance(value, int):
        if value.bit_length() > LARGEST_INT:
            raise ValueError(f"{place} cannot be stored: the int has more digits than JSON readers take")
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
        f"{place} cannot be stored: {type(value).__name__} has no JSON form. Use numbers, texts, booleans, None, "
        "lists and dicts of them, arrays of up to 32 elements, dates, bytes, sets or enums"
    )


def _array(value: ArrayLike, place: str) -> JSONValue:
    shape = tuple(value.shape)
    size = math.prod(shape)
    if getattr(value.dtype, "kind", "") in {"M", "m"}:
        # Their numbers count from an epoch in a unit that would be lost.
        if shape or getattr(value.dtype, "kind", "") == "m":
            raise TypeError(
                f"{place} cannot be stored: turn dates and durations in arrays into texts or numbers"
            )
        return str(value)
    if size > LARGEST_ARRAY:
        raise ValueError(
            f"{place} has {size} elements, the summary takes {LARGEST_ARRAY}: the official SDK would put statistics "
            "there and the data into the file wandb.h5, which runql does not write. Store the numbers that matter "
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
        raise ValueError(f"{place} cannot be stored: the bytes are no UTF-8 ({error.reason})") from error


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place} cannot be stored: keys must be str, not {shown(key)}")
    return str(key)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(value, (list, tuple))


def _is_set(value: object) -> TypeGuard[AbstractSet[object]]:
    return isinstance(value, AbstractSet)


def replace_in_place(held: dict[str, JSONValue], stored: Mapping[str, JSONValue]) -> None:
    """Make what is held in memory what was stored, in place: an object inside that somebody holds stays the same one."""
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
