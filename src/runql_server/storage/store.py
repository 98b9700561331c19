"""The SQLite database and the blob folder: connections, snapshots and write transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from runql_server import timestamps
from runql_server.storage import sql_functions
from runql_server.storage.migrations import migrate

CRASH_AFTER = timedelta(minutes=5)
"""A running run without a heartbeat for this long counts as crashed, as on the real server."""


class Store:
    """One data directory. Any thread may use it; each use borrows a connection of its own from a pool."""

    def __init__(self, data_dir: Path, *, crash_after: timedelta = CRASH_AFTER) -> None:
        self.data_dir = data_dir
        self.blobs = data_dir / "blobs"
        # Only the user may look in: the database holds the secret that signs URLs.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.blobs.mkdir(exist_ok=True)
        self._crash_after = crash_after
        self._idle: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        with self.connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)

    def close(self) -> None:
        """Close the pooled connections; the last one to close folds the write-ahead log into the database."""
        while self._idle:
            self._idle.pop().close()

    def crash_before(self) -> str:
        """Running runs whose heartbeat is older than this text are crashed."""
        return timestamps.to_string(timestamps.now() - self._crash_after)

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """Borrow a connection in autocommit mode."""
        # list.pop and list.append are atomic, so the pool needs no lock; it never outgrows the worker threads.
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
        """Borrow a connection that sees one snapshot of the database throughout."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Generator[None]:
        """Write on a borrowed connection: everything is committed at the end, or nothing."""
        # Threads of this process queue here, fairly, rather than in SQLite's busy loop.
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
            self.data_dir / "runql.sqlite3",
            timeout=30,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        # FULL syncs the write-ahead log at each commit. NORMAL would already survive kill -9 (the pages are with
        # the operating system); FULL keeps the promise for a power cut too, for one fsync per acknowledged chunk.
        connection.execute("PRAGMA synchronous = FULL")
        sql_functions.register(connection)
        return connection
