"""Manifests as stored: announced, filled with bytes, read back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from runql_server import ids, timestamps
from runql_server.artifacts.contents import manifest_format
from runql_server.artifacts.contents.manifest_format import Manifest
from runql_server.errors import NotFoundError
from runql_server.storage.files import Upload, blob_path
from runql_server.storage.store import Store

ManifestType = Literal["FULL", "INCREMENTAL", "PATCH"]


@dataclass(frozen=True)
class StoredManifest:
    """One manifest; the attribute names are the schema's in snake case. ``blob`` is ``None`` until the bytes came."""

    number: int
    artifact_number: int
    type: ManifestType
    base_number: int | None
    digest: str
    blob: str | None
    size: int
    created_at: str

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("ArtifactManifest", self.number)


@dataclass(frozen=True)
class ManifestFile:
    """The text of a manifest as a file."""

    manifest: StoredManifest
    name: str = "wandb_manifest.json"
    mimetype: str = "application/json"

    @property
    def id(self) -> str:
        """The opaque node id."""
        return ids.encode("ManifestFile", self.manifest.number)

    @property
    def display_name(self) -> str:
        """The same as the name."""
        return self.name

    @property
    def size_bytes(self) -> int:
        """0 until the text came."""
        return self.manifest.size

    @property
    def md5(self) -> str | None:
        """As it was announced."""
        return self.manifest.digest or None

    @property
    def digest(self) -> str | None:
        """The same as the md5."""
        return self.md5

    @property
    def updated_at(self) -> str | None:
        """Null until the text came."""
        return None if self.manifest.blob is None else self.manifest.created_at

    @property
    def storage_path(self) -> str:
        """Where the text can be read or put, as a path of this server."""
        return f"/artifact-storage/{self.manifest.artifact_number}/manifests/{self.manifest.number}"


def by_number(connection: sqlite3.Connection, number: int) -> StoredManifest:
    """The manifest with this row number."""
    row = connection.execute("SELECT * FROM artifact_manifests WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("artifact manifest not found")
    return _manifest(row)


def by_id(connection: sqlite3.Connection, opaque: str) -> StoredManifest:
    """The manifest with this node id."""
    return by_number(connection, ids.decode_number("ArtifactManifest", opaque))


def current(connection: sqlite3.Connection, artifact: int) -> StoredManifest | None:
    """The newest manifest of a version whose text is here, or ``None``."""
    row = connection.execute(
        "SELECT * FROM artifact_manifests WHERE artifact_id = ? AND blob IS NOT NULL ORDER BY id DESC LIMIT 1",
        (artifact,),
    ).fetchone()
    return None if row is None else _manifest(row)


def create(
    connection: sqlite3.Connection, artifact: int, kind: ManifestType, *, base: int | None, digest: str
) -> StoredManifest:
    """Announce a manifest; ``digest`` is the base64 MD5 of its text, or empty. Needs a write transaction."""
    inserted = connection.execute(
        "INSERT INTO artifact_manifests (artifact_id, kind, base_id, digest, created_at) VALUES (?, ?, ?, ?, ?)",
        (artifact, kind, base, digest, timestamps.to_string(timestamps.now())),
    )
    return by_number(connection, inserted.lastrowid or 0)


def change(
    connection: sqlite3.Connection, number: int, *, digest: str | None, base: int | None
) -> StoredManifest:
    """Announce another text or base; ``None`` leaves it as it is. Needs a write transaction."""
    connection.execute(
        "UPDATE artifact_manifests SET digest = COALESCE(?, digest), base_id = COALESCE(?, base_id) WHERE id = ?",
        (digest, base, number),
    )
    return by_number(connection, number)


def record(connection: sqlite3.Connection, number: int, upload: Upload) -> str | None:
    """Give a manifest its text and return the blob it had before. Needs a write transaction."""
    before = by_number(connection, number)
    connection.execute(
        "UPDATE artifact_manifests SET blob = ?, size = ?, digest = ? WHERE id = ?",
        (upload.blob, upload.size, upload.md5, number),
    )
    return before.blob


def read(store: Store, manifest: StoredManifest) -> Manifest:
    """Parse the text of a manifest that has one."""
    return manifest_format.parse(blob_path(store, manifest.blob or "").read_bytes())


def blobs_of(connection: sqlite3.Connection, artifact: int) -> list[str]:
    """The blobs of all manifests of a version."""
    rows = connection.execute(
        "SELECT blob FROM artifact_manifests WHERE artifact_id = ? AND blob IS NOT NULL", (artifact,)
    )
    return [row["blob"] for row in rows]


def _manifest(row: sqlite3.Row) -> StoredManifest:
    return StoredManifest(
        row["id"],
        row["artifact_id"],
        row["kind"],
        row["base_id"],
        row["digest"],
        row["blob"],
        row["size"],
        row["created_at"],
    )
