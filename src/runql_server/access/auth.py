"""API keys: stored as hashes, accepted as HTTP Basic (user ``api``) or Bearer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

from runql_server import timestamps
from runql_server.errors import ForbiddenError
from runql_server.names import check_name

USERNAME = "local"
"""Name of the first user, and of its entity."""


@dataclass(frozen=True)
class Caller:
    """The user of an API key, by row number."""

    user: int
    read_only: bool = False

    def check_may_write(self) -> None:
        """Raise ``ForbiddenError`` for a read-only key."""
        if self.read_only:
            raise ForbiddenError("this API key is read-only: it cannot change or upload anything")


def new_key() -> str:
    """Make a new key of 40 characters, the length that the SDK checks."""
    return secrets.token_hex(20)


def has_keys(connection: sqlite3.Connection) -> bool:
    """Whether this data directory has a key."""
    return connection.execute("SELECT 1 FROM api_keys LIMIT 1").fetchone() is not None


def add_key(
    connection: sqlite3.Connection, key: str, *, username: str = USERNAME, read_only: bool = False
) -> None:
    """Accept a key of a user; the first one also creates the user and its entity. Needs a write transaction.

    Raises:
        RequestError: ``username`` cannot be part of a path.
    """
    _add_user(connection, USERNAME, "Local User")
    if username != USERNAME:
        _add_user(connection, check_name(username, what="user name"), username)
    connection.execute(
        """INSERT OR IGNORE INTO api_keys (user_id, key_hash, created_at, read_only)
           SELECT id, ?, ?, ? FROM users WHERE username = ?""",
        (_hash(key), timestamps.to_string(timestamps.now()), int(read_only), username),
    )


def remove_key(connection: sqlite3.Connection, key: str) -> None:
    """Accept a key no longer; its user stays. Needs a write transaction."""
    connection.execute("DELETE FROM api_keys WHERE key_hash = ?", (_hash(key),))


def user_number(connection: sqlite3.Connection, username: str = USERNAME) -> int:
    """Return the row number of a user that has a key."""
    row = connection.execute("SELECT id FROM users WHERE username = ?", (username,)).fetchone()
    return int(row["id"])


def _add_user(connection: sqlite3.Connection, username: str, name: str) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO users (username, name, email) VALUES (?, ?, ?)",
        (username, name, f"{username}@localhost"),
    )
    connection.execute(
        "INSERT OR IGNORE INTO entities (name, user_id) SELECT username, id FROM users WHERE username = ?",
        (username,),
    )


def caller_of(connection: sqlite3.Connection, authorization: str | None) -> Caller | None:
    """Return the caller of an ``Authorization`` header, or ``None``."""
    key = _key_in(authorization or "")
    if key is None:
        return None
    row = connection.execute(
        "SELECT user_id, read_only FROM api_keys WHERE key_hash = ?", (_hash(key),)
    ).fetchone()
    return None if row is None else Caller(int(row["user_id"]), read_only=bool(row["read_only"]))


def fingerprint(key: str) -> str:
    """Return what a session remembers of the key that started it."""
    return _hash(key)[:24]


def has_session(connection: sqlite3.Connection, user: int, fingerprint: str) -> bool:
    """Whether the user is there, and still has the key that started the session, if a key did."""
    query = """SELECT 1 FROM users WHERE id = :user AND (:key = '' OR EXISTS (
        SELECT 1 FROM api_keys WHERE user_id = users.id AND substr(key_hash, 1, 24) = :key))"""
    return connection.execute(query, {"user": user, "key": fingerprint}).fetchone() is not None


def _key_in(authorization: str) -> str | None:
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, key = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key if colon and user == "api" else None


def _hash(key: str) -> str:
    # A key has 160 random bits, so nobody can guess it: one round of a fast hash is enough.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
