"""Memberships of versions in collections; each has a number in its collection and aliases."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from runql_server import ids, lenient_json, timestamps
from runql_server.artifacts import naming

_SELECT = """SELECT artifact_memberships.*, artifacts.digest AS digest FROM artifact_memberships
JOIN artifacts ON artifacts.id = artifact_memberships.artifact_id"""


@dataclass(frozen=True)
class Membership:
    """One version in one collection; attribute names are those of the schema in snake case."""

    number: int
    collection_number: int
    artifact_number: int
    version_index: int
    digest: str
    created_at: str

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ArtifactCollectionMembership", self.number)

    @property
    def version(self) -> str:
        """Name of the version in the collection: ``v3``."""
        return naming.version_name(self.version_index)

    @property
    def commit_hash(self) -> str:
        """Identifies this content in this collection: 20 hexadecimal digits."""
        text = f"{self.collection_number}:{self.version_index}:{self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def find(connection: sqlite3.Connection, collection: int, alias: str) -> Membership | None:
    """Find the member with this alias or version such as ``v3``, or return ``None``."""
    number = naming.version_number(alias)
    condition = (
        "version = :version"
        if number is not None
        else "artifact_memberships.id = (SELECT membership_id FROM artifact_aliases "
        "WHERE collection_id = :collection AND alias = :alias)"
    )
    row = connection.execute(
        f"{_SELECT} WHERE collection_id = :collection AND {condition}",
        {"collection": collection, "version": number, "alias": alias},
    ).fetchone()
    return None if row is None else _membership(row)


def of_artifact(connection: sqlite3.Connection, artifact: int) -> list[Membership]:
    """List all memberships of a version, oldest first: its sequence comes first."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifact_id = ? ORDER BY artifact_memberships.id", (artifact,)
    )
    return [_membership(row) for row in rows]


def of_version(connection: sqlite3.Connection, collection: int, artifact: int) -> Membership | None:
    """Find the membership of a version in a collection, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE collection_id = ? AND artifact_id = ?", (collection, artifact)
    ).fetchone()
    return None if row is None else _membership(row)


def of_collection(connection: sqlite3.Connection, collection: int, *, first: int) -> list[Membership]:
    """List up to ``first`` members of a collection, newest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE collection_id = ? ORDER BY version DESC LIMIT ?", (collection, first)
    )
    return [_membership(row) for row in rows]


def by_numbers(connection: sqlite3.Connection, numbers: list[int]) -> list[Membership]:
    """Return the memberships with these row numbers, in the given order."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifact_memberships.id IN (SELECT value FROM json_each(?))",
        (lenient_json.dump(numbers),),
    )
    found = {row["id"]: _membership(row) for row in rows}
    return [found[number] for number in numbers if number in found]


def add(connection: sqlite3.Connection, collection: int, artifact: int) -> Membership:
    """Add a version to a collection with the next number, unless it is a member. Needs a write transaction."""
    found = of_version(connection, collection, artifact)
    if found is not None:
        return found
    connection.execute(
        "UPDATE artifact_collections SET versions_made = versions_made + 1 WHERE id = ?", (collection,)
    )
    connection.execute(
        """INSERT INTO artifact_memberships (collection_id, artifact_id, version, created_at)
           SELECT id, ?, versions_made - 1, ? FROM artifact_collections WHERE id = ?""",
        (artifact, timestamps.to_string(timestamps.now()), collection),
    )
    made = of_version(connection, collection, artifact)
    if made is None:
        raise RuntimeError("a membership vanished inside its transaction")
    return made


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Remove a version and its aliases from a collection. Needs a write transaction."""
    connection.execute("DELETE FROM artifact_memberships WHERE id = ?", (number,))


def _membership(row: sqlite3.Row) -> Membership:
    return Membership(
        row["id"], row["collection_id"], row["artifact_id"], row["version"], row["digest"], row["created_at"]
    )
