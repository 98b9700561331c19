"""What is changed of an artifact is stored, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, taken

from runql import AnswerError, ArtifactNotFoundError
from runql_server.running import RunningServer


def operations(server: RunningServer) -> list[str]:
    return [request.operation or request.method for request in server.requests]


@pytest.fixture
def artifact(api: Untyped, face: Face, home: str, server: RunningServer) -> Untyped:
    found = taken(face, api.artifact(f"{home}/rows:v1"))
    server.clear()
    return found


def again(api: Untyped, face: Face, artifact: Untyped) -> Untyped:
    return taken(face, api.artifact(artifact.qualified_name))


def test_everything_that_can_be_changed(
    api: Untyped, face: Face, artifact: Untyped, server: RunningServer
) -> None:
    artifact.description = "größer ✓"
    artifact.metadata["rows"] = 2
    artifact.metadata["nested"] = {"a": [1, None, "x"]}
    artifact.tags = ["clean rows", "new"]
    artifact.aliases.append("champion")
    artifact.aliases.remove("best")
    artifact.ttl = timedelta(days=3)
    taken(face, artifact.save())
    assert operations(server) == ["UpdateArtifact", "AddAliases", "DeleteAliases"]
    stored = again(api, face, artifact)
    assert stored.description == artifact.description == "größer ✓"
    assert stored.metadata == {"rows": 2, "source": {"kind": "sensor"}, "nested": {"a": [1, None, "x"]}}
    assert sorted(stored.tags) == ["clean rows", "new"]
    assert stored.aliases == ["champion"]
    assert (stored.ttl, stored.ttl_is_inherited) == (timedelta(days=3), False)
    assert (stored.digest, stored.size) == (artifact.digest, artifact.size)
    server.clear()
    taken(face, artifact.save())
    assert server.requests == []


def test_others_changes_are_not_written_back(api: Untyped, face: Face, artifact: Untyped) -> None:
    other = again(api, face, artifact)
    other.description = "by another"
    taken(face, other.save())
    artifact.tags.append("mine")
    taken(face, artifact.save())
    stored = again(api, face, artifact)
    assert (stored.description, "mine" in stored.tags) == ("by another", True)
    assert artifact.description == "by another", "the answer tells what is stored"


def test_a_time_to_live_is_taken_back(api: Untyped, face: Face, artifact: Untyped) -> None:
    for assigned, stored in ((timedelta(hours=1), (timedelta(hours=1), False)), (None, (None, False))):
        artifact.ttl = assigned
        taken(face, artifact.save())
        found = again(api, face, artifact)
        assert (found.ttl, found.ttl_is_inherited) == stored
    artifact.ttl = "inherit"
    taken(face, artifact.save())
    assert again(api, face, artifact).ttl_is_inherited


def test_an_alias_moves_from_the_version_that_had_it(
    api: Untyped, face: Face, home: str, artifact: Untyped
) -> None:
    newest = taken(face, api.artifact(f"{home}/rows:v2"))
    newest.aliases.append("best")
    taken(face, newest.save())
    assert taken(face, api.artifact(f"{home}/rows:best")).version == "v2"
    assert again(api, face, artifact).aliases == []


def test_a_description_is_cleared(api: Untyped, face: Face, artifact: Untyped) -> None:
    artifact.description = None
    taken(face, artifact.save())
    assert not again(api, face, artifact).description


def test_a_version_without_aliases_is_deleted(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    oldest = taken(face, api.artifact(f"{home}/rows:v0"))
    server.clear()
    taken(face, oldest.delete())
    assert operations(server) == ["DeleteArtifact"]
    assert not taken(face, api.artifact_exists(f"{home}/rows:v0"))
    assert taken(face, api.artifact_exists(f"{home}/rows:v1"))
    with pytest.raises(ArtifactNotFoundError, match="any more"):
        taken(face, oldest.delete())


def test_a_version_with_aliases_is_deleted_on_request_only(
    api: Untyped, face: Face, home: str, artifact: Untyped
) -> None:
    with pytest.raises(AnswerError, match="alias"):
        taken(face, artifact.delete())
    assert taken(face, api.artifact_exists(f"{home}/rows:best"))
    taken(face, artifact.delete(delete_aliases=True))
    assert not taken(face, api.artifact_exists(f"{home}/rows:best"))
    artifact.description = "too late"
    with pytest.raises(ArtifactNotFoundError):
        taken(face, artifact.save())
