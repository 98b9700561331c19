"""A part of a file: the range that a request names, and what an answer says that it holds."""

from __future__ import annotations

from dataclasses import dataclass

from runql.transport.response_headers import content_range
from runql.transport.wire import Response


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Some bytes of a file.

    Attributes:
        start: the first; a negative one counts from the end, and the range is then the file's last bytes.
        stop: the one after the last; None for the end.
    """

    start: int
    stop: int | None = None

    @property
    def header(self) -> str:
        """The value of a request's `Range`."""
        if self.start < 0:
            return f"bytes={self.start}"
        return f"bytes={self.start}-{'' if self.stop is None else self.stop - 1}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes that arrived.

    Attributes:
        start: where they stand in the file.
        content: the bytes.
        size: of the whole file.
        etag: what the server calls this state of the file; empty when it does not say.
    """

    start: int
    content: bytes
    size: int
    etag: str = ""

    @property
    def stop(self) -> int:
        """Where they end."""
        return self.start + len(self.content)

    @property
    def is_whole(self) -> bool:
        """Whether they are the file."""
        return len(self.content) == self.size


def read_part(wanted: ByteRange, response: Response) -> FilePart | None:
    """What an answer to a request for a range holds: that range, or the whole file; None for anything else."""
    content, etag = response.content, response.headers.get("etag", "")
    if response.status == 200:
        return FilePart(0, content, len(content), etag)
    found = content_range(response.headers)
    if response.status != 206 or found is None or found.size is None:
        return None
    start = max(0, found.size + wanted.start) if wanted.start < 0 else wanted.start
    stop = found.size if wanted.stop is None else min(wanted.stop, found.size)
    if (found.start, found.stop) != (start, stop) or len(content) != stop - start:
        return None
    return FilePart(start, content, found.size, etag)
