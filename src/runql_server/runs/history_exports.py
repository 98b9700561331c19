"""Which lines of a run's history lie in which export: rows of the database."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from runql_server import timestamps


@dataclass(frozen=True)
class Export:
    """One parquet file with the history lines from ``start`` up to ``stop``."""

    number: int
    run: int
    start: int
    stop: int
    blob: str

    @property
    def storage_path(self) -> str:
        """Where it can be read, as a path of this server."""
        return f"/history-exports/{self.number}.parquet"


def ready(connection: sqlite3.Connection, run: int) -> list[Export]:
    """The exports of a run that hold what its lines hold now, in line order, without gaps from the first line on."""
    rows = connection.execute(
        "SELECT * FROM history_exports WHERE run_id = ? AND state = 'ready' ORDER BY start_line", (run,)
    )
    return [_export(row) for row in rows]


def exported_lines(connection: sqlite3.Connection, run: int) -> int:
    """How many lines of a run are exported; all from this one on are live."""
    return max((export.stop for export in ready(connection, run)), default=0)


def by_number(connection: sqlite3.Connection, number: int) -> Export | None:
    """An export, also one that was replaced meanwhile and whose bytes are still here."""
    row = connection.execute(
        "SELECT * FROM history_exports WHERE id = ? AND state != 'pending'", (number,)
    ).fetchone()
    return None if row is None else _export(row)


def announce(connection: sqlite3.Connection, run: int, start: int, stop: int) -> Export:
    """Note an export that is about to be written. Needs a write transaction."""
    blob = secrets.token_hex(16)
    inserted = connection.execute(
        """INSERT INTO history_exports (run_id, start_line, stop_line, state, blob, created_at)
           VALUES (?, ?, ?, 'pending', ?, ?)""",
        (run, start, stop, blob, timestamps.to_string(timestamps.now())),
    )
    return Export(inserted.lastrowid or 0, run, start, stop, blob)


def complete(connection: sqlite3.Connection, export: Export) -> bool:
    """Let an announced export count; False when its lines were written over meanwhile. Needs a write transaction."""
    changed = connection.execute(
        "UPDATE history_exports SET state = 'ready' WHERE id = ? AND state = 'pending'", (export.number,)
    )
    return changed.rowcount == 1


def invalidate(connection: sqlite3.Connection, run: int, line: int) -> None:
    """A line was written over: exports that hold it, or later ones, do not count any more. Needs a write transaction."""
    connection.execute(
        "UPDATE history_exports SET state = 'stale' WHERE run_id = ? AND stop_line > ?", (run, line)
    )


def remove_leftovers(connection: sqlite3.Connection, run: int) -> list[str]:
    """Forget exports that count no more or were never finished; gives their blobs. Needs a write transaction."""
    rows = connection.execute(
        "DELETE FROM history_exports WHERE run_id = ? AND state != 'ready' RETURNING blob", (run,)
    )
    return [row["blob"] for row in rows.fetchall()]


def _export(row: sqlite3.Row) -> Export:
    return Export(
        number=row["id"], run=row["run_id"], start=row["start_line"], stop=row["stop_line"], blob=row["blob"]
    )
