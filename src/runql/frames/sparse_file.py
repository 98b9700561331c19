"""A file of which only some parts are here: reading what was not fetched is an error, never zeros."""

from __future__ import annotations

import errno
import io
import os
from bisect import bisect_right


class SparseFile(io.RawIOBase):
    """Parts of a file, to be read like the file."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._starts: list[int] = []
        self._parts: list[bytes] = []
        self._position = 0

    def add(self, start: int, content: bytes) -> None:
        """Take in a part; it may overlap what is here."""
        index = bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._parts.insert(index, content)

    def holds(self, start: int, stop: int) -> bool:
        """Whether one part has all of these bytes."""
        return self._find(start, stop) is not None

    def read(self, size: int = -1, /) -> bytes:
        """Bytes from the position on; raises OSError when they are not here."""
        start = min(self._position, self.size)
        stop = self.size if size < 0 else min(start + size, self.size)
        if start == stop:
            return b""
        index = self._find(start, stop)
        if index is None:
            raise OSError(errno.ENODATA, "this part of the file was not fetched")
        self._position = stop
        offset = self._starts[index]
        return self._parts[index][start - offset : stop - offset]

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """The position can be moved."""
        return True

    def _find(self, start: int, stop: int) -> int | None:
        for index in range(bisect_right(self._starts, start) - 1, -1, -1):
            if stop <= self._starts[index] + len(self._parts[index]):
                return index
        return None
