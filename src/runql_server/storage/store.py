"""A data directory: SQLite connections, snapshots and write transactions, and the blob folder."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from runql_server import timestamps
from runql_server.storage import sql_functions
from runql_server.storage.migrations import migrate

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700

CRASH_AFTER = timedelta(minutes=5)
"""A running run without a heartbeat for this long counts as crashed, as on the real server."""


class Store:
    """One data directory. Any thread may use it; each use borrows its own connection from a pool."""

    def __init__(self, data_dir: Path, *, crash_after: timedelta = CRASH_AFTER) -> None:
        self.data_dir = data_dir
        self.blobs: Path = data_dir / "blobs"
        # Only the user may read them: the database holds the secret that signs URLs.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_private_folder(self.blobs)
        self._database = data_dir / "runql.sqlite3"
        # SQLite gives its other files the permissions of this one.
        for name in ("runql.sqlite3", "runql.sqlite3-wal", "runql.sqlite3-shm"):
            make_private_file(data_dir / name, create=name == self._database.name)
        self._crash_after = crash_after
        self._idle: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        try:
            with self.connection() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the pooled connections; closing the last one checkpoints the write-ahead log."""
        while self._idle:
            self._idle.pop().close()

    def crash_before(self) -> str:
        """Return the oldest heartbeat of a running run that has not crashed, as a timestamp string."""
        return timestamps.to_string(timestamps.now() - self._crash_after)

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """Borrow a connection in autocommit mode."""
        # list.pop and list.append are atomic, so the pool needs no lock; worker threads bound its size.
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.rollback()
            self._idle.append(connection)

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Borrow a connection that reads one snapshot of the database."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Generator[None]:
        """Run a write transaction on a borrowed connection; an exception rolls it back."""
        # Threads of this process queue for this lock, because SQLite's busy loop is not fair.
        with self._write_lock:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Borrow a connection inside a write transaction."""
        with self.connection() as connection, self.transaction(connection):
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._database,
            timeout=30,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            # FULL syncs the write-ahead log at each commit, for one fsync per acknowledged chunk. NORMAL survives
            # kill -9 (the operating system has the pages), FULL survives a power cut too.
            connection.execute("PRAGMA synchronous = FULL")
            sql_functions.register(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def make_private_folder(path: Path) -> None:
    """Make a folder that only the user may read, or make an existing one so."""
    path.mkdir(exist_ok=True, mode=0o700)
    if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FOLDER:
        path.chmod(_PRIVATE_FOLDER)


def open_private(path: str, flags: int) -> int:
    """Open a file that only the user may read, as the ``opener`` of `open`."""
    return os.open(path, flags, _PRIVATE_FILE)


def make_private_file(path: Path, *, create: bool) -> None:
    """Let only the user read a file; ``create`` makes a missing one."""
    if create:
        os.close(open_private(str(path), os.O_RDWR | os.O_CREAT))
    if path.exists() and stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FILE:
        path.chmod(_PRIVATE_FILE)
