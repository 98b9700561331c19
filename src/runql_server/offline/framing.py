"""The framing of a `.wandb` file: LevelDB's log format behind W&B's header, read record by record."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, NoReturn, Self

from runql_server.offline.errors import OfflineFileError

BLOCK: Final = 32 * 1024
HEADER: Final = struct.Struct("<4sHB")
"""The file begins with a name, a magic number and a version."""
NAME, MAGIC, VERSION = b":W&B", 0xBEE1, 0
CHUNK_HEADER: Final = struct.Struct("<IHB")
"""A chunk begins with its checksum, its length and its kind."""
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
LARGEST_RECORD: Final = 2**30
"""The SDK refuses to make a record of 2 GiB; chunks of more than this are a damaged file's."""

End = Literal["whole", "cut", "damaged"]


@dataclass(frozen=True)
class Stop:
    """Why reading stopped, and at which byte.

    ``whole``: the file ends after a record. ``cut``: it ends inside one. ``damaged``: the bytes there are no record.
    """

    end: End
    offset: int
    problem: str = ""


class RecordFile:
    """The records of one file, as bytes, from an offset on; memory holds one record.

    `read` yields what is whole. After it `stop` says why it ended; a later `read` continues there, so a file that
    another process still writes can be followed. The file is opened for reading only.
    """

    def __init__(self, path: Path, *, offset: int = 0) -> None:
        self._path = path
        self.offset: int = offset
        self.stop: Stop = Stop("whole", offset)

    def read(self) -> Iterator[bytes]:
        """Yield the whole records from the current offset on.

        Raises:
            OfflineFileError: there is no such file, or it is none of W&B's.
        """
        try:
            with self._path.open("rb") as file:
                if self.offset == 0 and not self._skip_header(file):
                    return
                yield from _Chunks(file, self)
        except OSError as error:
            raise OfflineFileError(self._path, f"cannot be read: {error.strerror or error}") from error

    def _skip_header(self, file: BinaryIO) -> bool:
        header = file.read(HEADER.size)
        whole = HEADER.pack(NAME, MAGIC, VERSION)
        if len(header) < HEADER.size and whole.startswith(header):
            self.stop = Stop("cut", 0, "it ends before the first record")
            return False
        if header[:4] != NAME or header[4:6] != whole[4:6]:
            raise OfflineFileError(
                self._path, "is no .wandb file: it does not begin with ':W&B' and W&B's number"
            )
        if header != whole:
            raise OfflineFileError(
                self._path,
                f"has version {header[6]} of the .wandb format; runql reads version {VERSION}: update runql",
            )
        self.offset = HEADER.size
        return True


class _Chunks:
    """One pass over an open file; moves the offset of its `RecordFile` behind each whole record."""

    def __init__(self, file: BinaryIO, target: RecordFile) -> None:
        self._file = file
        self._target = target
        self._at = target.offset

    def __iter__(self) -> Self:
        self._file.seek(self._at)
        return self

    def __next__(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            found = self._chunk()
            if isinstance(found, Stop):
                ended = found.end == "whole" and parts
                self._end(Stop("cut", self._at, "the file ends inside a record") if ended else found)
            kind, data, start = found
            if (kind in (FULL, FIRST)) == bool(parts):
                self._end(Stop("damaged", start, f"a chunk of kind {kind} is out of order"))
            parts.append(data)
            size += len(data)
            if size > LARGEST_RECORD:
                self._end(Stop("damaged", start, f"a record has more than {LARGEST_RECORD} bytes"))
            if kind in (FULL, LAST):
                self._target.offset = self._at
                return b"".join(parts)

    def _end(self, stop: Stop) -> NoReturn:
        self._target.stop = stop
        raise StopIteration

    def _chunk(self) -> tuple[int, bytes, int] | Stop:
        left = BLOCK - self._at % BLOCK
        if left < CHUNK_HEADER.size:
            padding = self._file.read(left)
            if padding.strip(b"\0"):
                return Stop("damaged", self._at, "the rest of a block is not empty")
            if len(padding) < left:
                return Stop("whole", self._at)
            self._at += left
            left = BLOCK
        start = self._at
        header = self._file.read(CHUNK_HEADER.size)
        if len(header) < CHUNK_HEADER.size:
            return Stop("cut", start, "the file ends inside a record") if header else Stop("whole", start)
        checksum, length, kind = CHUNK_HEADER.unpack(header)
        if not FULL <= kind <= LAST:
            return Stop("damaged", start, f"there is no chunk of kind {kind}")
        if length > left - CHUNK_HEADER.size:
            return Stop("damaged", start, f"a chunk of {length} bytes does not fit its block")
        data = self._file.read(length)
        if len(data) < length:
            return Stop("cut", start, "the file ends inside a record")
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            return Stop("damaged", start, "a checksum is wrong")
        self._at = start + CHUNK_HEADER.size + length
        return kind, data, start
