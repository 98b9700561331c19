"""Manifests in the database: announce, attach the uploaded document, read."""

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
    """One manifest; attribute names are those of the schema in snake case. ``blob`` is ``None`` until the upload."""

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
        """Opaque node id."""
        return ids.encode("ArtifactManifest", self.number)


@dataclass(frozen=True)
class ManifestFile:
    """The document of a manifest as a file."""

    manifest: StoredManifest
    name: str = "wandb_manifest.json"
    mimetype: str = "application/json"

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ManifestFile", self.manifest.number)

    @property
    def display_name(self) -> str:
        """Equal to the name."""
        return self.name

    @property
    def size_bytes(self) -> int:
        """Size of the document; 0 until the upload."""
        return self.manifest.size

    @property
    def md5(self) -> str | None:
        """MD5 as announced."""
        return self.manifest.digest or None

    @property
    def digest(self) -> str | None:
        """Equal to the md5."""
        return self.md5

    @property
    def updated_at(self) -> str | None:
        """Time of the upload; null until then."""
        return None if self.manifest.blob is None else self.manifest.created_at

    @property
    def storage_path(self) -> str:
        """Path of this server for reading and writing the document."""
        return f"/artifact-storage/{self.manifest.artifact_number}/manifests/{self.manifest.number}"


def by_number(connection: sqlite3.Connection, number: int) -> StoredManifest:
    """Return the manifest with this row number."""
    row = connection.execute("SELECT * FROM artifact_manifests WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("artifact manifest not found")
    return _manifest(row)


def by_id(connection: sqlite3.Connection, opaque: str) -> StoredManifest:
    """Return the manifest with this node id."""
    return by_number(connection, ids.decode_number("ArtifactManifest", opaque))


def current(connection: sqlite3.Connection, artifact: int) -> StoredManifest | None:
    """Return the newest uploaded manifest of a version, or ``None``."""
    row = connection.execute(
        "SELECT * FROM artifact_manifests WHERE artifact_id = ? AND blob IS NOT NULL ORDER BY id DESC LIMIT 1",
        (artifact,),
    ).fetchone()
    return None if row is None else _manifest(row)


def create(
    connection: sqlite3.Connection, artifact: int, kind: ManifestType, *, base: int | None, digest: str
) -> StoredManifest:
    """Announce a manifest; ``digest`` is the base64 MD5 of its document, or empty. Needs a write transaction."""
    inserted = connection.execute(
        "INSERT INTO artifact_manifests (artifact_id, kind, base_id, digest, created_at) VALUES (?, ?, ?, ?, ?)",
        (artifact, kind, base, digest, timestamps.to_string(timestamps.now())),
    )
    return by_number(connection, inserted.lastrowid or 0)


def change(
    connection: sqlite3.Connection, number: int, *, digest: str | None, base: int | None
) -> StoredManifest:
    """Announce another digest or base; ``None`` leaves it unchanged. Needs a write transaction."""
    connection.execute(
        "UPDATE artifact_manifests SET digest = COALESCE(?, digest), base_id = COALESCE(?, base_id) WHERE id = ?",
        (digest, base, number),
    )
    return by_number(connection, number)


def record(connection: sqlite3.Connection, number: int, upload: Upload) -> str | None:
    """Replace a manifest's document, and return its previous blob. Needs a write transaction."""
    before = by_number(connection, number)
    connection.execute(
        "UPDATE artifact_manifests SET blob = ?, size = ?, digest = ? WHERE id = ?",
        (upload.blob, upload.size, upload.md5, number),
    )
    return before.blob


def read(store: Store, manifest: StoredManifest) -> Manifest:
    """Parse the document of an uploaded manifest."""
    return manifest_format.parse(blob_path(store, manifest.blob or "").read_bytes())


def blobs_of(connection: sqlite3.Connection, artifact: int) -> list[str]:
    """List the blobs of all manifests of a version."""
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
