"""Lenient JSON: accepts and keeps what the SDK writes (bare NaN and Infinity, big integers, control characters)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from runql_server.errors import RequestError

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
JsonObject: TypeAlias = dict[str, JsonValue]
JsonInput: TypeAlias = "None | bool | int | float | str | Sequence[JsonInput] | Mapping[str, JsonInput]"

_decoder = json.JSONDecoder(strict=False)
_decode = _decoder.decode
_begin = _decoder.raw_decode


def _plain(value: object) -> object:
    """Return a mapping or sequence that `json` does not know as a dict or list."""
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of any types
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of any type
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def parse(text: str, *, what: str) -> JsonValue:
    """Decode a JSON string; ``what`` names it in the error."""
    try:
        # `decode` looks for white space around the value, which takes longer than a number itself.
        value: JsonValue
        value, end = _begin(text)
        return value if end == len(text) else _decode(text)
    except (ValueError, RecursionError):
        pass
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{what} is not valid JSON: {error}") from error
    return value


def parse_object(text: str, *, what: str) -> JsonObject:
    """Decode a JSON string that must hold an object."""
    value = parse(text, what=what)
    if not isinstance(value, dict):
        raise RequestError(f"{what} must be a JSON object, not {_encode(value)[:80]}")
    return value


def dump(value: object) -> str:
    """Encode compactly. Floats keep their bits; NaN and the infinities become bare tokens."""
    return _encode(value)


def to_strict(value: JsonValue) -> JsonValue:
    """Replace NaN and the infinities by strings, because strict parsers refuse bare tokens."""
    if isinstance(value, dict):
        return {key: to_strict(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_strict(member) for member in value]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def merge(before: JsonValue, after: JsonValue) -> JsonValue:
    """Merge two values: objects member by member, recursively; otherwise the newer value wins."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    return before | {name: merge(before.get(name), member) for name, member in after.items()}


def pick(document: JsonObject, keys: list[str] | None) -> JsonObject:
    """Keep the requested members, or all when ``keys`` is None; a dotted name may be a nested path."""
    if keys is None:
        return document
    found = ((key, lookup(document, key)) for key in keys)
    return {key: hit[0] for key, hit in found if hit is not None}


def lookup(document: JsonObject, key: str) -> tuple[JsonValue] | None:
    """Find a member by its literal name, else by its dotted path; a 1-tuple, because the value may be null."""
    if key in document:
        return (document[key],)
    head, dot, rest = key.partition(".")
    while dot:
        nested = document.get(head)
        if isinstance(nested, dict):
            hit = lookup(nested, rest)
            if hit is not None:
                return hit
        part, dot, rest = rest.partition(".")
        head = f"{head}.{part}"
    return None
