"""Finding an artifact, stepped by hand: what is asked, and what of the answer is believed."""

from __future__ import annotations

import pytest
from tests.unit.resources.artifact_answers import PLACE, alias, artifact, fields
from tests.unit.transport.stepping import answered, played, sent

from runql.errors import ArtifactNotFoundError, PaginationError, ProjectNotFoundError, QueryError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.lookup import (
    VersionQuery,
    find_artifact,
    list_logged,
    list_used,
    list_versions,
    resolved_at_source,
)
from runql.values import JSONValue

OLD = 'Cannot query field "artifactCollectionMembership" on type "Project".'
ASKED = ArtifactAddress("e", "p", "mnist", "best")
PAGE: dict[str, JSONValue] = {"totalCount": 1, "pageInfo": {"endCursor": "c", "hasNextPage": False}}


def member(**changes: JSONValue) -> JSONValue:
    whole: dict[str, JSONValue] = {
        "versionIndex": 7,
        "aliases": [{"alias": "best"}, {"alias": "v7"}],
        "artifactCollection": {"id": "C", "name": "mnist", "project": {"name": "p", "entityName": "e"}},
        "artifact": artifact(),
    }
    return {**whole, **changes}


def test_a_member_is_named_by_its_collection() -> None:
    reply = answered({"project": {"artifactCollectionMembership": member()}})
    found, effects = played(find_artifact(ASKED), [reply])
    assert found.place == ArtifactAddress("e", "p", "mnist", "v7")
    assert (found.aliases, found.collection_id) == (("best",), "C")
    assert [sent(effect).variables for effect in effects] == [
        {"entity": "e", "project": "p", "name": "mnist:best"}
    ]


@pytest.mark.parametrize("hidden", [{"artifactCollection": None}, {"versionIndex": None}])
def test_what_a_member_does_not_tell_is_what_was_asked_for(hidden: dict[str, JSONValue]) -> None:
    reply = answered({"project": {"artifactCollectionMembership": member(**hidden)}})
    found, _ = played(find_artifact(ASKED), [reply])
    assert found.place.qualified_name in {"e/p/mnist:v3", "e/p/mnist:v7"}


@pytest.mark.parametrize(
    "message",
    [
        OLD,
        "Cannot query field 'artifactCollectionMembership' on type 'Project'. Did you mean 'artifact'?",
    ],
)
def test_old_servers_are_asked_by_name(message: str) -> None:
    refused = answered(None, status=400, errors=[{"message": message}])
    named = answered({"project": {"artifact": artifact()}})
    found, effects = played(find_artifact(ASKED), [refused, named])
    assert [sent(effect).name for effect in effects] == ["GetArtifactMembership", "GetNamedArtifact"]
    assert found.place == PLACE
    assert found.aliases == ("latest", "best")


def test_a_link_on_an_old_server_keeps_the_name_it_was_asked_by() -> None:
    refused = answered(None, errors=[{"message": OLD}])
    asked = ArtifactAddress("e", "other", "mnist", "prod")
    found, _ = played(
        find_artifact(asked), [refused, answered({"project": {"name": "other", "artifact": artifact()}})]
    )
    assert (found.place, found.aliases) == (asked, ("prod",))


def test_another_refusal_is_raised() -> None:
    with pytest.raises(QueryError, match="not today"):
        played(find_artifact(ASKED), [answered(None, errors=[{"message": "not today"}])])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"project": None}, ProjectNotFoundError),
        ({"project": {"artifactCollectionMembership": None}}, ArtifactNotFoundError),
        ({"project": {"artifactCollectionMembership": member(artifact=None)}}, ArtifactNotFoundError),
    ],
)
def test_what_is_absent_is_said_so(data: JSONValue, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"e/p"):
        played(find_artifact(ASKED), [answered(data)])


def test_aliases_are_those_of_the_collection_without_version_markers() -> None:
    found = resolved_at_source(fields(aliases=[alias("v3"), alias("a"), alias("b", project="q")]))
    assert found is not None
    assert found.aliases == ("a",)
    assert resolved_at_source(fields(artifactSequence={"name": "mnist", "project": None})) is None


def test_versions_are_numbered_by_the_collection_that_was_asked_for() -> None:
    query = VersionQuery("e", "q", "dataset", "linked", "{}", None, 10)
    edges: JSONValue = [{"cursor": "c", "version": "v0", "node": artifact()}]
    kind: JSONValue = {
        "name": "dataset",
        "artifactCollection": {"name": "linked", "artifacts": {**PAGE, "edges": edges}},
    }
    data: JSONValue = {"project": {"name": "q", "artifactType": kind}}
    page, _ = played(list_versions(query, None), [answered(data)])
    assert [each.place.qualified_name for each in page.nodes] == ["e/q/linked:v0"]


@pytest.mark.parametrize("kind", [None, {"name": "dataset", "artifactCollection": None}])
def test_a_collection_that_is_not_there(kind: JSONValue) -> None:
    query = VersionQuery("e", "q", "dataset", "linked", "{}", None, 10)
    with pytest.raises(ArtifactNotFoundError, match="no collection linked of type dataset"):
        played(list_versions(query, None), [answered({"project": {"name": "q", "artifactType": kind}})])


def test_a_run_without_artifacts_has_empty_pages() -> None:
    run = RunAddress("e", "p", "r")
    for flow, field in (
        (list_logged(run, 10, None), "outputArtifacts"),
        (list_used(run, 10, None), "inputArtifacts"),
    ):
        none: JSONValue = {**PAGE, "edges": []}
        page, _ = played(flow, [answered({"project": {"run": {field: none}}})])
        assert (page.nodes, page.more) == ([], False)


def test_a_version_that_is_null_is_an_error() -> None:
    edges: JSONValue = [{"cursor": "a", "node": None}, {"cursor": "b", "node": artifact()}]
    data = {"project": {"run": {"outputArtifacts": {**PAGE, "edges": edges}}}}
    with pytest.raises(PaginationError, match=r"null in place of 1 item\(s\) on the first page"):
        played(list_logged(RunAddress("e", "p", "r"), 10, None), [answered(data)])


def test_a_list_of_versions_that_is_null_is_an_error() -> None:
    data: JSONValue = {"project": {"run": {"outputArtifacts": None}}}
    with pytest.raises(PaginationError, match="null in place of the artifacts that run e/p/r wrote"):
        played(list_logged(RunAddress("e", "p", "r"), 10, None), [answered(data)])
