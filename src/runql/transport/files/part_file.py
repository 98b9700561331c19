"""Atomic writes: a temporary file in the target's folder that replaces the target, even if processes are killed."""

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
    """A temporary file for a target, which stays as it was until `publish`.

    The temporary file has a fixed hidden name, so the next writer finds what a killed process left behind. Its writer
    holds a lock that the system releases when the process ends; the next writer takes over a file that nobody locks.
    A second writer at the same time uses a hidden folder, with a locked file for each writer. Later writers remove the
    unlocked files there. Where files cannot be locked, every writer uses the folder, and files that were not written
    to for a day are removed.
    """

    def __init__(self, target: Path) -> None:
        """Create folders and file; raises OSError."""
        self._target = target
        self._usual = hidden_sibling(target, "part")
        self._folder = target.parent / f"{self._usual.name}s"
        _remove_abandoned(self._folder)
        self._path, self._file, self._lock = self._open()

    @property
    def file(self) -> BinaryIO:
        """The open file, for libraries that write to it themselves; they must not close it."""
        return self._file

    def restart(self) -> None:
        """Empty the temporary file."""
        self._file.seek(0)
        self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._file.write(chunk)

    def publish(self) -> None:
        """Replace the target with the temporary file."""
        # Closing may be the first call that fails on a full disk. The lock has its own descriptor and outlives it.
        self._file.close()
        try:
            os.replace(self._path, self._target)  # noqa: PTH105 - replaces on every system, which its name says
        except PermissionError:
            if self._target.is_dir():  # as POSIX says it; Windows denies the access
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._target)) from None
            raise
        self._release()

    def discard(self) -> None:
        """Remove the temporary file."""
        # The error that led here has been raised already; bytes that cannot be flushed are not needed.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._release()

    def _open(self) -> tuple[Path, BinaryIO, int | None]:
        for _ in range(MAX_TRIES):
            path = self._usual
            try:
                # A file that another user left cannot be opened, and counts as locked.
                with contextlib.suppress(PermissionError):
                    claimed = self._claim(path)
                    if claimed is not None:
                        return path, *claimed
                path = self._folder / secrets.token_hex(6)
                claimed = self._claim(path)
                if claimed is not None:
                    return path, *claimed
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    path.parent.mkdir(parents=True)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self._usual))

    def _claim(self, path: Path) -> tuple[BinaryIO, int | None] | None:
        """Open and lock a file; return it and its lock's descriptor, or None when another writer has or just had it."""
        try:
            file, created = path.open("xb"), True
        except FileExistsError:
            file, created = path.open("ab"), False
        locked = lock(file)
        if locked is None and path != self._usual:
            return file, None
        if locked and _is_at(path, file):
            if not created:
                file.truncate(0)
            return file, os.dup(file.fileno())
        file.close()
        if locked is None and created:
            path.unlink()
        return None

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        if self._path != self._usual:
            _remove_empty(self._folder)


def hidden_sibling(target: Path, suffix: str) -> Path:
    """Return a hidden path in the target's folder that no other target uses.

    The system limits the length of names, so long ones are cut; a digest keeps them distinct.
    """
    try:
        os.fsencode(target)
    except UnicodeEncodeError:
        raise ValueError(f"{str(target)!r} cannot be a path: it holds half a surrogate pair") from None
    digest = hashlib.md5(os.fsencode(target.name), usedforsecurity=False).hexdigest()
    return target.parent / f".{target.name[:40]}.{digest[:8]}.{suffix}"


def _remove_abandoned(folder: Path) -> None:
    # The folder rarely exists. Any other error appears again when something is written there.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - quickest when the folder does not exist, as usual
            _remove_if_abandoned(folder / name)
        _remove_empty(folder)


def _remove_if_abandoned(path: Path) -> None:
    # Another process may have moved or removed the file, or another user may own it.
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
    """Whether the path still is this file: another process may have moved or removed it before it was locked."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def lock(_file: BinaryIO) -> bool | None:
        """Return None: Windows cannot move a locked or open file, so the lock would end just when it is needed."""
        return None

    def lock_in_place(file: BinaryIO) -> bool | None:
        """Lock a file that stays where it is, as long as it is open; as `lock`."""
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return False if error.errno in {errno.EACCES, errno.EDEADLK} else None
        return True

else:
    import fcntl

    def lock(file: BinaryIO) -> bool | None:
        """Lock a file until all its descriptors are closed; False when it is locked already, None when it cannot be."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True

    lock_in_place = lock
