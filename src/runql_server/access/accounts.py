"""Users and entities in the database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import ids


@dataclass(frozen=True)
class User:
    """One user; attribute names are those of the schema in snake case."""

    number: int
    username: str
    name: str
    email: str
    admin: bool = True
    flags: str = "{}"

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("User", self.number)

    @property
    def entity(self) -> str:
        """Name of the default entity, which is the user's own."""
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
        """Opaque node id."""
        return ids.encode("Entity", self.number)

    @property
    def members(self) -> list[object]:
        """Empty: a personal entity has no members."""
        return []


def user_by_number(connection: sqlite3.Connection, number: int) -> User:
    """Return the user with this row number, which must exist."""
    return _user(connection.execute("SELECT * FROM users WHERE id = ?", (number,)).fetchone())


def users(connection: sqlite3.Connection, *, query: str | None = None) -> list[User]:
    """List users whose username, name or mail contains ``query``; all users without one."""
    pattern = f"%{query or ''}%"
    rows = connection.execute(
        "SELECT * FROM users WHERE username LIKE ?1 OR name LIKE ?1 OR email LIKE ?1 ORDER BY id", (pattern,)
    )
    return [_user(row) for row in rows]


def entity_by_name(connection: sqlite3.Connection, name: str) -> Entity | None:
    """Find the entity of that name, or return ``None``."""
    row = connection.execute("SELECT id, name, user_id FROM entities WHERE name = ?", (name,)).fetchone()
    return None if row is None else Entity(row["id"], row["name"], row["user_id"])


def entity_of_user(connection: sqlite3.Connection, user_number: int) -> Entity:
    """Return the personal entity of a user."""
    query = "SELECT id, name, user_id FROM entities WHERE user_id = ? ORDER BY id"
    row = connection.execute(query, (user_number,)).fetchone()
    return Entity(row["id"], row["name"], row["user_id"])


def _user(row: sqlite3.Row) -> User:
    return User(row["id"], row["username"], row["name"], row["email"])
