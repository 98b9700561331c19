"""Commits a pending version: stores its entries, number and aliases in one transaction."""

from __future__ import annotations

import sqlite3

from runql_server import lenient_json, timestamps
from runql_server.artifacts import aliases, memberships, naming, versions
from runql_server.artifacts.contents import blobs, entries, manifests
from runql_server.artifacts.contents.manifest_format import Manifest, ManifestEntry
from runql_server.artifacts.contents.manifests import StoredManifest
from runql_server.artifacts.versions import Artifact
from runql_server.errors import RequestError
from runql_server.storage import files
from runql_server.storage.store import Store

_NAMED = 5


def commit(store: Store, connection: sqlite3.Connection, artifact: Artifact) -> Artifact:
    """Commit a pending version; return a committed one unchanged.

    The server must have all bytes that the manifest lists, with the listed sizes. The digest of a full manifest must
    equal the digest that the client gave at creation. Needs a write transaction.
    """
    if artifact.state == "COMMITTED":
        return artifact
    stored = manifests.current(connection, artifact.number)
    if stored is None:
        raise RequestError("the artifact cannot be committed: its manifest was not uploaded")
    manifest = _full_manifest(store, connection, artifact, stored)
    contents = _with_stored_sizes(connection, artifact, manifest)
    if stored.type != "FULL":
        _store_full_manifest(store, connection, artifact, manifest)
    entries.insert(connection, artifact, contents)
    entries.delete_announced(connection, artifact.number)
    connection.execute(
        """UPDATE artifacts SET state = 'COMMITTED', digest = ?, storage_layout = ?, size = ?, storage_bytes = ?,
           file_count = ?, updated_at = ? WHERE id = ?""",
        (
            manifest.digest(),
            manifest.storage_policy_config.storage_layout,
            sum(entry.size or 0 for entry in contents.values()),
            sum(entry.size or 0 for entry in contents.values() if entry.ref is None),
            len(contents),
            timestamps.to_string(timestamps.now()),
            artifact.number,
        ),
    )
    place = memberships.add(connection, artifact.sequence_number, artifact.number)
    wanted = lenient_json.parse(artifact.wanted_aliases, what="aliases")
    asked = [each for each in wanted if isinstance(each, str)] if isinstance(wanted, list) else []
    aliases.assign(connection, place, [naming.LATEST, *asked])
    return versions.by_number(connection, artifact.number)


def _full_manifest(
    store: Store, connection: sqlite3.Connection, artifact: Artifact, stored: StoredManifest
) -> Manifest:
    """Return the full manifest of the version; merge an incremental one into its base."""
    manifest = manifests.read(store, stored)
    if stored.type != "FULL":
        base = None if stored.base_number is None else manifests.current(connection, stored.base_number)
        return manifest if base is None else manifest.merged_into(manifests.read(store, base))
    if manifest.digest() != artifact.digest:
        raise RequestError(
            f"the artifact cannot be committed: its manifest has digest {manifest.digest()}, not {artifact.digest}"
        )
    return manifest


def _store_full_manifest(
    store: Store, connection: sqlite3.Connection, artifact: Artifact, whole: Manifest
) -> None:
    written = files.write(store, whole.to_json())
    full = manifests.create(connection, artifact.number, "FULL", base=None, digest=written.md5)
    manifests.record(connection, full.number, written)


def _with_stored_sizes(
    connection: sqlite3.Connection, artifact: Artifact, manifest: Manifest
) -> dict[str, ManifestEntry]:
    """Return the entries with the sizes of their stored bytes; refuses missing bytes and other sizes."""
    contents: dict[str, ManifestEntry] = {}
    missing: list[str] = []
    for path, entry in manifest.contents.items():
        blob = None if entry.ref is not None else blobs.find(connection, artifact.entity_number, entry.digest)
        if blob is None:
            contents[path] = entry
            missing += [path] if entry.ref is None else []
            continue
        if entry.size is not None and entry.size != blob.size:
            raise RequestError(
                f"the artifact cannot be committed: {path!r} has {blob.size} bytes here, {entry.size} in the manifest"
            )
        contents[path] = entry.model_copy(update={"size": blob.size})
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        named = ", ".join(repr(path) for path in missing[:_NAMED])
        raise RequestError(f"the artifact cannot be committed: not uploaded: {named}{more}")
    return contents
