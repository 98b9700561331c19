"""A full disk: how the system and SQLite report it."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

FULL: Final = "the server's disk is full: nothing was stored"

_NUMBERS: Final = frozenset({errno.ENOSPC, errno.EFBIG, *filter(None, [getattr(errno, "EDQUOT", None)])})
# A write beyond a quota or a limit of the process is an I/O error to SQLite.
_CODES: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"})


def is_full(error: BaseException | None) -> bool:
    """Whether the error says that the disk, a quota or a limit takes no more bytes."""
    if isinstance(error, sqlite3.Error):
        # Python sets the name on errors that come from SQLite only.
        return getattr(error, "sqlite_errorname", "") in _CODES
    return isinstance(error, OSError) and error.errno in _NUMBERS
