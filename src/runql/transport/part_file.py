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

    They lie in a hidden folder that belongs to this target alone, so that finding what a killed process left costs no
    look at the files around it. Each writer holds a lock on its own part, which the system lets go however the process
    ends: an unlocked part is nobody's, and the next writer removes it. Where files cannot be locked, one that was not
    written to for a day is.
    """

    def __init__(self, target: Path) -> None:
        """Make folders and file; raises OSError."""
        self._target = target
        # Long names are cut, because the system limits them; the digest tells those apart that begin alike.
        digest = hashlib.md5(os.fsencode(target.name), usedforsecurity=False).hexdigest()
        self._folder = target.with_name(f".{target.name[:40]}.{digest[:8]}.part")
        try:
            self._path, self._file, self._lock = self._opened()
        except OSError:
            self._remove_folder()
            raise

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
        self._target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(MAX_TRIES):
            with contextlib.suppress(FileExistsError):
                self._folder.mkdir()
            # Not found: another writer of this target has just ended, and has taken the folder away.
            with contextlib.suppress(FileNotFoundError):
                _remove_abandoned(self._folder)
                path = self._folder / secrets.token_hex(6)
                file = path.open("xb")
                locked = _lock(file)
                if locked is None:
                    return path, file, None
                # Before it was locked, another writer may have taken it for abandoned.
                if locked and path.exists():
                    return path, file, os.dup(file.fileno())
                file.close()
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self._folder))

    def _leave(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._remove_folder()

    def _remove_folder(self) -> None:
        # Another writer of the same target may still be in it.
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def _remove_abandoned(folder: Path) -> None:
    for path in folder.iterdir():
        # It was moved or removed meanwhile, or belongs to somebody else.
        with contextlib.suppress(OSError):
            with path.open("r+b") as file:
                locked = _lock(file)
                if locked:
                    path.unlink()
                old = locked is None and time.time() - os.fstat(file.fileno()).st_mtime > DAY
            if old:
                path.unlink()


if sys.platform == "win32":

    def _lock(_file: BinaryIO) -> bool | None:
        # A locked or open file cannot be moved there, so the lock would have to go just when it is needed.
        return None

else:
    import fcntl

    def _lock(file: BinaryIO) -> bool | None:
        """Lock a file until it and every copy of its descriptor are closed; False: another has it, None: it cannot be."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
