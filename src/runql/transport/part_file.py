"""A file that is written beside its target and then moved into its place, whatever happens to the process."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import sys
import time
from pathlib import Path
from typing import BinaryIO

MAX_TRIES = 100
DAY = 24 * 60 * 60.0


class PartFile:
    """The bytes that are meant for a target, which keeps what it held until `publish`.

    They lie in a hidden file that belongs to this target alone, so that finding what a killed process left costs no look
    at the files around it. The writer holds a lock on it, which the system lets go however the process ends: one that is
    not locked is nobody's, and the next writer takes it. Who finds it locked writes into a hidden folder, where each
    has a locked file of its own; the next writer removes from it what is not locked. Where files cannot be locked, all write
    into the folder, and a file that was not written to for a day is nobody's.
    """

    def __init__(self, target: Path) -> None:
        """Make folders and file; raises OSError."""
        self._target = target
        self._usual = hidden_sibling(target, "part")
        self._folder = target.parent / f"{self._usual.name}s"
        _remove_abandoned(self._folder)
        self._path, self._file, self._lock = self._opened()

    @property
    def file(self) -> BinaryIO:
        """What a library that writes by itself writes to; it must not close it."""
        return self._file

    def restart(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Append."""
        self._file.write(chunk)

    def publish(self) -> None:
        """Take the target's place."""
        # Some disks tell only now that they are full. The lock has a descriptor of its own and holds until all is done.
        self._file.close()
        os.replace(self._path, self._target)  # noqa: PTH105 - the same word for what it does on every system
        self._leave()

    def discard(self) -> None:
        """Leave nothing behind."""
        # What could not be flushed is thrown away here anyway, and why we are here is told already.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._leave()

    def _opened(self) -> tuple[Path, BinaryIO, int | None]:
        for _ in range(MAX_TRIES):
            path = self._usual
            try:
                # What another user left cannot be opened, and counts as held.
                with contextlib.suppress(PermissionError):
                    claimed = self._claimed(path)
                    if claimed is not None:
                        return path, *claimed
                path = self._folder / secrets.token_hex(6)
                claimed = self._claimed(path)
                if claimed is not None:
                    return path, *claimed
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    path.parent.mkdir(parents=True)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self._usual))

    def _claimed(self, path: Path) -> tuple[BinaryIO, int | None] | None:
        """The file and the descriptor of its lock; None when another writer has it or had it until now."""
        try:
            file, created = path.open("xb"), True
        except FileExistsError:
            file, created = path.open("ab"), False
        locked = lock(file)
        if locked is None and path != self._usual:
            return file, None
        if locked and _is_at(path, file):
            file.truncate(0)
            return file, os.dup(file.fileno())
        file.close()
        if locked is None and created:
            path.unlink()
        return None

    def _leave(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        if self._path != self._usual:
            _remove_empty(self._folder)


def hidden_sibling(target: Path, suffix: str) -> Path:
    """A hidden name in the target's folder that belongs to this target alone.

    Long names are cut, because the system limits them; the digest tells those apart that begin alike.
    """
    try:
        os.fsencode(target)
    except UnicodeEncodeError:
        raise ValueError(f"{str(target)!r} cannot be a path: it holds half a surrogate pair") from None
    digest = hashlib.md5(os.fsencode(target.name), usedforsecurity=False).hexdigest()
    return target.parent / f".{target.name[:40]}.{digest[:8]}.{suffix}"


def _remove_abandoned(folder: Path) -> None:
    # Not found: nobody needed it. Whatever else is wrong is told when something is written there.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - nothing is there mostly, and this finds it quickest
            _remove_if_abandoned(folder / name)
        _remove_empty(folder)


def _remove_if_abandoned(path: Path) -> None:
    # It was moved or removed meanwhile, or belongs to somebody else.
    with contextlib.suppress(OSError):
        with path.open("r+b") as file:
            locked = lock(file)
            if locked:
                path.unlink()
            old = locked is None and time.time() - os.fstat(file.fileno()).st_mtime > DAY
        if old:
            path.unlink()


def _remove_empty(folder: Path) -> None:
    # Another writer of the same target may still be in it.
    with contextlib.suppress(OSError):
        folder.rmdir()


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether the file still lies there: before it was locked, it may have been moved or removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def lock(_file: BinaryIO) -> bool | None:
        """Files cannot be locked here."""
        # A locked or open file cannot be moved there, so the lock would have to go just when it is needed.
        return None

else:
    import fcntl

    def lock(file: BinaryIO) -> bool | None:
        """Lock a file until it and every copy of its descriptor are closed; False: another has it, None: it cannot be."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
