"""Reads typed fields of decoded messages; a missing one has protobuf's default."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from runql_server.offline.messages import Plain, Written

_SECOND: Final = 10**9
_LATEST: Final = 253_402_300_799.0
"""The end of the year 9999."""

Fields = dict[str, Plain]


def text(fields: Fields, name: str) -> str:
    """Return a string, or an empty one."""
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""


def whole(fields: Fields, name: str) -> int:
    """Return a whole number, or 0."""
    value = fields.get(name, 0)
    return value if isinstance(value, int) else 0


def flag(fields: Fields, name: str) -> bool:
    """Return a truth value, or False."""
    return fields.get(name) is True


def inner(fields: Fields, name: str) -> Fields:
    """Return a message, or an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def strings(fields: Fields, name: str) -> list[str]:
    """Return a list of strings."""
    value = fields.get(name)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def messages(fields: Fields, name: str) -> list[Fields]:
    """Return a list of messages."""
    value = fields.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def items(fields: Fields, name: str) -> list[Written]:
    """Return a list of keys with their values."""
    value = fields.get(name)
    return [each for each in value if isinstance(each, Written)] if isinstance(value, list) else []


def nanoseconds(fields: Fields, name: str) -> int | None:
    """Return a time as nanoseconds since 1970, or None; a float of this size would lose the last digits."""
    time = inner(fields, name)
    return whole(time, "seconds") * _SECOND + whole(time, "nanos") if time else None


def seconds(fields: Fields, name: str) -> float | None:
    """Return a time as seconds since 1970, or None."""
    time = nanoseconds(fields, name)
    return None if time is None else time / _SECOND


def moment(time: float) -> datetime:
    """Return seconds since 1970 as a time; one that no calendar has becomes the nearest that it has."""
    return datetime.fromtimestamp(0.0 if math.isnan(time) else min(max(time, 0.0), _LATEST), UTC)
