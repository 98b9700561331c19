"""Parts of a file: the range that a request asks for, and the bytes that a response holds."""

from __future__ import annotations

from runql.quick_dataclasses import dataclass
from runql.transport.response_headers import content_range
from runql.transport.wire import Response


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes to ask for.

    Attributes:
        start: offset of the first byte; ``-n`` asks for the file's last n bytes.
        stop: offset after the last byte; None for the end of the file.
    """

    start: int
    stop: int | None = None

    @property
    def header(self) -> str:
        """The value of a request's `Range` header."""
        if self.start < 0:
            return f"bytes={self.start}"
        return f"bytes={self.start}-{'' if self.stop is None else self.stop - 1}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file, as received.

    Attributes:
        start: offset of the first byte in the file.
        content: the bytes.
        size: bytes of the whole file.
        etag: the file's ETag; empty when the server sends none.
    """

    start: int
    content: bytes
    size: int
    etag: str = ""

    @property
    def stop(self) -> int:
        """Offset after the last byte."""
        return self.start + len(self.content)

    @property
    def is_whole(self) -> bool:
        """Whether the part is the whole file."""
        return len(self.content) == self.size


def range_size(header: str) -> int | None:
    """Return how many bytes a `ByteRange.header` asks for at most; None for all from an offset."""
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not last:
        return None
    return int(last) - int(first) + 1 if first else int(last)


def read_part(wanted: ByteRange, response: Response) -> FilePart | None:
    """Return the wanted range, or the whole file, from a response; None when it holds anything else."""
    content, etag = response.content, response.headers.get("etag", "")
    if response.status == 200:
        return FilePart(0, content, len(content), etag)
    found = content_range(response.headers)
    if response.status != 206 or found is None or found.size is None:
        return None
    start = max(0, found.size + wanted.start) if wanted.start < 0 else wanted.start
    stop = found.size if wanted.stop is None else min(wanted.stop, found.size)
    is_whole = (found.start, found.stop) == (0, found.size)
    if not is_whole and (found.start, found.stop) != (start, stop):
        return None
    return (
        FilePart(found.start, content, found.size, etag) if len(content) == found.stop - found.start else None
    )
