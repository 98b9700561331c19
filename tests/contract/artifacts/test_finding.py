"""Artifacts are found by name, listed by collection and kind, and say what they are."""

from __future__ import annotations

import pytest
from tests.contract.either import Untyped, listed, taken
from tests.contract.face import Face

from runql import ArtifactNotFoundError, PathError, ProjectNotFoundError
from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact


def operations(server: RunningServer) -> list[str]:
    return [request.operation or request.method for request in server.requests]


def names(artifacts: list[Untyped]) -> list[str]:
    return [artifact.name for artifact in artifacts]


@pytest.mark.parametrize(
    ("asked", "version"),
    [("rows:v1", "v1"), ("rows:best", "v1"), ("rows", "v2"), ("rows:latest", "v2"), ("net:v0", "v0")],
)
def test_a_version_is_found_by_its_number_or_an_alias(
    asked: str, version: str, api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    artifact = taken(face, api.artifact(f"{home}/{asked}"))
    collection = asked.partition(":")[0]
    assert operations(server) == ["GetArtifactMembership"]
    assert artifact.version == version
    assert artifact.name == f"{collection}:{version}"
    assert artifact.qualified_name == artifact.source_qualified_name == f"{home}/{collection}:{version}"
    assert (artifact.entity, artifact.project) == (artifact.source_entity, artifact.source_project)
    assert (artifact.source_name, artifact.source_version) == (artifact.name, version)
    assert not artifact.is_link


def test_it_says_what_it_is_without_a_further_request(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:best", "dataset"))
    assert (artifact.type, artifact.state, artifact.collection_name) == ("dataset", "COMMITTED", "rows")
    assert (artifact.aliases, artifact.tags) == (["best"], ["small", "clean rows"])
    assert (artifact.description, artifact.metadata) == (
        "the rows",
        {"rows": 1, "source": {"kind": "sensor"}},
    )
    assert (artifact.size, artifact.file_count) == (16 + 256 * 400, 4)
    assert (artifact.ttl, artifact.ttl_is_inherited) == (None, True)
    assert len(artifact.digest) == 32
    assert artifact.id
    assert artifact.created_at <= artifact.updated_at
    assert artifact.url == f"{server.url}/{home}/artifacts/dataset/rows/v1"
    assert repr(artifact) == f"<Artifact {home}/rows:v1 (dataset)>"
    assert artifact.history_step is None
    assert artifact.commit_hash
    assert len(server.requests) == 1


def test_its_page_is_a_path_to_it(api: Untyped, face: Face, home: str) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:v1"))
    assert taken(face, api.artifact(artifact.url)).id == artifact.id


def test_without_an_entity_it_is_the_default_one(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    project = home.partition("/")[2]
    assert taken(face, api.artifact(f"{project}/rows:v1")).entity == server.entity
    assert operations(server) == ["GetViewer", "GetArtifactMembership"]


@pytest.mark.parametrize("asked", ["rows:v9", "rows:nothing", "nothing:v0"])
def test_what_is_not_there(asked: str, api: Untyped, face: Face, home: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match=asked):
        taken(face, api.artifact(f"{home}/{asked}"))
    assert taken(face, api.artifact_exists(f"{home}/{asked}")) is False


def test_what_is_refused(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    with pytest.raises(ProjectNotFoundError):
        taken(face, api.artifact(f"{server.entity}/nowhere/rows:v0"))
    with pytest.raises(ValueError, match="is of type dataset, not model"):
        taken(face, api.artifact(f"{home}/rows:v1", type="model"))
    server.clear()
    with pytest.raises(PathError):
        taken(face, api.artifact("a/b/c/d:v0"))
    assert server.requests == []


def test_whether_it_exists(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    assert taken(face, api.artifact_exists(f"{home}/rows:best"))
    assert taken(face, api.artifact_exists(f"{home}/rows:best", "dataset"))
    assert not taken(face, api.artifact_exists(f"{home}/rows:best", "model"))
    assert not taken(face, api.artifact_exists(f"{server.entity}/nowhere/rows:best"))
    assert len(server.requests) == 4
    assert taken(face, api.artifact_collection_exists(f"{home}/rows", "dataset"))
    assert not taken(face, api.artifact_collection_exists(f"{home}/rows", "model"))
    assert not taken(face, api.artifact_collection_exists(f"{home}/nothing", "dataset"))


def test_a_version_that_is_being_written_is_not_found(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    server.seed_artifacts(
        home.partition("/")[2], [SeedArtifact(name="slow", files={"a": b"a"}, state="PENDING")]
    )
    assert not taken(face, api.artifact_exists(f"{home}/slow:v0"))


def test_versions_are_read_page_by_page(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    versions = taken(face, api.artifacts("dataset", f"{home}/rows", per_page=2))
    assert server.requests == []
    assert taken(face, versions.length) == 3
    assert operations(server) == ["ListArtifactVersions"]
    assert sorted(names(listed(face, versions))) == ["rows:v0", "rows:v1", "rows:v2"]
    assert operations(server) == ["ListArtifactVersions"] * 2
    found = {artifact.name: artifact for artifact in listed(face, versions)}
    assert (found["rows:v1"].aliases, found["rows:v2"].aliases) == (["best"], ["latest"])
    assert repr(versions) == f"<Artifacts {home}/rows>"


def test_versions_with_all_of_some_tags(api: Untyped, face: Face, home: str) -> None:
    def tagged(*tags: str) -> list[str]:
        return sorted(names(listed(face, taken(face, api.artifacts("dataset", f"{home}/rows", tags=tags)))))

    assert tagged("small") == ["rows:v0", "rows:v1"]
    assert tagged("small", "clean rows") == ["rows:v1"]
    assert tagged("nothing") == []
    few = taken(face, api.artifacts("dataset", f"{home}/rows", per_page=1, tags=["small"]))
    assert taken(face, few.length) == 2
    with pytest.raises(TypeError, match="list of str"):
        taken(face, api.artifacts("dataset", f"{home}/rows", tags="small"))


def test_versions_of_a_collection_that_is_not_there(api: Untyped, face: Face, home: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no collection rows of type model"):
        listed(face, taken(face, api.artifacts("model", f"{home}/rows")))
    with pytest.raises(ValueError, match="per_page"):
        taken(face, api.artifacts("model", f"{home}/rows", per_page=0))


def test_kinds_and_collections(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    types = taken(face, api.artifact_types(home))
    assert sorted(kind.name for kind in listed(face, types)) == ["dataset", "model"]
    assert taken(face, types.length) == 2
    assert operations(server) == ["ListArtifactTypes"]
    server.clear()
    kind = taken(face, api.artifact_type("dataset", home))
    assert (kind.name, kind.entity, f"{kind.entity}/{kind.project}") == ("dataset", server.entity, home)
    assert (kind.description, bool(kind.id), bool(kind.created_at)) == (None, True, True)
    (collection,) = listed(face, kind.collections())
    assert operations(server) == ["GetArtifactType", "ListArtifactCollections"]
    assert (collection.name, collection.type, collection.is_sequence()) == ("rows", "dataset", True)
    assert set(collection.aliases) >= {"latest", "best"}
    assert (collection.tags, collection.description) == ([], None)
    assert len(names(listed(face, collection.artifacts()))) == 3
    assert taken(face, kind.collection("rows")).id == collection.id
    assert taken(face, api.artifact_collection("dataset", f"{home}/rows")).id == collection.id
    assert [each.id for each in listed(face, taken(face, api.artifact_collections(home, "dataset")))] == [
        collection.id
    ]
    assert f"{collection.entity}/{collection.project}" == home
    assert repr(collection) == f"<ArtifactCollection {home}/rows (dataset)>"


def test_kinds_and_collections_that_are_not_there(api: Untyped, face: Face, home: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no artifacts of type video"):
        taken(face, api.artifact_type("video", home))
    with pytest.raises(ArtifactNotFoundError, match="no artifacts of type video"):
        listed(face, taken(face, api.artifact_collections(home, "video")))
    with pytest.raises(ArtifactNotFoundError, match="no collection nothing"):
        taken(face, api.artifact_collection("dataset", f"{home}/nothing"))
    with pytest.raises(ProjectNotFoundError):
        listed(face, taken(face, api.artifact_types("local/nowhere")))
