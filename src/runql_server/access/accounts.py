"""Users and entities as stored."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import ids


@dataclass(frozen=True)
class User:
    """One user; the attribute names are the schema's in snake case."""

    number: int
    username: str
    name: str
    email: str
    admin: bool = True
    flags: str = "{}"

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("User", self.number)

    @property
    def entity(self) -> str:
        """The name of the default entity: here it is the user's own."""
        return self.username


@dataclass(frozen=True)
class Entity:
    """One entity: the personal one of a user."""

    number: int
    name: str
    user_number: int
    is_team: bool = False
    available: bool = False
    read_only: bool = False
    read_only_admin: bool = False
    private_only: bool = False
    storage_bytes: int = 0
    code_saving_enabled: bool = False
    default_access: str = "PRIVATE"
    entity_type: str = "USER"

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("Entity", self.number)

    @property
    def members(self) -> list[object]:
        """A personal entity has no members."""
        return []


def user_by_number(connection: sqlite3.Connection, number: int) -> User:
    """The user with this row number, which must exist."""
    return _user(connection.execute("SELECT * FROM users WHERE id = ?", (number,)).fetchone())


def users(connection: sqlite3.Connection, *, query: str | None = None) -> list[User]:
    """Users whose username, name or mail holds the text; all without one."""
    pattern = f"%{query or ''}%"
    rows = connection.execute(
        "SELECT * FROM users WHERE username LIKE ?1 OR name LIKE ?1 OR email LIKE ?1 ORDER BY id", (pattern,)
    )
    return [_user(row) for row in rows]


def entity_by_name(connection: sqlite3.Connection, name: str) -> Entity | None:
    """The entity of that name, or ``None``."""
    row = connection.execute("SELECT id, name, user_id FROM entities WHERE name = ?", (name,)).fetchone()
    return None if row is None else Entity(row["id"], row["name"], row["user_id"])


def entity_of_user(connection: sqlite3.Connection, user_number: int) -> Entity:
    """The personal entity of a user."""
    query = "SELECT id, name, user_id FROM entities WHERE user_id = ? ORDER BY id"
    row = connection.execute(query, (user_number,)).fetchone()
    return Entity(row["id"], row["name"], row["user_id"])


def _user(row: sqlite3.Row) -> User:
    return User(row["id"], row["username"], row["name"], row["email"])
