"""What a server stored, compared with what it was asked to store: the response to a mutation says both."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from runql.errors import IncompleteUpdateError, UnreadableValueError
from runql.values import SPELLED_FLOATS, JSONValue

REASON: Final = (
    "the server's response holds other values (some servers merge what they should replace, so that deleted keys "
    "come back). What is in memory now is what the server holds"
)


def is_same_json(one: Mapping[str, JSONValue], other: Mapping[str, JSONValue]) -> bool:
    """Whether two objects are the same JSON: NaN equals NaN, 1 is neither 1.0 nor true, and keys have no order."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def unmet(name: str, before: JSONValue, asked: JSONValue, stored: JSONValue) -> list[str]:
    """Where the stored value is not the asked one, as dotted names that begin with ``name``.

    A key that was not asked for counts when it is one of ``before``, so that it was to be deleted; any other was
    written by somebody else meanwhile. Numbers are compared by value, and NaN may be stored as null or a str.
    """
    if not (isinstance(asked, dict) and isinstance(stored, dict)):
        return [] if _is_same(asked, stored) else [name]
    known = before if isinstance(before, dict) else {}
    found = [f"{name}.{key}" for key in known if key in stored and key not in asked]
    for key, value in asked.items():
        if key in stored:
            found += unmet(f"{name}.{key}", known.get(key), value, stored[key])
        else:
            found.append(f"{name}.{key}")
    return found


def unmet_text(
    name: str,
    parse: Callable[[str | None], dict[str, JSONValue]],
    before: str | None,
    asked: str,
    stored: str | None,
) -> tuple[str, list[str]]:
    """The JSON text that the server holds now, and where it is not the asked one, see `unmet`.

    A response that does not hold it is taken for agreement. One that cannot be read is not, and cannot be taken over.
    """
    if stored is None:
        return asked, []
    try:
        found = parse(stored)
    except UnreadableValueError:
        return asked, [name]
    return stored, unmet(name, parse(before), parse(asked), found)


def unmet_names(kind: str, asked: Iterable[str] | None, stored: Iterable[str]) -> list[str]:
    """The asked names that are not there, each with its kind, such as ``alias best``."""
    there = set(stored)
    return [f"{kind} {name}" for name in asked or () if name not in there]


def incomplete(subject: str, asked: Sequence[str], failed: Sequence[str]) -> IncompleteUpdateError:
    """The error for a mutation that was accepted, and did not store everything.

    Args:
        subject: what was changed, such as ``run e/p/r``.
        asked: the fields that were sent.
        failed: see `unmet`.
    """
    return IncompleteUpdateError(subject, [name for name in asked if name not in failed], failed, REASON)


def _is_same(asked: JSONValue, stored: JSONValue) -> bool:
    if isinstance(asked, dict) and isinstance(stored, dict):
        return asked.keys() == stored.keys() and all(_is_same(asked[key], stored[key]) for key in asked)
    if isinstance(asked, list) and isinstance(stored, list):
        return len(asked) == len(stored) and all(map(_is_same, asked, stored))
    if isinstance(asked, float) and not math.isfinite(asked):
        return stored is None or stored in SPELLED_FLOATS or _is_float_of(asked, stored)
    return asked == stored


def _is_float_of(asked: float, stored: JSONValue) -> bool:
    return isinstance(stored, float) and (stored == asked or (math.isnan(stored) and math.isnan(asked)))
