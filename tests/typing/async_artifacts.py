"""What a strictly typed program sees of artifacts on the awaited face. Checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

from runql import (
    AsyncApi,
    AsyncArtifact,
    AsyncArtifactCollection,
    AsyncArtifactCollections,
    AsyncArtifactEntry,
    AsyncArtifactFile,
    AsyncArtifactFiles,
    AsyncArtifacts,
    AsyncArtifactType,
    AsyncArtifactTypes,
    AsyncRun,
    AsyncRunArtifacts,
    JSONValue,
    LoggedTable,
    Manifest,
    ManifestEntry,
)


async def use_catalog(api: AsyncApi) -> None:
    """Where artifacts are found."""
    assert_type(await api.artifact("entity/project/name:v3", "model"), AsyncArtifact)
    assert_type(await api.artifact_exists("name"), bool)
    assert_type(await api.artifacts("model", "name", 10, ["good"]), AsyncArtifacts)
    assert_type(await api.artifacts("model", "name", order="-created_at"), AsyncArtifacts)
    assert_type(await api.artifact_versions("model", "name"), AsyncArtifacts)
    assert_type(await api.artifact_type("model"), AsyncArtifactType)
    assert_type(await api.artifact_types("entity/project"), AsyncArtifactTypes)
    assert_type(await api.artifact_collection("model", "name"), AsyncArtifactCollection)
    assert_type(await api.artifact_collections("entity/project", "model"), AsyncArtifactCollections)
    assert_type(await api.artifact_collection_exists("name", "model"), bool)


async def use_lists(versions: AsyncArtifacts, logged: AsyncRunArtifacts, kinds: AsyncArtifactTypes) -> None:
    """Lists of artifacts."""
    assert_type(await logged.first(), AsyncArtifact | None)
    assert_type(await logged.one(), AsyncArtifact)
    assert_type(await versions[0], AsyncArtifact)
    assert_type(await logged[1:], list[AsyncArtifact])
    assert_type(await logged.length, int)
    assert_type(logged.more, bool)
    assert_type(logged.convert_objects(), list[AsyncArtifact])
    assert_type(await versions.next(), AsyncArtifact)
    assert_type(logged.cursor, str | None)
    assert_type(await kinds[0], AsyncArtifactType)


async def use_lineage(run: AsyncRun, artifact: AsyncArtifact) -> None:
    """What a run read and wrote."""
    assert_type(run.logged_artifacts(10), AsyncRunArtifacts)
    assert_type(run.used_artifacts(), AsyncRunArtifacts)
    assert_type(await run.use_artifact(artifact, "data"), AsyncArtifact)
    assert_type(await run.log_artifact(artifact, ["best"], tags=["good"]), AsyncArtifact)
    assert_type(await artifact.used_by(), list[AsyncRun])
    assert_type(await artifact.logged_by(), AsyncRun | None)


async def use_kinds(kind: AsyncArtifactType, collection: AsyncArtifactCollection) -> None:
    """Kinds and collections."""
    assert_type([kind.id, kind.name, kind.entity, kind.project, kind.created_at], list[str])
    assert_type(kind.created_time, datetime)
    assert_type(kind.description, str | None)
    assert_type(kind.collections(10), AsyncArtifactCollections)
    assert_type(await kind.collection("name"), AsyncArtifactCollection)
    assert_type([collection.id, collection.name, collection.entity, collection.project], list[str])
    collection.name = collection.type = "new"
    assert_type(await collection.save(), None)
    assert_type(await collection.delete(), None)
    assert_type([collection.type, collection.created_at], list[str])
    assert_type(collection.created_time, datetime)
    assert_type(collection.description, str | None)
    assert_type(collection.updated_at, str | None)
    assert_type(collection.updated_time, datetime | None)
    assert_type(collection.tags, list[str])
    assert_type(collection.aliases, list[str])
    assert_type(collection.is_sequence(), bool)
    assert_type(collection.artifacts(10, tags=["good"]), AsyncArtifacts)
    collection.description = None
    collection.tags = ("a", "b")


async def use_artifact(artifact: AsyncArtifact) -> None:
    """One version: what it is, and changing it."""
    assert_type([artifact.id, artifact.entity, artifact.project, artifact.collection_name], list[str])
    assert_type([artifact.name, artifact.qualified_name, artifact.version, artifact.type], list[str])
    assert_type([artifact.source_entity, artifact.source_project, artifact.source_name], list[str])
    assert_type([artifact.source_qualified_name, artifact.source_version, artifact.url], list[str])
    assert_type([artifact.state, artifact.digest, artifact.created_at, artifact.updated_at], list[str])
    assert_type([artifact.created_time, artifact.updated_time], list[datetime])
    assert_type([artifact.size, artifact.file_count], list[int])
    assert_type([artifact.is_link, artifact.ttl_is_inherited], list[bool])
    assert_type(artifact.commit_hash, str | None)
    assert_type(artifact.with_key("key"), AsyncArtifact)
    assert_type(artifact.history_step, int | None)
    assert_type(artifact.description, str | None)
    assert_type(artifact.metadata, dict[str, JSONValue])
    assert_type(artifact.ttl, timedelta | None)
    assert_type(artifact.aliases, list[str])
    assert_type(artifact.tags, list[str])
    artifact.description = None
    artifact.metadata = {"rows": 3}
    artifact.aliases = ("best",)
    artifact.tags = {"good"}
    artifact.ttl = timedelta(days=30)
    artifact.ttl = "inherit"
    artifact.ttl = None
    assert_type(await artifact.save(), None)
    assert_type(await artifact.delete(delete_aliases=True), None)


async def use_contents(artifact: AsyncArtifact) -> None:
    """Its files."""
    assert_type(await artifact.download("root", path_prefix="a/", max_concurrency=4), Path)
    assert_type(await artifact.verify("root"), list[str])
    assert_type(await artifact.get("name"), LoggedTable)
    assert_type(await artifact.file("root"), Path)
    assert_type(await artifact.get_path("a"), AsyncArtifactEntry)
    assert_type(artifact.is_draft(), bool)
    assert_type(await artifact.source_artifact, AsyncArtifact)
    assert_type(await artifact.source_collection, AsyncArtifactCollection)
    assert_type(await artifact.collection, AsyncArtifactCollection)
    assert_type(await artifact.unlink(), None)
    manifest = await artifact.manifest
    assert_type(manifest, Manifest)
    assert_type(manifest.size, int)
    assert_type(await artifact.entries, Mapping[str, ManifestEntry])
    entry = await artifact.get_entry("a/b")
    assert_type(entry, AsyncArtifactEntry)
    assert_type([entry.path, entry.digest], list[str])
    assert_type(entry.size, int | None)
    assert_type(entry.ref, str | None)
    assert_type(entry.extra, Mapping[str, JSONValue])
    assert_type(entry.is_reference, bool)
    assert_type(entry.birth_artifact_id, str | None)
    assert_type(await entry.download(), Path)
    files = artifact.files(["a/b"], 10)
    assert_type(files, AsyncArtifactFiles)
    file = await files[0]
    assert_type(file, AsyncArtifactFile)
    assert_type([file.id, file.name, file.direct_url], list[str])
    assert_type(file.size, int)
    assert_type(file.url, str | None)
    assert_type([file.md5, file.mimetype, file.updated_at], list[str | None])
    assert_type(file.updated_time, datetime | None)
    assert_type(await file.download("root", exist_ok=True), Path)
