"""The places of versions in collections, each with a number there and aliases."""

# ruff: noqa: S608 - the SQL put together is our own text: values are always bound

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
    """One version in one collection; the attribute names are the schema's in snake case."""

    number: int
    collection_number: int
    artifact_number: int
    version_index: int
    digest: str
    created_at: str

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("ArtifactCollectionMembership", self.number)

    @property
    def version(self) -> str:
        """How the version is called here: ``v3``."""
        return naming.version_name(self.version_index)

    @property
    def commit_hash(self) -> str:
        """Stands for this content at this place: 20 hexadecimal digits."""
        text = f"{self.collection_number}:{self.version_index}:{self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def find(connection: sqlite3.Connection, collection: int, alias: str) -> Membership | None:
    """The member that an alias, or a version such as ``v3``, points to; or ``None``."""
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
    """All places of a version, in the order it came there: its sequence first."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifact_id = ? ORDER BY artifact_memberships.id", (artifact,)
    )
    return [_membership(row) for row in rows]


def of_version(connection: sqlite3.Connection, collection: int, artifact: int) -> Membership | None:
    """The place of a version in a collection, or ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE collection_id = ? AND artifact_id = ?", (collection, artifact)
    ).fetchone()
    return None if row is None else _membership(row)


def of_collection(connection: sqlite3.Connection, collection: int, *, first: int) -> list[Membership]:
    """Up to ``first`` members of a collection, newest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE collection_id = ? ORDER BY version DESC LIMIT ?", (collection, first)
    )
    return [_membership(row) for row in rows]


def by_numbers(connection: sqlite3.Connection, numbers: list[int]) -> list[Membership]:
    """The memberships with these row numbers, in the order given."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifact_memberships.id IN (SELECT value FROM json_each(?))",
        (lenient_json.dump(numbers),),
    )
    found = {row["id"]: _membership(row) for row in rows}
    return [found[number] for number in numbers if number in found]


def add(connection: sqlite3.Connection, collection: int, artifact: int) -> Membership:
    """Give a version the next number of a collection, or its old place there. Needs a write transaction."""
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
    """Take a version out of a collection, with its aliases there. Needs a write transaction."""
    connection.execute("DELETE FROM artifact_memberships WHERE id = ?", (number,))


def _membership(row: sqlite3.Row) -> Membership:
    return Membership(
        row["id"], row["collection_id"], row["artifact_id"], row["version"], row["digest"], row["created_at"]
    )
