"""Collections in the database: sequences, where versions are created, and portfolios, which link them."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from runql_server import ids, lenient_json, timestamps
from runql_server.artifacts import naming
from runql_server.artifacts.types import ArtifactType
from runql_server.errors import NotFoundError, RequestError

CollectionKind = Literal["SEQUENCE", "PORTFOLIO"]

FROM = """FROM artifact_collections JOIN artifact_types ON artifact_types.id = artifact_collections.type_id
JOIN projects ON projects.id = artifact_collections.project_id JOIN entities ON entities.id = projects.entity_id"""
_SELECT = f"""SELECT artifact_collections.*, artifact_types.name AS type_name, projects.name AS project_name,
entities.name AS entity_name, projects.entity_id AS entity_id {FROM}"""


@dataclass(frozen=True)
class Collection:
    """One collection; attribute names are those of the schema in snake case."""

    number: int
    project_number: int
    project_name: str
    entity_number: int
    entity_name: str
    type_number: int
    type_name: str
    kind: CollectionKind
    name: str
    description: str | None
    created_at: str
    updated_at: str
    state: Literal["READY", "DELETED"] = "READY"

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ArtifactCollection", self.number)

    @property
    def path(self) -> str:
        """Path for error messages."""
        return f"{self.entity_name}/{self.project_name}/{self.name}"


def find(connection: sqlite3.Connection, project: int, name: str) -> Collection | None:
    """Find the collection of that name, of either kind, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE artifact_collections.project_id = ? AND artifact_collections.name = ?",
        (project, name),
    ).fetchone()
    return None if row is None else _collection(row)


def by_path(connection: sqlite3.Connection, entity: str, project: str, name: str) -> Collection:
    """Return the collection at a path; raises ``NotFoundError``."""
    row = connection.execute(
        f"{_SELECT} WHERE entities.name = ? AND projects.name = ? AND artifact_collections.name = ?",
        (entity, project, name),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"artifact collection {entity}/{project}/{name} not found")
    return _collection(row)


def by_number(connection: sqlite3.Connection, number: int) -> Collection:
    """Return the collection with this row number."""
    row = connection.execute(f"{_SELECT} WHERE artifact_collections.id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("artifact collection not found")
    return _collection(row)


def by_id(connection: sqlite3.Connection, opaque: str) -> Collection:
    """Return the collection with this node id."""
    return by_number(connection, ids.decode_number("ArtifactCollection", opaque))


def by_numbers(connection: sqlite3.Connection, numbers: list[int]) -> list[Collection]:
    """Return the collections with these row numbers, in the given order."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifact_collections.id IN (SELECT value FROM json_each(?))",
        (lenient_json.dump(numbers),),
    )
    found = {row["id"]: _collection(row) for row in rows}
    return [found[number] for number in numbers if number in found]


def versions_made(connection: sqlite3.Connection, number: int) -> int:
    """Return the number of the collection's next version; deleted versions count."""
    query = "SELECT versions_made FROM artifact_collections WHERE id = ?"
    return int(connection.execute(query, (number,)).fetchone()[0])


def ensure(connection: sqlite3.Connection, kind: ArtifactType, name: str, what: CollectionKind) -> Collection:
    """Find or create a collection; refuses one of another type or kind. Needs a write transaction."""
    found = find(connection, kind.project_number, name)
    if found is not None:
        check(found, what, kind.name)
        return found
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        """INSERT INTO artifact_collections (project_id, type_id, kind, name, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (kind.project_number, kind.number, what, naming.check_collection_name(name), moment, moment),
    )
    return by_number(connection, inserted.lastrowid or 0)


def check(collection: Collection, kind: CollectionKind, type_name: str) -> None:
    """Refuse a collection of another kind or type."""
    if collection.kind != kind:
        raise RequestError(
            f"artifact collection {collection.path} is a {collection.kind.lower()}, not a {kind.lower()}"
        )
    if collection.type_name != type_name:
        raise RequestError(
            f"artifact collection {collection.path} has type {collection.type_name!r}, not {type_name!r}"
        )


def change(
    connection: sqlite3.Connection, collection: Collection, *, name: str | None, description: str | None
) -> Collection:
    """Set name or description; ``None`` leaves a field unchanged. Needs a write transaction."""
    if name is not None and name != collection.name:
        naming.check_collection_name(name)
        if find(connection, collection.project_number, name) is not None:
            raise RequestError(f"an artifact collection named {name!r} exists already")
    connection.execute(
        """UPDATE artifact_collections SET name = COALESCE(?, name), description = COALESCE(?, description),
           updated_at = ? WHERE id = ?""",
        (name, description, timestamps.to_string(timestamps.now()), collection.number),
    )
    return by_number(connection, collection.number)


def move(connection: sqlite3.Connection, collection: Collection, kind: ArtifactType) -> Collection:
    """Change the type of a collection. Needs a write transaction."""
    connection.execute(
        "UPDATE artifact_collections SET type_id = ?, updated_at = ? WHERE id = ?",
        (kind.number, timestamps.to_string(timestamps.now()), collection.number),
    )
    return by_number(connection, collection.number)


def remove(connection: sqlite3.Connection, collection: Collection) -> None:
    """Delete a collection with everything in it. Needs a write transaction."""
    connection.execute("DELETE FROM artifact_collections WHERE id = ?", (collection.number,))


def _collection(row: sqlite3.Row) -> Collection:
    return Collection(
        number=row["id"],
        project_number=row["project_id"],
        project_name=row["project_name"],
        entity_number=row["entity_id"],
        entity_name=row["entity_name"],
        type_number=row["type_id"],
        type_name=row["type_name"],
        kind=row["kind"],
        name=row["name"],
        description=row["description"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
