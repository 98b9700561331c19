"""Timestamps in the server's form: ISO 8601 strings in UTC, whole seconds, no zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d\d)?")


def now() -> datetime:
    """Return the current time, zone-aware."""
    return datetime.now(UTC)


def to_string(moment: datetime) -> str:
    """Format a datetime as the real server does, ``2023-11-05T17:46:35``; a naive one counts as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S")


def comparable(text: str) -> str:
    """Convert a date from a filter to the stored form; a fraction of a second is kept.

    Accepts any ISO 8601 date or time, with a ``T`` or a space. A year or month alone means its first moment. A value
    without a zone counts as UTC.

    Raises:
        ValueError: the string is no date, or out of range.
    """
    written = text.strip().upper()
    if _YEAR_OR_MONTH.fullmatch(written):
        written = f"{written}-01-01"[:10]
    try:
        moment = datetime.fromisoformat(written)
        utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    # Compared as strings, a time with a fraction sorts after its whole second and before the next one.
    return utc.replace(tzinfo=None).isoformat()
