"""Bodies that are files: a local file that a response fills, and one that a request sends."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import NoReturn, Protocol, TypeAlias

from runql.errors import DigestMismatchError, LocalFileError
from runql.escaping import MOST_IN_DETAIL, one_line
from runql.transport.files.part_file import PartFile
from runql.transport.response_headers import content_range, is_encoded

CHUNK = 1 << 18
"""Bytes that one read of a local file takes."""

BUFFER_SIZE = 1 << 20
"""Bytes of a response that are buffered before they are written and hashed; small writes make threads wait for each other."""

LARGE_WRITE = 1 << 19
"""Bytes of a piece, on average, from which on the pieces of the buffer are written one after the other."""

SMALL_WRITE = 1 << 16
"""Fewer bytes than these are written without a thread hop."""

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes transferred so far and their total, which is None when the server does not say."""


class Hash(Protocol):
    """A hash object of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """Return the digest of all bytes added so far."""
        ...


def new_md5() -> Hash:
    """Return an MD5 hash, which the server uses for files; it protects from damage, not from an attacker."""
    return hashlib.md5(usedforsecurity=False)


class Sink:
    """A temporary file that a response fills, and that replaces its target when it is complete.

    Until `finish` the target stays as it was; `discard` removes the temporary file. A download that broke off is
    resumed where the server gave a strong ETag and answers with 206 and all remaining bytes.

    Attributes:
        target: path of the file; its folder is created when the first byte is written.
        accepted: whether the last response was one that the sink takes (200, or 206 from ``received`` on).
        received: bytes received so far.
    """

    def __init__(
        self,
        target: Path,
        *,
        digest: str | None = None,
        size: int | None = None,
        etag: str | None = None,
        progress: Progress | None = None,
        new_hash: Callable[[], Hash] = new_md5,
    ) -> None:
        """Prepare a download; nothing is created yet.

        Args:
            target: path of the file.
            digest: expected digest in base64, checked by `finish`.
            size: expected bytes, checked by `finish`.
            etag: expected ETag without quotes, checked before the first byte is written.
            progress: called as bytes arrive.
            new_hash: creates the hash of ``digest``.
        """
        self.target = target
        self.accepted: bool = False
        self.received: int = 0
        self._expected = digest
        self._size = size
        self._expected_etag = etag
        self._progress = progress
        self._total: int | None = None
        self._etag: str | None = None
        self._new_hash = new_hash
        self._digest = new_hash()
        self._held: list[bytes] = []
        self._held_size = 0
        self._part: PartFile | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of the request for the missing bytes; they refuse encodings, so that offsets keep their meaning."""
        headers = {"Accept-Encoding": "identity"}
        if self.received and self._etag:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self._etag}
        return headers

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Read a response's status and headers, and return whether its body belongs in this sink."""
        if status == 200:
            etag, length = headers.get("etag", ""), headers.get("content-length", "")
            self._check_etag(etag)
            self.restart()
            # A server may encode the body all the same: its length and offsets then count other bytes.
            if not is_encoded(headers):
                self._total = int(length) if length.isdecimal() else None
                # An ETag that is not ASCII cannot be sent back.
                self._etag = None if etag.startswith("W/") or not etag.isascii() else etag or None
        self.accepted = status == 200 or (status == 206 and self._continues(headers))
        return self.accepted

    def restart(self) -> None:
        """Forget the bytes received so far."""
        self.received = self._held_size = 0
        self._held.clear()
        self._total = None
        self._etag = None
        self._digest = self._new_hash()
        if self._part is not None:
            with self._saving():
                self._part.restart()

    @property
    def has_size(self) -> bool:
        """Whether the size of the whole file is known, so that `take` refuses more bytes."""
        return self._size is not None or self._total is not None

    @property
    def is_full(self) -> bool:
        """Whether the buffer is full, so that `flush` is due."""
        return self._held_size > BUFFER_SIZE

    @property
    def is_nearly_empty(self) -> bool:
        """Whether few bytes are left to be written and hashed."""
        return self._held_size < SMALL_WRITE

    def take(self, chunk: bytes) -> None:
        """Append bytes to the buffer.

        Raises:
            DigestMismatchError: there are more than the file has; the rest is not read.
        """
        self._held.append(chunk)
        self._held_size += len(chunk)
        self.received += len(chunk)
        if self._size is not None and self.received > self._size:
            self._raise_other_size(self._size)

    def flush(self) -> None:
        """Write and hash the buffer.

        Raises:
            LocalFileError: the file cannot be written.
        """
        # Large pieces need no copy. Of small ones each write would let another thread run.
        is_large = self._held_size >= LARGE_WRITE * len(self._held)
        chunks = self._held if is_large else [b"".join(self._held)]
        self._held, self._held_size = [], 0
        for chunk in chunks:
            with self._saving():
                self._opened().write(chunk)
            if self._expected:
                self._digest.update(chunk)

    def report(self) -> None:
        """Call the caller's progress function."""
        if self._progress is not None:
            self._progress(self.received, self._size if self._total is None else self._total)

    def finish(self) -> None:
        """Check the bytes and replace the target with them.

        Raises:
            DigestMismatchError: the bytes are not those that the server announced.
            LocalFileError: the last bytes or the target cannot be written.
        """
        if not self.accepted:
            raise TypeError("finish() needs a response that the sink has accepted")
        self.flush()
        found = base64.b64encode(self._digest.digest()).decode("ascii")
        if self._expected and found != self._expected:
            raise DigestMismatchError(
                f"the bytes received for {self.target.name} have the digest {found}, the server says "
                f"{self._expected}: the file was damaged in transit or replaced during the download; "
                "list the files again and repeat"
            )
        expected = self._total if self._size is None else self._size
        if expected is not None and self.received != expected:
            self._raise_other_size(expected)
        with self._saving():
            self._opened().publish()
        self._part = None
        self._total = self.received
        self.report()

    def discard(self) -> None:
        """Remove the temporary file; does nothing after `finish`."""
        self._held.clear()
        if self._part is not None:
            self._part.discard()
            self._part = None

    def _opened(self) -> PartFile:
        if self._part is None:
            self._part = PartFile(self.target)
        return self._part

    def _raise_other_size(self, expected: int) -> NoReturn:
        raise DigestMismatchError(
            f"{self.received} bytes were received for {self.target.name}, the server says {expected}: "
            "the response was cut short or the file replaced during the download; "
            "list the files again and repeat"
        )

    def _check_etag(self, etag: str) -> None:
        if self._expected_etag is not None and etag.strip('"') != self._expected_etag:
            raise DigestMismatchError(
                f"the ETag of {self.target.name} is now {one_line(etag, MOST_IN_DETAIL) or 'missing'}, not {self._expected_etag}: "
                "the file was replaced since the artifact recorded it"
            )

    def _continues(self, headers: Mapping[str, str]) -> bool:
        found = content_range(headers)
        if not self.received or found is None:
            return False
        total = found.stop if found.size is None else found.size
        whole_rest = found.start == self.received and found.stop == total
        same_file = headers.get("etag", self._etag) == self._etag and self._total in {None, total}
        return whole_rest and same_file

    @contextlib.contextmanager
    def _saving(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise LocalFileError(f"cannot save to {self.target}", error) from error


class Source:
    """A local file that a request sends; each attempt starts at its first byte.

    Attributes:
        path: path of the file.
        size: bytes of the file when the source was made; later bytes are not sent.
        progress: called as bytes are sent, or None.
    """

    def __init__(self, path: Path, *, progress: Progress | None = None) -> None:
        """Raises LocalFileError when the file cannot be read."""
        self.path = path
        self.progress = progress
        try:
            with path.open("rb") as file:
                self.size: int = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise LocalFileError(f"cannot read {path}", error) from error

    def chunks(self) -> Generator[bytes]:
        """Yield the file's first ``size`` bytes.

        Raises:
            LocalFileError: the file cannot be read, or has become shorter.
        """
        left = self.size
        try:
            with self.path.open("rb") as file:
                while left and (chunk := file.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise LocalFileError(f"cannot read {self.path}", error) from error
        if left:
            raise LocalFileError(
                f"cannot send {self.path}", OSError("it became shorter while it was being sent")
            )

    def report(self, sent: int) -> None:
        """Call the caller's progress function."""
        if self.progress is not None:
            self.progress(sent, self.size)
