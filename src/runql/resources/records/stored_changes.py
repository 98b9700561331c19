"""Comparing what a mutation sent with what the server stored."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from runql.errors import IncompleteUpdateError, RunqlError, UnreadableValueError
from runql.transport.flow import Flow
from runql.values import SPELLED_FLOATS, JSONValue

REASON: Final = (
    "the server's response has other values (some servers merge what they should replace, so that deleted keys "
    "come back). Memory now has the server's values"
)


def is_same_json(one: Mapping[str, JSONValue], other: Mapping[str, JSONValue]) -> bool:
    """Whether two objects are the same JSON: NaN equals NaN, 1 is neither 1.0 nor true, and keys have no order."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def unstored_paths(name: str, before: JSONValue, sent: JSONValue, stored: JSONValue) -> list[str]:
    """Return the paths where the stored value differs from the one sent, as dotted names that begin with ``name``.

    A stored key that was not sent counts if ``before`` has it, because it should be gone; another client wrote the
    others. Numbers are compared by value, and NaN may be stored as null or a str.
    """
    if not (isinstance(sent, dict) and isinstance(stored, dict)):
        return [] if _is_same(sent, stored) else [name]
    known = before if isinstance(before, dict) else {}
    found = [f"{name}.{key}" for key in known if key in stored and key not in sent]
    for key, value in sent.items():
        if key in stored:
            found += unstored_paths(f"{name}.{key}", known.get(key), value, stored[key])
        else:
            found.append(f"{name}.{key}")
    return found


def compare_stored_json(
    name: str,
    parse: Callable[[str | None], dict[str, JSONValue]],
    before: str | None,
    sent: str,
    stored: str | None,
) -> tuple[str, list[str]]:
    """Return the JSON string that the server stores now, and where it differs from the one sent; see `unstored_paths`.

    A response without it counts as equal. One that cannot be parsed counts as different, and the sent string stays.
    """
    if stored is None:
        return sent, []
    try:
        found = parse(stored)
    except UnreadableValueError:
        return sent, [name]
    return stored, unstored_paths(name, parse(before), parse(sent), found)


def missing_names(kind: str, sent: Iterable[str] | None, stored: Iterable[str]) -> list[str]:
    """Return the sent names that the server did not store, each with its kind, such as ``alias best``."""
    there = set(stored)
    return [f"{kind} {name}" for name in sent or () if name not in there]


def write_in_order(
    subject: str, steps: Sequence[tuple[str, Flow[None]]], unstored: Callable[[], list[str]] = list
) -> Flow[None]:
    """Run writes one after the other, up to the first that fails.

    Args:
        subject: the changed object, such as ``artifact e/p/a:v0``.
        steps: the writes, each with its name.
        unstored: what an earlier write did not store; called if a later one fails.

    Raises:
        IncompleteUpdateError: a later write fails. The error lists the writes that were done and those that were not.
    """
    written: list[str] = []
    for name, step in steps:
        try:
            yield from step
        except RunqlError as error:
            if not written:
                raise
            failed = [*unstored(), *(each for each, _ in steps if each not in written)]
            raise IncompleteUpdateError(subject, written, failed, str(error)) from error
        written.append(name)


def incomplete_update(subject: str, sent: Sequence[str], failed: Sequence[str]) -> IncompleteUpdateError:
    """Return the error for a mutation that the server accepted but did not store completely.

    Args:
        subject: the changed object, such as ``run e/p/r``.
        sent: the fields that were sent.
        failed: those that differ; see `unstored_paths`.
    """
    return IncompleteUpdateError(subject, [name for name in sent if name not in failed], failed, REASON)


def _is_same(sent: JSONValue, stored: JSONValue) -> bool:
    if isinstance(sent, dict) and isinstance(stored, dict):
        return sent.keys() == stored.keys() and all(_is_same(sent[key], stored[key]) for key in sent)
    if isinstance(sent, list) and isinstance(stored, list):
        return len(sent) == len(stored) and all(map(_is_same, sent, stored))
    if isinstance(sent, float) and not math.isfinite(sent):
        return stored is None or stored in SPELLED_FLOATS or _is_float_of(sent, stored)
    return sent == stored


def _is_float_of(sent: float, stored: JSONValue) -> bool:
    return isinstance(stored, float) and (stored == sent or (math.isnan(stored) and math.isnan(sent)))
