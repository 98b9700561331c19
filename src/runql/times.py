"""Times that the server sends as str, as aware datetimes in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, overload

from runql.errors import UnreadableValueError

_ZONE_NAME: Final = re.compile(r"(?P<time>.{11,}?)[ \[]*(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*)\]?\Z")
_LONGEST_DATE: Final = len("2026-01-31")


def parse_time(value: str) -> datetime:
    """Parse an ISO 8601 time: in UTC, without a zone it is UTC, and digits beyond microseconds are dropped.

    Raises:
        ValueError: it is no time.
    """
    found = datetime.fromisoformat(value)
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it is out of range in UTC") from error


@overload
def as_time(value: str, what: str) -> datetime: ...


@overload
def as_time(value: str | None, what: str) -> datetime | None: ...


def as_time(value: str | None, what: str) -> datetime | None:
    """Return a time of the server in UTC; None where it sent none.

    Args:
        value: the str that the server sent.
        what: the attribute that holds it, and its record, for the error.

    Raises:
        UnreadableValueError: the str is no time, or names an unknown time zone.
    """
    if value is None:
        return None
    # A date alone is refused: nothing says which moment of the day is meant.
    try:
        return parse_time(value if len(value) > _LONGEST_DATE else "a date alone")
    except ValueError as error:
        raise UnreadableValueError(
            f"the server sent {value[:80]!r} as {what}: {_reason(value)}; the attribute itself returns the str"
        ) from error


def _reason(value: str) -> str:
    named = _ZONE_NAME.match(value)
    if named is not None:
        try:
            parse_time(named["time"])
        except ValueError:
            pass
        else:
            return (
                f"the time zone {named['zone'][:40]!r} is unknown, only Z and offsets such as +02:00 are read"
            )
    return "this is no ISO 8601 time such as 2026-01-31T12:00:00Z"
