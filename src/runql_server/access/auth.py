"""API keys: stored as hashes, accepted as HTTP Basic (user ``api``) or Bearer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import sqlite3

from runql_server import timestamps

USERNAME = "local"
"""Name of the one user, and of the one entity, of an embedded server."""


def new_key() -> str:
    """Make a new key of 40 characters, the length that the SDK checks."""
    return secrets.token_hex(20)


def has_keys(connection: sqlite3.Connection) -> bool:
    """Whether this data directory has a key."""
    return connection.execute("SELECT 1 FROM api_keys LIMIT 1").fetchone() is not None


def add_key(connection: sqlite3.Connection, key: str) -> None:
    """Accept a key; the first one also creates the user and the entity. Needs a write transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO users (id, username, name, email) VALUES (1, ?, ?, ?)",
        (USERNAME, "Local User", f"{USERNAME}@localhost"),
    )
    connection.execute("INSERT OR IGNORE INTO entities (id, name, user_id) VALUES (1, ?, 1)", (USERNAME,))
    connection.execute(
        "INSERT OR IGNORE INTO api_keys (user_id, key_hash, created_at) VALUES (1, ?, ?)",
        (_hash(key), timestamps.to_string(timestamps.now())),
    )


def user_of(connection: sqlite3.Connection, authorization: str | None) -> int | None:
    """Return the row number of the user of an ``Authorization`` header, or ``None``."""
    key = _key_in(authorization or "")
    if key is None:
        return None
    row = connection.execute("SELECT user_id FROM api_keys WHERE key_hash = ?", (_hash(key),)).fetchone()
    return None if row is None else int(row["user_id"])


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
    return hashlib.sha256(key.encode()).hexdigest()
