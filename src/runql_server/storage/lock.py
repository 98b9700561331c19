"""The lock of a data directory: one server at a time, and whether the last one ended in order."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Final

from runql_server import timestamps

NAME: Final = "server.lock"

# Beyond the content, because Windows lets nobody read locked bytes.
_LOCKED_BYTE: Final = 1 << 30


class DataDirectoryError(OSError):
    """The data directory is in use, damaged, or not readable."""


class DirectoryLock:
    """A lock of the operating system, which ends with the process, however it ends.

    The file says who holds the lock. An orderly `release` empties it, so content that is left over means a crash.
    """

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises:
            DataDirectoryError: another server holds it; the message names it.
        """
        self._file: int | None = os.open(data_dir / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._file)
        except OSError as error:
            os.lseek(self._file, 0, os.SEEK_SET)
            holder = os.read(self._file, 1_000)
            self._close()
            raise DataDirectoryError(
                f"{data_dir} is in use by {_named(holder)}: stop it, or name another data directory"
            ) from error
        self.after_crash: bool = os.fstat(self._file).st_size > 0
        me = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": timestamps.to_string(timestamps.now()),
        }
        self._write(json.dumps(me).encode())

    def abandon(self) -> None:
        """Let another server take the directory, which then checks it."""
        self._close()

    def release(self) -> None:
        """Mark an orderly end, and let another server take the directory."""
        if self._file is not None:
            self._write(b"")
            _unlock(self._file)
            self._close()

    def _write(self, content: bytes) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, content)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _named(holder: bytes) -> str:
    try:
        known = json.loads(holder)
        return f"the server with process id {known['pid']} on host {known['host']}, running since {known['since']}"
    except (ValueError, KeyError, TypeError):
        return "another server"


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file: int) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
