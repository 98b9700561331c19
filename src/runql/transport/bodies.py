"""Bodies that do not pass through memory: a local file that an answer fills, and one that a request reads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from runql.errors import DigestMismatchError, LocalFileError

CHUNK = 1 << 18
"""Bytes read or written at once."""

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that have passed and those there are in all, None when the server does not say."""


class Sink:
    """A file that is filled beside its target and takes the target's place when it is complete.

    Until `finish` the target keeps what it held; `discard` leaves nothing behind. An attempt that broke off is resumed
    where the server can: it gave a strong ETag, and answers 206 from the asked byte on.

    Attributes:
        target: where the bytes shall lie; its folder is made when the first byte is due.
        accepted: whether the last answer was one that the sink takes (200, or 206 from where it stands).
        received: bytes that are here.
    """

    def __init__(
        self,
        target: Path,
        *,
        md5: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Args: ``md5`` in base64, ``size`` in bytes, both checked by `finish` where they are given."""
        self.target = target
        self.accepted = False
        self.received = 0
        self._part = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.part")
        self._md5 = md5
        self._size = size
        self._progress = progress
        self._total: int | None = None
        self._etag: str | None = None
        self._digest = hashlib.md5(usedforsecurity=False)
        self._file: BinaryIO | None = None

    def headers(self) -> dict[str, str]:
        """What the request for the missing bytes carries; unpacked bytes, so that offsets mean the same each time."""
        headers = {"Accept-Encoding": "identity"}
        if self.received and self._etag:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self._etag}
        return headers

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Look at an answer's head; True when its body belongs here."""
        span = headers.get("content-range", "")
        if status == 206 and self._file is not None and span.startswith(f"bytes {self.received}-"):
            self.accepted = True
        elif status == 200:
            self.restart()
            length = headers.get("content-length", "")
            self._total = int(length) if length.isdecimal() else self._size
            self.accepted = True
        else:
            self.accepted = False
            return False
        etag = headers.get("etag")
        self._etag = None if etag is None or etag.startswith("W/") else etag
        return True

    def restart(self) -> None:
        """Forget what arrived."""
        self.received = 0
        self._etag = None
        self._digest = hashlib.md5(usedforsecurity=False)
        try:
            if self._file is None:
                self.target.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._part.open("xb")
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise LocalFileError(f"cannot save to {self.target}", error) from error

    def write(self, chunk: bytes) -> None:
        """Append."""
        if self._file is None:
            raise TypeError("a sink is written to after an answer was accepted")
        try:
            self._file.write(chunk)
        except OSError as error:
            raise LocalFileError(f"cannot save to {self.target}", error) from error
        self._digest.update(chunk)
        self.received += len(chunk)

    def report(self) -> None:
        """Tell the caller how far it is."""
        if self._progress is not None:
            self._progress(self.received, self._total)

    def finish(self) -> None:
        """Check the bytes and move them into the target's place.

        Raises:
            DigestMismatchError: they are not what the server says the file holds.
            LocalFileError: the target cannot be replaced, or the last bytes could not be written.
        """
        found = base64.b64encode(self._digest.digest()).decode("ascii")
        if self._md5 and found != self._md5:
            raise DigestMismatchError(
                f"what arrived for {self.target.name} has the md5 {found}, the server says {self._md5}: "
                "the file was damaged on its way or replaced meanwhile; list the files again and repeat"
            )
        if self._size is not None and self.received != self._size:
            raise DigestMismatchError(
                f"{self.received} bytes arrived for {self.target.name}, the server says {self._size}: "
                "the answer was cut short or the file replaced meanwhile; list the files again and repeat"
            )
        try:
            if self._file is not None:
                self._file.close()
            os.replace(self._part, self.target)  # noqa: PTH105 - the same word for what it does on every system
        except OSError as error:
            raise LocalFileError(f"cannot save to {self.target}", error) from error
        self._file = None

    def discard(self) -> None:
        """Leave nothing behind; does nothing after `finish`."""
        if self._file is None:
            return
        file, self._file = self._file, None
        # What could not be flushed is thrown away here anyway.
        with contextlib.suppress(OSError):
            file.close()
        self._part.unlink(missing_ok=True)


class Source:
    """A file that is sent from its beginning, each time anew.

    Attributes:
        path: of the file.
        size: in bytes, when the source was made; no more are sent.
    """

    def __init__(self, path: Path, *, progress: Progress | None = None) -> None:
        """Raises LocalFileError when the file cannot be read."""
        self.path = path
        self._progress = progress
        try:
            with path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise LocalFileError(f"cannot read {path}", error) from error

    def chunks(self) -> Iterator[bytes]:
        """The bytes; those of a file that grows meanwhile end where it ended before."""
        left = self.size
        try:
            with self.path.open("rb") as file:
                while left and (chunk := file.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise LocalFileError(f"cannot read {self.path}", error) from error

    def report(self, sent: int) -> None:
        """Tell the caller how far it is."""
        if self._progress is not None:
            self._progress(sent, self.size)
