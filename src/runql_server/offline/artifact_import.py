"""Artifacts that an offline run logged: versions with the files that are still on this machine."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from runql_server.artifacts import committing, creation, lineage, naming, versions
from runql_server.artifacts.contents import blobs, entries, manifests
from runql_server.artifacts.contents.manifest_format import Manifest, ManifestEntry, StoragePolicyConfig
from runql_server.artifacts.creation import NewArtifact
from runql_server.artifacts.versions import Artifact
from runql_server.errors import RequestError
from runql_server.offline.artifact_entries import Entry, read_entries
from runql_server.offline.fields import Fields, flag, inner, strings, text, whole
from runql_server.offline.run_files import read_chunks
from runql_server.storage import files
from runql_server.storage.files import Upload
from runql_server.storage.projects import Project
from runql_server.storage.store import Store

_LARGEST: Final = 2**63


class ArtifactImport:
    """Stores artifacts of one file's run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, record: Fields, project: Project, run: int) -> list[str]:
        """Store one version with its lineage; return what is to be said about it.

        A version of which a file is gone or has changed is not stored: nothing half-imported.
        """
        name = f"artifact {text(record, 'name')}"
        uploads: dict[str, Upload] = {}
        try:
            contents = read_entries(inner(record, "manifest"))
            for entry in contents:
                if not entry.ref:
                    uploads[entry.path] = self._upload(entry)
            with self._store.writing() as connection:
                surplus = self._store_version(connection, record, project, run, contents, uploads)
        except (RequestError, OSError) as error:
            files.remove_blobs(self._store, [each.blob for each in uploads.values()])
            return [f"{name} was left out: {error.strerror if isinstance(error, OSError) else error}"]
        files.remove_blobs(self._store, surplus)
        return []

    def _upload(self, entry: Entry) -> Upload:
        source = Path(entry.local_path)
        with source.open("rb") as file:
            # The bytes go in only if they are those that the run logged.
            if _md5(read_chunks(file)) != entry.digest:
                raise RequestError(f"{entry.path!r} has changed since it was logged")
            file.seek(0)
            return self._written(file)

    def _written(self, file: BinaryIO) -> Upload:
        return files.write_chunks(self._store, read_chunks(file))

    def _store_version(
        self,
        connection: sqlite3.Connection,
        record: Fields,
        project: Project,
        run: int,
        contents: Sequence[Entry],
        uploads: dict[str, Upload],
    ) -> list[str | None]:
        artifact = creation.create(connection, project, _wanted(record, run), user=project.user_number)
        surplus: list[str | None] = []
        if artifact.state != "COMMITTED":
            surplus = self._commit(connection, artifact, contents, uploads)
        else:
            surplus = [each.blob for each in uploads.values()]
        if flag(record, "use_after_commit"):
            lineage.record_input(connection, run, artifact.number, "")
        return surplus

    def _commit(
        self,
        connection: sqlite3.Connection,
        artifact: Artifact,
        listed: Sequence[Entry],
        uploads: dict[str, Upload],
    ) -> list[str | None]:
        contents: dict[str, ManifestEntry] = {}
        surplus: list[str | None] = []
        for entry in listed:
            path = naming.check_path(entry.path)
            made = _entry(entry)
            if path in uploads:
                announced = entries.announce(connection, artifact, path, blobs.check_digest(made.digest))
                surplus.append(blobs.record(connection, artifact.entity_number, uploads[path]))
                made = made.model_copy(update={"birth_artifact_id": announced.birth_artifact_id})
            contents[path] = made
        manifest = Manifest(storage_policy_config=StoragePolicyConfig(storage_layout="V2"), contents=contents)
        written = files.write(self._store, manifest.to_json())
        stored = manifests.create(connection, artifact.number, "FULL", base=None, digest=written.md5)
        manifests.record(connection, stored.number, written)
        committing.commit(self._store, connection, versions.by_number(connection, artifact.number))
        return surplus


def _wanted(record: Fields, run: int) -> NewArtifact:
    metadata = text(record, "metadata")
    return NewArtifact(
        type_name=text(record, "type"),
        collection=text(record, "name"),
        digest=text(record, "digest"),
        run=run,
        aliases=strings(record, "aliases"),
        tags=naming.check_tags([{"tag_name": tag} for tag in strings(record, "tags")]),
        description=text(record, "description") or None,
        metadata=metadata or None,
        client_id=text(record, "client_id") or None,
        sequence_client_id=text(record, "sequence_client_id") or None,
        ttl=whole(record, "ttl_duration_seconds") or None,
        by_digest=True,
    )


def _entry(entry: Entry) -> ManifestEntry:
    if not 0 <= entry.size < _LARGEST:
        raise RequestError(f"{entry.path!r} has the size {entry.size}, which no file has")
    return ManifestEntry(
        digest=entry.digest,
        ref=entry.ref or None,
        size=entry.size,
        birth_artifact_id=entry.birth_artifact_id or None,
        extra=None if entry.extra is None else dict[str, object](entry.extra),
    )


def _md5(chunks: Iterator[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return base64.b64encode(digest.digest()).decode()
