"""What a server does with its data directory at start: it sweeps blobs without owners, and checks after a crash."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from runql_server.storage import files
from runql_server.storage.lock import DataDirectoryError
from runql_server.storage.store import Store

logger: Final = logging.getLogger("runql_server")

_BLOB: Final = re.compile(r"[0-9a-f]{32}")
_OWNED: Final = """
    SELECT blob FROM files UNION SELECT blob FROM history_exports UNION SELECT blob FROM artifact_blobs
    UNION SELECT blob FROM artifact_manifests WHERE blob IS NOT NULL"""


def open_store(data_dir: Path, *, crash_after: timedelta, after_crash: bool) -> Store:
    """Open a data directory, check it after a crash, and sweep; only a server that holds its lock may call it.

    Raises:
        DataDirectoryError: the database is damaged, or not one of runql.
    """
    try:
        store = Store(data_dir, crash_after=crash_after)
    except sqlite3.DatabaseError as error:
        raise _damaged(data_dir, str(error)) from error
    try:
        _prepare(store, after_crash=after_crash)
    except BaseException:
        store.close()
        raise
    return store


def _prepare(store: Store, *, after_crash: bool) -> None:
    if after_crash:
        with store.connection() as connection:
            check_database(connection, store.data_dir)
    with store.writing() as connection:
        # Nobody is writing these: the process that announced them is gone.
        connection.execute("DELETE FROM history_exports WHERE state = 'pending'")
        if after_crash:
            _drop_lost_exports(connection, store)
        owned = {str(row["blob"]) for row in connection.execute(_OWNED)}
    found = {path.name: path for path in _blobs(store)}
    orphans = found.keys() - owned
    for name in orphans:
        found[name].unlink(missing_ok=True)
    if orphans:
        logger.info("removed %d blobs that no row names", len(orphans))
    if after_crash:
        lost = len(owned - found.keys())
        logger.warning(
            "the last server on %s did not end in order: its database was checked, and is whole",
            store.data_dir,
        )
        if lost:
            logger.error("%d files have a row, but lost their bytes: log or upload them again", lost)


def check_database(connection: sqlite3.Connection, data_dir: Path) -> None:
    """Raise ``DataDirectoryError`` for a damaged database."""
    try:
        problems = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if problems != ["ok"]:
        raise _damaged(data_dir, "; ".join(problems))


def _damaged(data_dir: Path, problem: str) -> DataDirectoryError:
    said = " ".join(problem.replace("*** in database main ***", "").split())[:300]
    return DataDirectoryError(
        f"the database in {data_dir} is damaged: {said}. Restore it from a copy, or save what is left "
        "with `sqlite3 runql.sqlite3 .recover`"
    )


def _drop_lost_exports(connection: sqlite3.Connection, store: Store) -> None:
    # Their rows are still in the database, so the next request exports them again.
    for row in connection.execute(
        "SELECT id, run_id, blob FROM history_exports WHERE state = 'ready'"
    ).fetchall():
        if not files.blob_path(store, row["blob"]).exists():
            connection.execute("DELETE FROM history_exports WHERE run_id = ?", (row["run_id"],))


def _blobs(store: Store) -> Iterator[Path]:
    # Other names are not the server's own: they stay.
    for path in store.blobs.glob("??/*"):
        if _BLOB.fullmatch(path.name) and path.parent.name == path.name[:2] and path.is_file():
            yield path
