"""A file of which only some parts are here; reading a part that was not fetched is an error."""

from __future__ import annotations

import errno
import io
import os
from bisect import bisect_left, bisect_right


class SparseFile(io.RawIOBase):
    """A readable file made of the parts that were fetched."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._starts: list[int] = []
        self._parts: list[bytes] = []
        self._position = 0

    def add(self, start: int, content: bytes) -> None:
        """Add a part; it may overlap others."""
        index = bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._parts.insert(index, content)

    def forget(self, stop: int) -> None:
        """Release the parts that begin before ``stop``."""
        kept = bisect_left(self._starts, stop)
        del self._starts[:kept], self._parts[:kept]

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The bytes between ``start`` and ``stop`` that are not here, as half-open ranges in order."""
        gaps: list[tuple[int, int]] = []
        while start < stop:
            end, _ = self._covered(start)
            if end <= start:
                following = bisect_right(self._starts, start)
                end = min(self._starts[following], stop) if following < len(self._starts) else stop
                gaps.append((start, end))
            start = end
        return gaps

    def filled(self) -> io.BytesIO:
        """The whole file, with zeros for the bytes that are not here: they take no memory until they are read."""
        filled = io.BytesIO(bytes(self.size))
        for start, content in zip(self._starts, self._parts, strict=True):
            filled.seek(start)
            filled.write(content)
        filled.seek(0)
        return filled

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes from the position on.

        Raises:
            OSError: they are not here.
        """
        start = min(self._position, self.size)
        stop = self.size if size < 0 else min(start + size, self.size)
        if start == stop:
            return b""
        pieces = self._pieces(start, stop)
        if pieces is None:
            raise OSError(errno.ENODATA, "this part of the file was not fetched")
        self._position = stop
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def _pieces(self, start: int, stop: int) -> list[bytes] | None:
        """These bytes in pieces from the parts; None when some are not here."""
        pieces: list[bytes] = []
        while start < stop:
            end, index = self._covered(start)
            if end <= start:
                return None
            offset = self._starts[index]
            pieces.append(self._parts[index][start - offset : min(end, stop) - offset])
            start = end
        return pieces

    def _covered(self, start: int) -> tuple[int, int]:
        """Where the part that reaches furthest from ``start`` ends, and its index."""
        ends = [
            (self._starts[index] + len(self._parts[index]), index)
            for index in range(bisect_right(self._starts, start))
        ]
        return max(ends, default=(start, 0))
