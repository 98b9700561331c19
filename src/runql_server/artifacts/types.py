"""Artifact types in the database: find, list, create."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import ids, timestamps
from runql_server.artifacts import naming
from runql_server.errors import NotFoundError


@dataclass(frozen=True)
class ArtifactType:
    """One artifact type of a project; attribute names are those of the schema in snake case."""

    number: int
    project_number: int
    name: str
    description: str | None
    created_at: str

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ArtifactType", self.number)


def find(connection: sqlite3.Connection, project: int, name: str) -> ArtifactType | None:
    """Find the type of that name, or return ``None``."""
    row = connection.execute(
        "SELECT * FROM artifact_types WHERE project_id = ? AND name = ?", (project, name)
    ).fetchone()
    return None if row is None else _type(row)


def by_number(connection: sqlite3.Connection, number: int) -> ArtifactType:
    """Return the type with this row number."""
    row = connection.execute("SELECT * FROM artifact_types WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("artifact type not found")
    return _type(row)


def page(connection: sqlite3.Connection, project: int, *, after: int, first: int) -> list[ArtifactType]:
    """List up to ``first`` types of the project with row numbers above ``after``, oldest first."""
    query = "SELECT * FROM artifact_types WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?"
    return [_type(row) for row in connection.execute(query, (project, after, first))]


def ensure(
    connection: sqlite3.Connection, project: int, name: str, description: str | None = None
) -> ArtifactType:
    """Find or create a type. Needs a write transaction."""
    found = find(connection, project, name)
    if found is not None:
        return found
    inserted = connection.execute(
        "INSERT INTO artifact_types (project_id, name, description, created_at) VALUES (?, ?, ?, ?)",
        (project, naming.check_type_name(name), description, timestamps.to_string(timestamps.now())),
    )
    return by_number(connection, inserted.lastrowid or 0)


def _type(row: sqlite3.Row) -> ArtifactType:
    return ArtifactType(row["id"], row["project_id"], row["name"], row["description"], row["created_at"])
