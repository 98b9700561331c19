"""What a strictly typed program sees of artifacts. Checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

from runql import (
    Api,
    Artifact,
    ArtifactCollection,
    ArtifactCollections,
    ArtifactEntry,
    ArtifactFile,
    ArtifactFiles,
    Artifacts,
    ArtifactType,
    ArtifactTypes,
    JSONValue,
    LoggedTable,
    Manifest,
    ManifestEntry,
    Run,
    RunArtifacts,
)


def use_catalog(api: Api) -> None:
    """Where artifacts are found."""
    assert_type(api.artifact("entity/project/name:v3", "model"), Artifact)
    assert_type(api.artifact_exists("name"), bool)
    assert_type(api.artifacts("model", "name", 10, ["good"]), Artifacts)
    assert_type(api.artifacts("model", "name", order="-created_at"), Artifacts)
    assert_type(api.artifact_versions("model", "name"), Artifacts)
    assert_type(api.artifact_type("model"), ArtifactType)
    assert_type(api.artifact_types("entity/project"), ArtifactTypes)
    assert_type(api.artifact_collection("model", "name"), ArtifactCollection)
    assert_type(api.artifact_collections("entity/project", "model"), ArtifactCollections)
    assert_type(api.artifact_collection_exists("name", "model"), bool)


def use_lists(versions: Artifacts, logged: RunArtifacts, kinds: ArtifactTypes) -> None:
    """Lists of artifacts."""
    assert_type(logged.first(), Artifact | None)
    assert_type(logged.one(), Artifact)
    assert_type(versions[0], Artifact)
    assert_type(logged[1:], list[Artifact])
    assert_type(logged.length, int)
    assert_type(logged.more, bool)
    assert_type(logged.convert_objects(), list[Artifact])
    assert_type(logged.index(logged[0]), int)
    assert_type(logged.count(logged[0]), int)
    assert_type(versions.next(), Artifact)
    assert_type(logged.cursor, str | None)
    assert_type(kinds[0], ArtifactType)


def use_lineage(run: Run, artifact: Artifact) -> None:
    """What a run read and wrote."""
    assert_type(run.logged_artifacts(10), RunArtifacts)
    assert_type(run.used_artifacts(), RunArtifacts)
    assert_type(run.use_artifact(artifact, "data"), Artifact)
    assert_type(run.log_artifact(artifact, ["best"], tags=["good"]), Artifact)
    assert_type(artifact.used_by(), list[Run])
    assert_type(artifact.logged_by(), Run | None)


def use_kinds(kind: ArtifactType, collection: ArtifactCollection) -> None:
    """Kinds and collections."""
    assert_type([kind.id, kind.name, kind.entity, kind.project, kind.created_at], list[str])
    assert_type(kind.created_time, datetime)
    assert_type(kind.description, str | None)
    assert_type(kind.collections(10), ArtifactCollections)
    assert_type(kind.collection("name"), ArtifactCollection)
    assert_type([collection.id, collection.name, collection.entity, collection.project], list[str])
    collection.name = collection.type = "new"
    assert_type(collection.save(), None)
    assert_type(collection.delete(), None)
    assert_type([collection.type, collection.created_at], list[str])
    assert_type(collection.created_time, datetime)
    assert_type(collection.description, str | None)
    assert_type(collection.updated_at, str | None)
    assert_type(collection.updated_time, datetime | None)
    assert_type(collection.tags, list[str])
    assert_type(collection.aliases, list[str])
    assert_type(collection.is_sequence(), bool)
    assert_type(collection.artifacts(10, tags=["good"]), Artifacts)
    collection.description = None
    collection.tags = ("a", "b")


def use_artifact(artifact: Artifact) -> None:
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
    assert_type(artifact.with_key("key"), Artifact)
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
    assert_type(artifact.save(), None)
    assert_type(artifact.delete(delete_aliases=True), None)


def use_contents(artifact: Artifact) -> None:
    """Its files."""
    assert_type(artifact.download("root", path_prefix="a/", max_concurrency=4), Path)
    assert_type(artifact.verify("root"), list[str])
    assert_type(artifact.get("name"), LoggedTable)
    assert_type(artifact.file("root"), Path)
    assert_type(artifact.get_path("a"), ArtifactEntry)
    assert_type(artifact.is_draft(), bool)
    assert_type(artifact.source_artifact, Artifact)
    assert_type(artifact.source_collection, ArtifactCollection)
    assert_type(artifact.collection, ArtifactCollection)
    assert_type(artifact.unlink(), None)
    manifest = artifact.manifest
    assert_type(manifest, Manifest)
    assert_type(manifest.size, int)
    assert_type(artifact.entries, Mapping[str, ManifestEntry])
    entry = artifact.get_entry("a/b")
    assert_type(entry, ArtifactEntry)
    assert_type([entry.path, entry.digest], list[str])
    assert_type(entry.size, int | None)
    assert_type(entry.ref, str | None)
    assert_type(entry.extra, Mapping[str, JSONValue])
    assert_type(entry.is_reference, bool)
    assert_type(entry.birth_artifact_id, str | None)
    assert_type(entry.download(), Path)
    files = artifact.files(["a/b"], 10)
    assert_type(files, ArtifactFiles)
    file = files[0]
    assert_type(file, ArtifactFile)
    assert_type([file.id, file.name, file.direct_url], list[str])
    assert_type(file.size, int)
    assert_type(file.url, str | None)
    assert_type([file.md5, file.mimetype, file.updated_at], list[str | None])
    assert_type(file.updated_time, datetime | None)
    assert_type(file.download("root", exist_ok=True), Path)
