"""What the headers of a response say: which bytes its body holds, how they are encoded, and the request's id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from runql.quick_dataclasses import dataclass

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)

_UNPRINTABLE: Final = re.compile(r"[^!-~]")

LONGEST_ID: Final = 80
"""Characters of a request's id; others are left out."""

REQUEST_IDS: Final = ("x-request-id", "x-amz-request-id", "x-guploader-uploadid", "cf-ray")
"""The headers that hold a request's id: of the server, of the storages, and of the proxy before the server."""


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


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request, in printable ASCII; None where it sends none."""
    for name in REQUEST_IDS:
        if found := _UNPRINTABLE.sub("?", headers.get(name, "").strip())[:LONGEST_ID]:
            return found
    return None
