"""Tags of versions and of collections."""

# ruff: noqa: S608 - the SQL put together is our own text: values are always bound

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
    """One tag; the attribute names are the schema's in snake case."""

    owner: Owner
    number: int
    name: str
    tag_category_name: str
    attributes: str

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("Tag", f"{self.owner}:{self.number}")


def of(connection: sqlite3.Connection, owner: Owner, number: int) -> list[Tag]:
    """The tags of a version or collection, in the order they were set."""
    rows = connection.execute(f"SELECT * FROM {owner}_tags WHERE {owner}_id = ? ORDER BY id", (number,))
    return [Tag(owner, row["id"], row["name"], row["category"], row["attributes"]) for row in rows]


def add(connection: sqlite3.Connection, owner: Owner, number: int, tags: Iterable[NewTag]) -> None:
    """Set tags; one that is there already gets its category and attributes anew. Needs a write transaction."""
    connection.executemany(
        f"""INSERT INTO {owner}_tags ({owner}_id, name, category, attributes) VALUES (?, ?, ?, ?)
            ON CONFLICT ({owner}_id, name) DO UPDATE
            SET category = excluded.category, attributes = excluded.attributes""",
        ((number, tag.name, tag.category, tag.attributes) for tag in tags),
    )


def remove(connection: sqlite3.Connection, owner: Owner, number: int, names: Iterable[str]) -> None:
    """Take tags away; those that are not there do no harm. Needs a write transaction."""
    connection.executemany(
        f"DELETE FROM {owner}_tags WHERE {owner}_id = ? AND name = ?", ((number, name) for name in names)
    )
