"""Blobs of artifacts: bytes stored once per entity and MD5, on disk under names made by the server."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from typing import NamedTuple

from runql_server.errors import RequestError
from runql_server.storage.files import Upload


class Blob(NamedTuple):
    """Stored bytes: the name on disk and the size."""

    name: str
    size: int


def find(connection: sqlite3.Connection, entity: int, digest: str) -> Blob | None:
    """Find the bytes with this base64 MD5, or return ``None``."""
    row = connection.execute(
        "SELECT blob, size FROM artifact_blobs WHERE entity_id = ? AND digest = ?", (entity, digest)
    ).fetchone()
    return None if row is None else Blob(row["blob"], row["size"])


def record(connection: sqlite3.Connection, entity: int, upload: Upload) -> str | None:
    """Record received bytes; return the blob to remove if they were stored before. Needs a write transaction."""
    inserted = connection.execute(
        "INSERT OR IGNORE INTO artifact_blobs (entity_id, digest, blob, size) VALUES (?, ?, ?, ?)",
        (entity, upload.md5, upload.blob, upload.size),
    )
    return None if inserted.rowcount else upload.blob


def delete_unreferenced(connection: sqlite3.Connection) -> list[str]:
    """Delete blobs that no entry and no announced file needs, and return them. Needs a write transaction."""
    rows = connection.execute(
        """DELETE FROM artifact_blobs
           WHERE NOT EXISTS (
               SELECT 1 FROM artifact_entries JOIN artifacts ON artifacts.id = artifact_entries.artifact_id
               JOIN artifact_collections ON artifact_collections.id = artifacts.sequence_id
               JOIN projects ON projects.id = artifact_collections.project_id
               WHERE artifact_entries.digest = artifact_blobs.digest AND artifact_entries.ref IS NULL
               AND projects.entity_id = artifact_blobs.entity_id)
           AND NOT EXISTS (
               SELECT 1 FROM artifact_uploads JOIN artifacts ON artifacts.id = artifact_uploads.artifact_id
               JOIN artifact_collections ON artifact_collections.id = artifacts.sequence_id
               JOIN projects ON projects.id = artifact_collections.project_id
               WHERE artifact_uploads.digest = artifact_blobs.digest AND projects.entity_id = artifact_blobs.entity_id)
           RETURNING blob"""
    )
    return [row["blob"] for row in rows.fetchall()]


def check_digest(digest: str) -> str:
    """Refuse a string that is not the base64 of 16 bytes."""
    try:
        length = len(base64.b64decode(digest, validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if length != 16:
        raise RequestError(f"invalid digest {digest[:80]!r}: the base64 text of an MD5 is needed")
    return digest


def to_hex(digest: str) -> str:
    """Convert a base64 digest to the form in URLs: lower-case hexadecimal."""
    return base64.b64decode(digest).hex()


def from_hex(text: str) -> str:
    """Convert a digest from a URL to base64; other strings become a digest that no bytes have."""
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except ValueError:
        return ""
