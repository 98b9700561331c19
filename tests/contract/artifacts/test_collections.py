"""Collections: those of a project, and what is changed of one is stored, and nothing else is."""

from __future__ import annotations

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken

from runql import (
    AnswerError,
    ArtifactNotFoundError,
    ChangeRefusedError,
    IncompleteUpdateError,
    OutdatedServerError,
    ProjectNotFoundError,
)
from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact


def operations(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def link_source(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    """A dataset `src`, and a link to it in the collection `shelf`."""
    entity, _, project = home.partition("/")
    server.seed_artifacts(project, [SeedArtifact(name="src", files={"a": b"1"})])
    wanted = {
        "artifactID": taken(face, api.artifact(f"{home}/src:v0")).id,
        "artifactPortfolioName": "shelf",
        "entityName": entity,
        "projectName": project,
    }
    document = "mutation M($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }"
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": document, "variables": {"input": wanted}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    assert "errors" not in answer.json(), answer.text


@pytest.fixture
def rows(api: Untyped, face: Face, home: str, server: RunningServer) -> Untyped:
    found = taken(face, api.artifact_collection("dataset", f"{home}/rows"))
    server.clear()
    return found


def test_everything_that_can_be_changed(
    api: Untyped, face: Face, home: str, rows: Untyped, server: RunningServer
) -> None:
    rows.name, rows.type, rows.description = "lines", "corpus", "größer ✓"
    rows.tags = ["gold", "old one"]
    assert server.requests == []
    taken(face, rows.save())
    assert operations(server) == [
        "UpdateArtifactSequence",
        "UpdateArtifactSequenceType",
        "CreateArtifactCollectionTags",
    ]
    stored = taken(face, api.artifact_collection("corpus", f"{home}/lines"))
    for each in (rows, stored):
        assert (each.name, each.type, each.description) == ("lines", "corpus", "größer ✓")
        assert sorted(each.tags) == ["gold", "old one"]
    assert stored.id == rows.id
    assert len(listed(face, rows.artifacts())) == len(listed(face, stored.artifacts())) == 3
    with pytest.raises(ArtifactNotFoundError):
        taken(face, api.artifact_collection("dataset", f"{home}/rows"))


def test_only_what_differs_is_sent(face: Face, rows: Untyped, server: RunningServer) -> None:
    taken(face, rows.save())
    rows.name, rows.description, rows.tags = rows.name, rows.description, list(rows.tags)
    taken(face, rows.save())
    assert server.requests == []
    rows.name, rows.name = "other", "rows"
    rows.description = None
    taken(face, rows.save())
    assert server.requests == []
    rows.description = "new"
    taken(face, rows.save())
    taken(face, rows.save())
    assert operations(server) == ["UpdateArtifactSequence"]


def test_what_was_not_changed_is_not_written_back(face: Face, home: str, server: RunningServer) -> None:
    between = InterceptingTransport(lambda _sent: None)
    api: Untyped = face.api(server.url, server.api_key, transport=between)
    rows = taken(face, api.artifact_collection("dataset", f"{home}/rows"))
    rows.description = "new"
    taken(face, rows.save())
    assert between.seen[-1].variables["input"] == {"artifactSequenceID": rows.id, "description": "new"}


def test_tags_are_added_and_taken_away(
    api: Untyped, face: Face, home: str, rows: Untyped, server: RunningServer
) -> None:
    rows.tags.extend(["a", "b"])
    taken(face, rows.save())
    rows.tags.remove("a")
    rows.tags.append("c")
    taken(face, rows.save())
    assert operations(server) == [
        "CreateArtifactCollectionTags",
        "CreateArtifactCollectionTags",
        "DeleteArtifactCollectionTags",
    ]
    stored = taken(face, api.artifact_collection("dataset", f"{home}/rows"))
    assert sorted(stored.tags) == sorted(rows.tags) == ["b", "c"]


def test_what_cannot_be_assigned_is_refused_at_once(rows: Untyped, server: RunningServer) -> None:
    for name in ("", " ", "a/b", "a:b", "x" * 129):
        with pytest.raises(ValueError, match="a collection's name has"):
            rows.name = name
    for kind in ("", "a/b", "x" * 129):
        with pytest.raises(ValueError, match="a type has"):
            rows.type = kind
    with pytest.raises(ValueError, match="a tag has"):
        rows.tags = ["a/b"]
    for field in ("name", "type", "description"):
        with pytest.raises(TypeError, match="must be a str"):
            setattr(rows, field, 7)
    with pytest.raises(TypeError, match="tags must be"):
        rows.tags = "one"
    assert (rows.name, rows.type) == ("rows", "dataset")
    assert server.requests == []


def test_a_name_that_is_taken_is_the_servers_error(
    api: Untyped, face: Face, home: str, rows: Untyped
) -> None:
    rows.name = "net"
    with pytest.raises(AnswerError, match="exists already"):
        taken(face, rows.save())
    assert taken(face, api.artifact_collection("dataset", f"{home}/rows")).id == rows.id
    assert rows.name == "net"


def test_what_was_written_before_a_failure_is_said(face: Face, home: str, server: RunningServer) -> None:
    def refuse(sent: Sent) -> Fault:
        if sent.operation == "CreateArtifactCollectionTags":
            return httpx.Response(200, json={"data": {"createArtifactCollectionTagAssignments": None}})
        return None

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(refuse))
    rows = taken(face, api.artifact_collection("dataset", f"{home}/rows"))
    rows.tags.append("x")
    with pytest.raises(ChangeRefusedError, match="did not add tags x to"):
        taken(face, rows.save())
    rows.description = "new"
    with pytest.raises(IncompleteUpdateError) as caught:
        taken(face, rows.save())
    assert (caught.value.written, caught.value.failed) == (("description",), ("added tags",))
    assert rows.tags == ["x"]


def test_a_collection_is_deleted_with_its_versions(
    api: Untyped, face: Face, home: str, rows: Untyped, server: RunningServer
) -> None:
    taken(face, rows.delete())
    assert operations(server) == ["DeleteArtifactSequence"]
    assert not taken(face, api.artifact_exists(f"{home}/rows:v1"))
    assert taken(face, api.artifact_exists(f"{home}/net:v0"))
    rows.description = "too late"
    for asked in (rows.save, rows.delete):
        with pytest.raises(ArtifactNotFoundError, match="does not exist any more"):
            taken(face, asked())


def test_a_collection_of_links_keeps_its_type_and_loses_only_links(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    link_source(api, face, home, server)
    shelf = taken(face, api.artifact_collection("dataset", f"{home}/shelf"))
    assert not shelf.is_sequence()
    with pytest.raises(ValueError, match="a collection of links"):
        shelf.type = "model"
    server.clear()
    shelf.name = "board"
    taken(face, shelf.save())
    taken(face, shelf.delete())
    assert operations(server) == ["UpdateArtifactPortfolio", "DeleteArtifactPortfolio"]
    assert taken(face, api.artifact_exists(f"{home}/src:v0"))


# -- of a project -------------------------------------------------------------------------------------------------


def test_a_projects_collections_of_all_kinds(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    project = taken(face, api.project(home))
    server.clear()
    found = project.collections(per_page=1)
    assert {(each.name, each.type) for each in listed(face, found)} == {("rows", "dataset"), ("net", "model")}
    assert taken(face, found.length) == 2
    assert operations(server) == ["ListProjectCollections"] * 2
    assert sorted(each.name for each in listed(face, project.artifacts_types())) == ["dataset", "model"]
    ordered = project.collections({"name": "net"}, "-name", 50)
    assert [each.name for each in listed(face, ordered)] == ["net"]
    assert operations(server)[-1] == "ListFilteredProjectCollections"
    versions = listed(face, listed(face, ordered)[0].artifacts())
    assert [each.version for each in versions] == ["v0"]


def test_servers_without_filters_list_all_the_same(face: Face, home: str, server: RunningServer) -> None:
    def outdated(sent: Sent) -> Fault:
        if sent.operation == "ListFilteredProjectCollections":
            problem = {"message": 'Unknown argument "filters" on field "Project.artifactCollections".'}
            return httpx.Response(400, json={"errors": [problem]})
        return None

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(outdated))
    project = taken(face, api.project(home))
    assert len(listed(face, project.collections())) == 2
    with pytest.raises(OutdatedServerError, match="artifactCollections"):
        listed(face, project.collections(order="-name"))


def test_collections_of_no_project_are_not_found(face: Face, home: str, server: RunningServer) -> None:
    def hidden(sent: Sent) -> Fault:
        return (
            httpx.Response(200, json={"data": {"project": None}}) if "Collections" in sent.operation else None
        )

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(hidden))
    project = taken(face, api.project(home))
    for given in ({}, {"order": "name"}):
        with pytest.raises(ProjectNotFoundError):
            listed(face, project.collections(**given))


# -- of a version -------------------------------------------------------------------------------------------------


def test_a_version_leads_to_its_collections_and_its_source(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    link_source(api, face, home, server)
    link = taken(face, api.artifact(f"{home}/shelf:v0"))
    server.clear()
    assert (taken(face, link.collection).name, taken(face, link.source_collection).name) == ("shelf", "src")
    source = taken(face, link.source_artifact)
    assert (source.name, source.is_link, source.is_draft()) == ("src:v0", False, False)
    assert len(server.requests) == 3
    assert taken(face, source.source_artifact) is source
    with pytest.raises(ValueError, match="is not a link"):
        taken(face, source.unlink())
    assert len(server.requests) == 3
    taken(face, link.unlink())
    assert operations(server)[-1] == "UnlinkArtifact"
    assert not taken(face, api.artifact_exists(f"{home}/shelf:v0"))
    assert taken(face, api.artifact_exists(f"{home}/src:v0"))


def test_the_only_file_of_a_version(api: Untyped, face: Face, home: str, tmp_path: Untyped) -> None:
    single = taken(face, api.artifact(f"{home}/net:v0"))
    path = taken(face, single.file(tmp_path))
    assert (path, path.read_bytes()) == (tmp_path / "weights", b"w")
    several = taken(face, api.artifact(f"{home}/rows:v1"))
    with pytest.raises(ValueError, match="has 4 files: use download"):
        taken(face, several.file(tmp_path))
