"""Points in time as the server writes them: ISO 8601 text in UTC, whole seconds, no zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d\d)?")


def now() -> datetime:
    """The present moment, zone-aware."""
    return datetime.now(UTC)


def to_string(moment: datetime) -> str:
    """Write a moment the way the real server does: ``2023-11-05T17:46:35``; a naive one is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S")


def comparable(text: str) -> str:
    """Bring a date from a filter to the stored form, with a fraction if it has one; raises ``ValueError``.

    It may be any ISO 8601 date or time, with a ``T`` or a space, or a year or month alone, which mean their first
    moment. Without a zone it is UTC.
    """
    written = text.strip().upper()
    if _YEAR_OR_MONTH.fullmatch(written):
        written = f"{written}-01-01"[:10]
    try:
        moment = datetime.fromisoformat(written)
        utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
    # As texts, a moment with a fraction comes behind the same whole second and before the next one.
    return utc.replace(tzinfo=None).isoformat()
