"""Tags of versions and collections."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runql_server import ids
from runql_server.artifacts.naming import NewTag

Owner = Literal["artifact", "collection"]


@dataclass(frozen=True)
class Tag:
    """One tag; attribute names are those of the schema in snake case."""

    owner: Owner
    number: int
    name: str
    tag_category_name: str
    attributes: str

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("Tag", f"{self.owner}:{self.number}")


def of(connection: sqlite3.Connection, owner: Owner, number: int) -> list[Tag]:
    """List the tags of a version or collection, in the order of their assignment."""
    rows = connection.execute(f"SELECT * FROM {owner}_tags WHERE {owner}_id = ? ORDER BY id", (number,))
    return [Tag(owner, row["id"], row["name"], row["category"], row["attributes"]) for row in rows]


def add(connection: sqlite3.Connection, owner: Owner, number: int, tags: Iterable[NewTag]) -> None:
    """Add tags; an existing tag gets the new category and attributes. Needs a write transaction."""
    connection.executemany(
        f"""INSERT INTO {owner}_tags ({owner}_id, name, category, attributes) VALUES (?, ?, ?, ?)
            ON CONFLICT ({owner}_id, name) DO UPDATE
            SET category = excluded.category, attributes = excluded.attributes""",
        ((number, tag.name, tag.category, tag.attributes) for tag in tags),
    )


def remove(connection: sqlite3.Connection, owner: Owner, number: int, names: Iterable[str]) -> None:
    """Remove tags; ignores missing ones. Needs a write transaction."""
    connection.executemany(
        f"DELETE FROM {owner}_tags WHERE {owner}_id = ? AND name = ?", ((number, name) for name in names)
    )
