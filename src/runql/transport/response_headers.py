"""Which bytes of a file a response's body holds, and whether they are encoded, by its headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The part of a file that a body holds.

    Attributes:
        start: offset of its first byte.
        stop: offset after its last byte.
        size: bytes of the whole file; None when the server does not say.
    """

    start: int
    stop: int
    size: int | None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the body is compressed, so that lengths and offsets count other bytes than those of the file."""
    return headers.get("content-encoding", "identity") != "identity"


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Return the part of the file that the body holds; None where the headers give none or the body is encoded."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if found is None or is_encoded(headers):
        return None
    first, last, size = found.groups()
    return ContentRange(int(first), int(last) + 1, None if size == "*" else int(size))
