"""Points in time as the server writes them: ISO 8601 text in UTC, whole seconds, no zone."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, zone-aware."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Write a moment the way the real server does: ``2023-11-05T17:46:35``; a naive one is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S")


def comparable(text: str) -> str:
    """Bring a text from a filter to the stored form if it names a zone; leave any other text alone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is None else to_text(moment)
