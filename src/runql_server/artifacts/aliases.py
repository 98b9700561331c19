"""Aliases: movable names of the members of a collection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from runql_server import ids
from runql_server.artifacts import naming
from runql_server.artifacts.memberships import Membership

_SELECT = """SELECT artifact_aliases.*, artifact_memberships.artifact_id AS artifact_id,
artifact_collections.name AS collection_name FROM artifact_aliases
JOIN artifact_memberships ON artifact_memberships.id = artifact_aliases.membership_id
JOIN artifact_collections ON artifact_collections.id = artifact_aliases.collection_id"""


@dataclass(frozen=True)
class Alias:
    """One alias; attribute names are those of the schema in snake case."""

    number: int
    collection_number: int
    artifact_number: int
    artifact_collection_name: str
    alias: str

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ArtifactAlias", self.number)


def of_membership(connection: sqlite3.Connection, membership: int) -> list[Alias]:
    """List the aliases of a member, in the order of their assignment."""
    rows = connection.execute(
        f"{_SELECT} WHERE membership_id = ? ORDER BY artifact_aliases.id", (membership,)
    )
    return [_alias(row) for row in rows]


def of_artifact(connection: sqlite3.Connection, artifact: int, collection: str | None = None) -> list[Alias]:
    """List the aliases of a version in all its collections, or in those of that name."""
    rows = connection.execute(
        f"""{_SELECT} WHERE artifact_id = :artifact
            AND (:collection IS NULL OR artifact_collections.name = :collection) ORDER BY artifact_aliases.id""",
        {"artifact": artifact, "collection": collection},
    )
    return [_alias(row) for row in rows]


def page(connection: sqlite3.Connection, collection: int, *, after: int, first: int) -> list[Alias]:
    """List up to ``first`` aliases of a collection with row numbers above ``after``, in the order of assignment."""
    rows = connection.execute(
        f"""{_SELECT} WHERE artifact_aliases.collection_id = ? AND artifact_aliases.id > ?
            ORDER BY artifact_aliases.id LIMIT ?""",
        (collection, after, first),
    )
    return [_alias(row) for row in rows]


def assign(connection: sqlite3.Connection, membership: Membership, names: Iterable[str]) -> None:
    """Move aliases of the collection to a member; create missing ones. Needs a write transaction."""
    for name in dict.fromkeys(names):
        connection.execute(
            """INSERT INTO artifact_aliases (collection_id, membership_id, alias) VALUES (?, ?, ?)
               ON CONFLICT (collection_id, alias) DO UPDATE SET membership_id = excluded.membership_id""",
            (membership.collection_number, membership.number, naming.check_alias(name)),
        )


def remove(connection: sqlite3.Connection, membership: Membership, names: Iterable[str]) -> None:
    """Remove aliases from a member; ignores those that it does not have. Needs a write transaction."""
    connection.executemany(
        "DELETE FROM artifact_aliases WHERE membership_id = ? AND alias = ?",
        ((membership.number, name) for name in names),
    )


def assign_latest_to_newest(connection: sqlite3.Connection, collection: int) -> None:
    """Move ``latest`` to the member with the highest number, if no member has it. Needs a write transaction."""
    connection.execute(
        """INSERT OR IGNORE INTO artifact_aliases (collection_id, membership_id, alias)
           SELECT collection_id, id, ? FROM artifact_memberships WHERE collection_id = ?
           ORDER BY version DESC LIMIT 1""",
        (naming.LATEST, collection),
    )


def _alias(row: sqlite3.Row) -> Alias:
    return Alias(row["id"], row["collection_id"], row["artifact_id"], row["collection_name"], row["alias"])
