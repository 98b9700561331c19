"""Exports of histories in the database: which lines of a run are in which parquet file."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from runql_server import timestamps


@dataclass(frozen=True)
class Export:
    """One parquet file with the history lines from ``start`` up to, not including, ``stop``."""

    number: int
    run: int
    start: int
    stop: int
    blob: str

    @property
    def storage_path(self) -> str:
        """Path of this server for reading the file."""
        return f"/history-exports/{self.number}.parquet"


def ready(connection: sqlite3.Connection, run: int) -> list[Export]:
    """List the valid exports of a run in line order, contiguous from the first line."""
    rows = connection.execute(
        "SELECT * FROM history_exports WHERE run_id = ? AND state = 'ready' ORDER BY start_line", (run,)
    )
    return [_export(row) for row in rows]


def exported_lines(connection: sqlite3.Connection, run: int) -> int:
    """Count the exported lines of a run; all later lines are live."""
    return max((export.stop for export in ready(connection, run)), default=0)


def by_number(connection: sqlite3.Connection, number: int) -> Export | None:
    """Find an export, or return ``None``; a replaced one is found until its blob is removed."""
    row = connection.execute(
        "SELECT * FROM history_exports WHERE id = ? AND state != 'pending'", (number,)
    ).fetchone()
    return None if row is None else _export(row)


def announce(connection: sqlite3.Connection, run: int, start: int, stop: int) -> Export:
    """Insert a pending export before its file is written. Needs a write transaction."""
    blob = secrets.token_hex(16)
    inserted = connection.execute(
        """INSERT INTO history_exports (run_id, start_line, stop_line, state, blob, created_at)
           VALUES (?, ?, ?, 'pending', ?, ?)""",
        (run, start, stop, blob, timestamps.to_string(timestamps.now())),
    )
    return Export(inserted.lastrowid or 0, run, start, stop, blob)


def complete(connection: sqlite3.Connection, export: Export) -> bool:
    """Mark an export as ready; False when one of its lines was overwritten. Needs a write transaction."""
    changed = connection.execute(
        "UPDATE history_exports SET state = 'ready' WHERE id = ? AND state = 'pending'", (export.number,)
    )
    return changed.rowcount == 1


def invalidate(connection: sqlite3.Connection, run: int, line: int) -> None:
    """Invalidate exports that hold an overwritten line or a later one. Needs a write transaction."""
    connection.execute(
        "UPDATE history_exports SET state = 'stale' WHERE run_id = ? AND stop_line > ?", (run, line)
    )


def remove_leftovers(connection: sqlite3.Connection, run: int) -> list[str]:
    """Delete stale and unfinished exports, and return their blobs. Needs a write transaction."""
    rows = connection.execute(
        "DELETE FROM history_exports WHERE run_id = ? AND state != 'ready' RETURNING blob", (run,)
    )
    return [row["blob"] for row in rows.fetchall()]


def _export(row: sqlite3.Row) -> Export:
    return Export(
        number=row["id"], run=row["run_id"], start=row["start_line"], stop=row["stop_line"], blob=row["blob"]
    )
