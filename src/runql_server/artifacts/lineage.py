"""Lineage in the database: the runs that created and the runs that read each version."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from typing import Literal

from runql_server import lenient_json

Direction = Literal["inputs", "outputs"]

USED = "runs.id IN (SELECT run_id FROM artifact_inputs WHERE artifact_id = :scope)"
"""Scope of a list of runs: the runs that read one version."""


def record_output(connection: sqlite3.Connection, run: int, artifact: int) -> None:
    """Record that the run created, or logged again, the version. Needs a write transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO artifact_outputs (run_id, artifact_id) VALUES (?, ?)", (run, artifact)
    )


def record_input(connection: sqlite3.Connection, run: int, artifact: int, used_as: str) -> None:
    """Record that the run reads the version. Needs a write transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO artifact_inputs (run_id, artifact_id, used_as) VALUES (?, ?, ?)",
        (run, artifact, used_as),
    )


def page(
    connection: sqlite3.Connection, direction: Direction, run: int, *, after: int, first: int
) -> list[int]:
    """List up to ``first`` numbers of versions above ``after`` that the run read or created, oldest first."""
    rows = connection.execute(
        f"""SELECT DISTINCT artifact_id FROM artifact_{direction} WHERE run_id = ? AND artifact_id > ?
            ORDER BY artifact_id LIMIT ?""",
        (run, after, first),
    )
    return [row["artifact_id"] for row in rows]


def count(connection: sqlite3.Connection, direction: Direction, run: int) -> int:
    """Count the versions that the run read or created."""
    query = f"SELECT COUNT(DISTINCT artifact_id) FROM artifact_{direction} WHERE run_id = ?"
    return int(connection.execute(query, (run,)).fetchone()[0])


def used_as(connection: sqlite3.Connection, run: int, artifacts: list[int]) -> dict[int, list[str]]:
    """Return the names under which the run read each of these versions."""
    rows = connection.execute(
        """SELECT artifact_id, used_as FROM artifact_inputs WHERE run_id = ?
           AND artifact_id IN (SELECT value FROM json_each(?)) ORDER BY used_as""",
        (run, lenient_json.dump(artifacts)),
    )
    names: dict[int, list[str]] = {}
    for row in rows:
        names.setdefault(row["artifact_id"], []).append(row["used_as"])
    return names


def used_count(connection: sqlite3.Connection, artifact: int) -> int:
    """Count the runs that read the version."""
    query = "SELECT COUNT(DISTINCT run_id) FROM artifact_inputs WHERE artifact_id = ?"
    return int(connection.execute(query, (artifact,)).fetchone()[0])
