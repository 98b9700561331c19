"""Bodies that do not pass through memory: a local file that an answer fills, and one that a request reads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from runql.errors import DigestMismatchError, LocalFileError
from runql.transport.part_file import PartFile
from runql.transport.response_headers import content_range, is_encoded

CHUNK = 1 << 18
"""Bytes of a local file that are read at once."""

BUFFER_SIZE = 1 << 20
"""Bytes of an answer that are held before they are written and hashed: many threads that do a little each wait for each other."""

SMALL_WRITE = 1 << 16
"""Fewer bytes than these are written without a thread of their own."""

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that have passed and those there are in all, None when the server does not say."""


class Hash(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def digest(self) -> bytes:
        """What was made of all of them."""
        ...


def new_md5() -> Hash:
    """The hash that the server tells files by; it protects from damage, not from an attacker."""
    return hashlib.md5(usedforsecurity=False)


class Sink:
    """A file that is filled beside its target and takes the target's place when it is complete.

    Until `finish` the target keeps what it held; `discard` leaves nothing behind. An attempt that broke off is resumed
    where the server can: it gave a strong ETag, and answers 206 with all the bytes from the asked one on.

    Attributes:
        target: where the bytes shall lie; its folder is made when the first byte is written.
        accepted: whether the last answer was one that the sink takes (200, or 206 from where it stands).
        received: bytes that are here.
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
        """Say what the bytes must be, and where they go.

        Args:
            target: the file.
            digest: in base64, checked by `finish`.
            size: in bytes, checked by `finish`.
            etag: what the answer must call the bytes, without quotes; checked before the first is written.
            progress: told of bytes that have passed.
            new_hash: makes what ``digest`` was made with.
        """
        self.target = target
        self.accepted = False
        self.received = 0
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
        """What the request for the missing bytes carries; unpacked bytes, so that offsets mean the same each time."""
        headers = {"Accept-Encoding": "identity"}
        if self.received and self._etag:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self._etag}
        return headers

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Look at an answer's head; True when its body belongs here."""
        if status == 200:
            etag, length = headers.get("etag", ""), headers.get("content-length", "")
            self._check_etag(etag)
            self.restart()
            # Of a body that is packed all the same, length and offsets count other bytes than those that are kept.
            if not is_encoded(headers):
                self._total = int(length) if length.isdecimal() else None
                # One that is not ASCII cannot be sent back.
                self._etag = None if etag.startswith("W/") or not etag.isascii() else etag or None
        self.accepted = status == 200 or (status == 206 and self._continues(headers))
        return self.accepted

    def restart(self) -> None:
        """Forget what arrived."""
        self.received = self._held_size = 0
        self._held.clear()
        self._total = None
        self._etag = None
        self._digest = self._new_hash()
        if self._part is not None:
            with self._saving():
                self._part.restart()

    @property
    def is_full(self) -> bool:
        """Whether more is held than should be: `flush` is due."""
        return self._held_size > BUFFER_SIZE

    @property
    def is_nearly_empty(self) -> bool:
        """Whether little is left to be written and hashed."""
        return self._held_size < SMALL_WRITE

    def take(self, chunk: bytes) -> None:
        """Append; in memory, until `flush`."""
        self._held.append(chunk)
        self._held_size += len(chunk)
        self.received += len(chunk)

    def flush(self) -> None:
        """Write and hash what was taken.

        Raises:
            LocalFileError: the disk did not take it.
        """
        chunk = b"".join(self._held)
        self._held.clear()
        self._held_size = 0
        with self._saving():
            self._opened().write(chunk)
        if self._expected:
            self._digest.update(chunk)

    def report(self) -> None:
        """Tell the caller how far it is."""
        if self._progress is not None:
            self._progress(self.received, self._size if self._total is None else self._total)

    def finish(self) -> None:
        """Check the bytes and move them into the target's place.

        Raises:
            DigestMismatchError: they are not what the server says the file holds.
            LocalFileError: the target cannot be replaced, or the last bytes could not be written.
        """
        if not self.accepted:
            raise TypeError("a sink is finished after an answer was accepted")
        self.flush()
        found = base64.b64encode(self._digest.digest()).decode("ascii")
        if self._expected and found != self._expected:
            raise DigestMismatchError(
                f"what arrived for {self.target.name} has the digest {found}, the server says {self._expected}: "
                "the file was damaged on its way or replaced meanwhile; list the files again and repeat"
            )
        expected = self._total if self._size is None else self._size
        if expected is not None and self.received != expected:
            raise DigestMismatchError(
                f"{self.received} bytes arrived for {self.target.name}, the server says {expected}: "
                "the answer was cut short or the file replaced meanwhile; list the files again and repeat"
            )
        with self._saving():
            self._opened().publish()
        self._part = None
        self._total = self.received
        self.report()

    def discard(self) -> None:
        """Leave nothing behind; does nothing after `finish`."""
        if self._part is not None:
            self._part.discard()
            self._part = None

    def _opened(self) -> PartFile:
        if self._part is None:
            self._part = PartFile(self.target)
        return self._part

    def _check_etag(self, etag: str) -> None:
        if self._expected_etag is not None and etag.strip('"') != self._expected_etag:
            raise DigestMismatchError(
                f"what lies at the address of {self.target.name} is now called {etag or 'nothing'}, "
                f"not {self._expected_etag}: it was replaced since it was noted"
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
    """A file that is sent from its beginning, each time anew.

    Attributes:
        path: of the file.
        size: in bytes, when the source was made; no more are sent.
        progress: told of bytes that have passed, None when nobody listens.
    """

    def __init__(self, path: Path, *, progress: Progress | None = None) -> None:
        """Raises LocalFileError when the file cannot be read."""
        self.path = path
        self.progress = progress
        try:
            with path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise LocalFileError(f"cannot read {path}", error) from error

    def chunks(self) -> Iterator[bytes]:
        """The bytes; those of a file that grows meanwhile end where it ended before.

        Raises:
            LocalFileError: it cannot be read, or not as far as it reached before.
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
        """Tell the caller how far it is."""
        if self.progress is not None:
            self.progress(sent, self.size)
