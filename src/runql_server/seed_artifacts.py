"""Inserts artifacts into a store without the SDK, for tests, demos and benchmarks."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from runql_server import lenient_json
from runql_server.access import auth
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import committing, creation, lineage, naming, versions
from runql_server.artifacts.contents import blobs, entries, manifests
from runql_server.artifacts.contents.manifest_format import Manifest, ManifestEntry, StoragePolicyConfig
from runql_server.artifacts.creation import NewArtifact
from runql_server.artifacts.versions import Artifact
from runql_server.lenient_json import JsonInput
from runql_server.runs import runs
from runql_server.storage import files, projects
from runql_server.storage.projects import Project
from runql_server.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class SeedReference:
    """A manifest entry that refers to bytes outside the server.

    Attributes:
        uri: the target; any scheme.
        digest: the checksum for clients, such as an ETag; empty means the URI itself, as in the SDK.
        size: in bytes, if known.
    """

    uri: str
    digest: str = ""
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class SeedArtifact:
    """One version to insert; several of the same name become v0, v1, … in the given order.

    ``name`` is the collection. ``files`` holds bytes by path, ``references`` holds references by path. ``aliases``
    come in addition to ``latest``, which the newest version always has. ``logged_by`` is the id of the run that made
    the version, ``used_by`` the ids of the runs that read it, all in the same project. A pending version has no
    number, manifest or files, and no name finds it. ``storage_layout`` is the layout that the manifest states.
    """

    name: str
    type: str = "dataset"
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    references: Mapping[str, SeedReference] = field(default_factory=dict[str, SeedReference])
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    metadata: Mapping[str, JsonInput] = field(default_factory=dict[str, JsonInput])
    ttl_seconds: int | None = None
    logged_by: str | None = None
    used_by: tuple[str, ...] = ()
    state: Literal["COMMITTED", "PENDING"] = "COMMITTED"
    storage_layout: Literal["V1", "V2"] = "V2"


def seed_artifacts(
    store: Store, *, project: str, artifacts: Iterable[SeedArtifact], entity: str | None = None
) -> list[str]:
    """Insert versions in one transaction, and return their names, such as ``collection:v3``, in order.

    The name of a pending version is the one that it would get if it were committed next. Creates the project if it is
    missing. The entity defaults to the server's own. The user must exist: add a key to the store first.
    """
    with store.writing() as connection:
        home = projects.ensure(connection, entity or auth.USERNAME, project, user=1)
        return [_seed(store, connection, home, artifact) for artifact in artifacts]


def _seed(store: Store, connection: sqlite3.Connection, project: Project, seed: SeedArtifact) -> str:
    manifest = _manifest(seed)
    artifact = creation.create(
        connection,
        project,
        NewArtifact(
            type_name=seed.type,
            collection=seed.name,
            digest=manifest.digest(),
            run=_run(connection, project, seed.logged_by),
            aliases=list(seed.aliases),
            tags=naming.check_tags([{"tag_name": tag} for tag in seed.tags]),
            description=seed.description,
            metadata=lenient_json.dump(seed.metadata),
            ttl=seed.ttl_seconds,
        ),
        user=1,
    )
    for run_id in seed.used_by:
        number = runs.number_of(connection, project.entity_name, project.name, run_id)
        lineage.record_input(connection, number, artifact.number, seed.name)
    if seed.state == "PENDING":
        return f"{seed.name}:{naming.version_name(artifact_collections.versions_made(connection, artifact.sequence_number))}"
    _store(store, connection, artifact, seed, manifest)
    committed = committing.commit(store, connection, versions.by_number(connection, artifact.number))
    return f"{seed.name}:{naming.version_name(committed.version or 0)}"


def _run(connection: sqlite3.Connection, project: Project, run_id: str | None) -> int | None:
    return None if run_id is None else runs.number_of(connection, project.entity_name, project.name, run_id)


def _manifest(seed: SeedArtifact) -> Manifest:
    stored = {
        path: ManifestEntry(digest=_md5(content), size=len(content)) for path, content in seed.files.items()
    }
    referred = {
        path: ManifestEntry(digest=each.digest or each.uri, ref=each.uri, size=each.size)
        for path, each in seed.references.items()
    }
    return Manifest(
        storage_policy_config=StoragePolicyConfig(storage_layout=seed.storage_layout),
        contents={naming.check_path(path): entry for path, entry in {**stored, **referred}.items()},
    )


def _store(
    store: Store, connection: sqlite3.Connection, artifact: Artifact, seed: SeedArtifact, manifest: Manifest
) -> None:
    contents = dict(manifest.contents)
    surplus: list[str | None] = []
    for path, content in seed.files.items():
        announced = entries.announce(connection, artifact, path, contents[path].digest)
        if not announced.stored:
            surplus.append(blobs.record(connection, artifact.entity_number, files.write(store, content)))
        if seed.storage_layout == "V2":
            birth = {"birth_artifact_id": announced.birth_artifact_id}
            contents[path] = contents[path].model_copy(update=birth)
    files.remove_blobs(store, surplus)
    written = files.write(store, manifest.model_copy(update={"contents": contents}).to_json())
    made = manifests.create(connection, artifact.number, "FULL", base=None, digest=written.md5)
    manifests.record(connection, made.number, written)


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
