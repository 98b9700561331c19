"""Entries of committed manifests, and announced files of pending versions."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from runql_server import ids, lenient_json
from runql_server.artifacts.contents import blobs
from runql_server.artifacts.contents.manifest_format import ManifestEntry
from runql_server.artifacts.versions import Artifact
from runql_server.storage.files import mimetype


@dataclass(frozen=True)
class ArtifactFile:
    """One entry of a version as a file; ``stored`` is true if the server has the bytes."""

    artifact: Artifact
    name: str
    digest: str
    ref: str | None
    size_bytes: int
    birth_artifact_id: str
    stored: bool = True

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("ArtifactFile", f"{self.artifact.number}:{self.name}")

    @property
    def display_name(self) -> str:
        """Equal to the name."""
        return self.name

    @property
    def md5(self) -> str | None:
        """The digest; ``None`` for a reference, whose digest may be any string."""
        return self.digest if self.ref is None else None

    @property
    def mimetype(self) -> str:
        """Media type guessed from the name."""
        return mimetype(self.name)

    @property
    def updated_at(self) -> str:
        """Creation time of the version, because entries never change."""
        return self.artifact.created_at

    @property
    def storage_path(self) -> str | None:
        """Path of this server for reading and writing the bytes; a reference has none."""
        return (
            None
            if self.ref is not None
            else f"/artifact-storage/{self.artifact.number}/{blobs.to_hex(self.digest)}"
        )


def page(
    connection: sqlite3.Connection, artifact: Artifact, *, names: list[str] | None, after: str, first: int
) -> list[ArtifactFile]:
    """List up to ``first`` entries with paths above ``after``, by path; with ``names`` only those."""
    rows = connection.execute(
        """SELECT * FROM artifact_entries WHERE artifact_id = :artifact AND path > :after
           AND (:names IS NULL OR path IN (SELECT value FROM json_each(:names))) ORDER BY path LIMIT :first""",
        {
            "artifact": artifact.number,
            "after": after,
            "names": None if names is None else lenient_json.dump(names),
            "first": first,
        },
    )
    return [_file(artifact, row) for row in rows]


def of_paths(
    connection: sqlite3.Connection, artifact: Artifact, wanted: Iterable[tuple[str, str]]
) -> list[ArtifactFile]:
    """List the entries with these paths and digests, by path."""
    asked = dict(wanted)
    found = page(connection, artifact, names=list(asked), after="", first=-1)
    return [each for each in found if each.digest == asked[each.name]]


def count(connection: sqlite3.Connection, artifact: Artifact, names: list[str] | None) -> int:
    """Count the entries of the version; with ``names`` only those."""
    if names is None:
        return artifact.file_count
    query = """SELECT COUNT(*) FROM artifact_entries WHERE artifact_id = ?
        AND path IN (SELECT value FROM json_each(?))"""
    return int(connection.execute(query, (artifact.number, lenient_json.dump(names))).fetchone()[0])


def insert(connection: sqlite3.Connection, artifact: Artifact, contents: dict[str, ManifestEntry]) -> None:
    """Insert the entries of a version during its commit. Needs a write transaction."""
    connection.executemany(
        "INSERT INTO artifact_entries (artifact_id, path, digest, ref, size, birth) VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                artifact.number,
                path,
                entry.digest,
                entry.ref,
                entry.size or 0,
                entry.birth_artifact_id or artifact.id,
            )
            for path, entry in contents.items()
        ),
    )


def announce(connection: sqlite3.Connection, artifact: Artifact, path: str, digest: str) -> ArtifactFile:
    """Announce a file of a pending version; the result says if the bytes are stored. Needs a write transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO artifact_uploads (artifact_id, path, digest) VALUES (?, ?, ?)",
        (artifact.number, path, digest),
    )
    stored = blobs.find(connection, artifact.entity_number, digest)
    birth = None if stored is None else _birth_of(connection, artifact.entity_number, digest)
    return ArtifactFile(
        artifact,
        path,
        digest,
        None,
        0 if stored is None else stored.size,
        birth or artifact.id,
        stored is not None,
    )


def delete_announced(connection: sqlite3.Connection, artifact: int) -> None:
    """Delete the announcements of a committed version, whose entries now own the bytes. Needs a write transaction."""
    connection.execute("DELETE FROM artifact_uploads WHERE artifact_id = ?", (artifact,))


def is_announced(connection: sqlite3.Connection, artifact: int, digest: str) -> bool:
    """Check whether the version announced these bytes."""
    query = "SELECT 1 FROM artifact_uploads WHERE artifact_id = ? AND digest = ?"
    return connection.execute(query, (artifact, digest)).fetchone() is not None


def name_of(connection: sqlite3.Connection, artifact: int, digest: str, wanted: str) -> str:
    """Return the path of the entry with these bytes: the ``wanted`` one, one that ends like it, or the first."""
    rows = connection.execute(
        """SELECT path FROM artifact_entries WHERE artifact_id = ? AND digest = ? AND ref IS NULL
           ORDER BY path != ?3, substr(path, -length(?3) - 1) != '/' || ?3, path LIMIT 1""",
        (artifact, digest, wanted),
    )
    return next((str(row["path"]) for row in rows), "")


def owner_of(
    connection: sqlite3.Connection,
    entity: str,
    digest: str,
    *,
    artifact: str | None = None,
    birth: str | None = None,
    collection: tuple[str, str] | None = None,
) -> int | None:
    """Return the number of a version of the entity that has these bytes, or ``None``.

    ``artifact`` and ``birth`` are node ids, ``collection`` is project and name; each one narrows the search.
    """
    narrowed = {
        "artifact_entries.artifact_id = :artifact": artifact,
        "artifact_entries.birth = :birth": birth,
        """EXISTS (SELECT 1 FROM artifact_memberships AS m JOIN artifact_collections AS c ON c.id = m.collection_id
           JOIN projects AS p ON p.id = c.project_id WHERE m.artifact_id = artifacts.id
           AND p.name = :project AND c.name = :collection)""": collection,
    }
    conditions = " AND ".join(["1", *(condition for condition, value in narrowed.items() if value)])
    row = connection.execute(
        f"""SELECT artifact_entries.artifact_id FROM artifact_entries
            JOIN artifacts ON artifacts.id = artifact_entries.artifact_id
            JOIN artifact_collections ON artifact_collections.id = artifacts.sequence_id
            JOIN projects ON projects.id = artifact_collections.project_id
            JOIN entities ON entities.id = projects.entity_id
            WHERE entities.name = :entity AND artifact_entries.digest = :digest AND artifact_entries.ref IS NULL
            AND {conditions} LIMIT 1""",
        {
            "entity": entity,
            "digest": digest,
            "artifact": ids.decode_number("Artifact", artifact) if artifact else None,
            "birth": birth,
            "project": collection[0] if collection else None,
            "collection": collection[1] if collection else None,
        },
    ).fetchone()
    return None if row is None else int(row["artifact_id"])


def _birth_of(connection: sqlite3.Connection, entity: int, digest: str) -> str | None:
    row = connection.execute(
        """SELECT birth FROM artifact_entries JOIN artifacts ON artifacts.id = artifact_entries.artifact_id
           JOIN artifact_collections ON artifact_collections.id = artifacts.sequence_id
           JOIN projects ON projects.id = artifact_collections.project_id
           WHERE artifact_entries.digest = ? AND artifact_entries.ref IS NULL AND projects.entity_id = ?
           ORDER BY artifact_entries.artifact_id LIMIT 1""",
        (digest, entity),
    ).fetchone()
    return None if row is None else row["birth"]


def _file(artifact: Artifact, row: sqlite3.Row) -> ArtifactFile:
    return ArtifactFile(artifact, row["path"], row["digest"], row["ref"], row["size"], row["birth"])
