"""The GraphQL endpoint: protocol details, mutations, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runql_server.graphql import schema
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

Query = Callable[..., dict[str, Any]]

UPSERT = "mutation U($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted bucket { id name displayName state config summaryMetrics tags notes group jobType host commit sweepName project { name entity { name } } } } }"


def upsert(query: Query, **fields: object) -> dict[str, Any]:
    body = query(UPSERT, input=fields)
    assert "errors" not in body, body
    payload: dict[str, Any] = body["data"]["upsertBucket"]
    return payload


def test_the_empty_operation_name_counts_as_absent(http: httpx.Client) -> None:
    body = {"query": "query A { viewer { username } }", "operationName": "", "variables": None}
    assert http.post("/graphql", json=body).json()["data"]["viewer"]["username"] == "local"


def test_variables_that_are_not_declared_are_ignored(query: Query) -> None:
    assert query("{ viewer { username } }", extra={"a": 1})["data"]["viewer"]["username"] == "local"


def test_include_skip_and_introspection_work(query: Query) -> None:
    text = 'query($no: Boolean = false) { viewer { id @include(if: $no) username @skip(if: $no) } __type(name: "Run") { name } }'
    assert query(text)["data"] == {"viewer": {"username": "local"}, "__type": {"name": "Run"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "UTF-8"),
        (b"{}", "query"),
        (b'{"query": "{"}', "Syntax Error"),
        (b'{"query": "{ bogus }"}', "Cannot query field 'bogus'"),
        (b'{"query": "{ viewer { id } }", "variables": []}', "variables"),
        (b'{"query": "query($n: Int!) { viewer { id } }"}', "$n"),
        (b'{"query": "query A { viewer { id } }", "operationName": "B"}', "B"),
    ],
)
def test_a_request_that_cannot_run_is_400_with_errors(http: httpx.Client, body: bytes, message: str) -> None:
    answer = http.post("/graphql", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["errors"][0]["message"]


def test_an_error_while_running_is_200_with_a_path(http: httpx.Client) -> None:
    text = 'mutation { deleteRun(input: {id: "bogus"}) { clientMutationId } }'
    answer = http.post("/graphql", json={"query": text})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["path"] == ["deleteRun"]


@pytest.mark.parametrize(
    "text",
    [
        "{ entities { edges { cursor } } }",
        'mutation { deleteApiKey(input: {id: "x"}) { success } }',
    ],
)
def test_what_is_not_there_yet_says_so(server: RunningServer, query: Query, text: str) -> None:
    server.seed("p", [])
    assert "not supported yet by the embedded server" in query(text)["errors"][0]["message"]


def test_absent_things_are_null(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r")])
    text = '{ a: project(name: "nope") { id } b: project(name: "p", entityName: "nope") { id } c: entity(name: "nope") { id } d: project(name: "p") { run(name: "nope") { id } bucket(name: "nope", missingOk: true) { id } inputArtifacts: sweep(sweepName: "s") { id } } }'
    assert query(text)["data"] == {
        "a": None,
        "b": None,
        "c": None,
        "d": {"run": None, "bucket": None, "inputArtifacts": None},
    }
    strict = query('{ project(name: "p") { bucket(name: "nope") { id } } }')
    assert "local/p/nope not found" in strict["errors"][0]["message"]


def test_upsert_creates_once_and_then_changes_what_is_given(query: Query) -> None:
    config = '{"lr": {"value": 1e-3, "desc": null}}'
    made = upsert(
        query,
        name="r1",
        modelName="p",
        config=config,
        tags=["b", "a", "b"],
        groupName="g",
        jobType="t",
        host="h",
        commit="c",
        sweep="s",
        notes="n",
    )
    assert made["inserted"] is True
    bucket = made["bucket"]
    assert bucket["displayName"].endswith("-1")
    assert len(bucket["displayName"].split("-")) == 3
    assert {
        key: bucket[key]
        for key in (
            "name",
            "state",
            "config",
            "tags",
            "group",
            "jobType",
            "host",
            "commit",
            "sweepName",
            "notes",
        )
    } == {
        "name": "r1",
        "state": "running",
        "config": config,
        "tags": ["b", "a"],
        "group": "g",
        "jobType": "t",
        "host": "h",
        "commit": "c",
        "sweepName": "s",
        "notes": "n",
    }
    again = upsert(query, name="r1", modelName="p", entityName="local", displayName="mine", tags=None)
    assert (again["inserted"], again["bucket"]["displayName"], again["bucket"]["tags"]) == (
        False,
        "mine",
        ["b", "a"],
    )
    replaced = upsert(
        query, id=bucket["id"], config="{}", tags=[], summaryMetrics='{"x": NaN}', state="failed"
    )
    assert [replaced["bucket"][key] for key in ("config", "tags", "summaryMetrics", "state")] == [
        "{}",
        [],
        '{"x": NaN}',
        "failed",
    ]
    count = query('{ project(name: "p") { runCount(filters: "{\\"config.lr\\": {\\"$exists\\": true}}") } }')
    assert count["data"]["project"]["runCount"] == 0


def test_upsert_without_names_makes_them(query: Query) -> None:
    bucket = upsert(query)["bucket"]
    assert (len(bucket["name"]), bucket["project"]) == (
        8,
        {"name": "uncategorized", "entity": {"name": "local"}},
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "UnVuOjk5"}, "run not found"),
        ({"id": "bogus"}, "is not the id of a Run"),
        ({"entityName": "nobody"}, "entity 'nobody' not found"),
        ({"name": "a/b"}, "run id"),
        ({"modelName": "a/b"}, "project name"),
        ({"name": "r", "config": "{"}, "config is not valid JSON"),
        ({"name": "r", "summaryMetrics": "[]"}, "summary_metrics must be a JSON object"),
        ({"name": "r", "state": "dancing"}, "'dancing'"),
    ],
)
def test_a_bad_upsert_changes_nothing(query: Query, fields: dict[str, object], message: str) -> None:
    body = query(UPSERT, input=fields)
    assert message in body["errors"][0]["message"]
    assert query("{ projects { edges { node { name } } } }")["data"]["projects"]["edges"] == []


def test_parts_of_config_and_summary_can_be_asked_for(query: Query) -> None:
    config: dict[str, object] = {
        "a": {"value": 1},
        "b": {"value": 2},
        "_wandb": {"value": {"t": {"1": [1]}, "m": []}},
    }
    upsert(
        query, name="r", modelName="p", config=json.dumps(config), summaryMetrics='{"x": {"y": 1}, "z": 2}'
    )
    text = '{ project(name: "p") { run(name: "r") { config(keys: ["a"]) wandbConfig(keys: ["t"]) summaryMetrics(keys: ["x.y", "nope"]) } } }'
    found = query(text)["data"]["project"]["run"]
    assert {key: json.loads(value) for key, value in found.items()} == {
        "config": {"a": {"value": 1}},
        "wandbConfig": {"t": {"1": [1]}},
        "summaryMetrics": {"x.y": 1},
    }


def test_projects_are_made_changed_listed_and_paged(query: Query) -> None:
    text = "mutation($n: String!, $d: String) { upsertModel(input: {name: $n, description: $d}) { inserted model { id } project { name description } } }"
    for name in ("one", "two", "three"):
        assert query(text, n=name)["data"]["upsertModel"]["inserted"] is True
    changed = query(text, n="two", d="better")["data"]["upsertModel"]
    assert (changed["inserted"], changed["project"]) == (False, {"name": "two", "description": "better"})
    page = 'query($after: String) { models(entityName: "local", first: 2, after: $after) { edges { node { name entityName } } pageInfo { endCursor hasNextPage } } }'
    first = query(page)["data"]["models"]
    assert [edge["node"]["name"] for edge in first["edges"]] == ["one", "two"]
    rest = query(page, after=first["pageInfo"]["endCursor"])["data"]["models"]
    assert ([edge["node"]["name"] for edge in rest["edges"]], rest["pageInfo"]["hasNextPage"]) == (
        ["three"],
        False,
    )
    renamed = query(
        'mutation { renameProject(input: {entityName: "local", oldProjectName: "two", newProjectName: "2"}) { project { name } } }'
    )
    assert renamed["data"]["renameProject"]["project"]["name"] == "2"
    assert query('{ project(name: "two") { id } }')["data"]["project"] is None


def test_the_server_records_what_it_received(server: RunningServer, query: Query) -> None:
    query("query Who { viewer { id } }")
    httpx.post(f"{server.url}/files/local/p/r/file_stream", content=b"12345", trust_env=False)
    who, stream = server.requests
    assert (who.method, who.path, who.operation, who.body_size > 30) == ("POST", "/graphql", "Who", True)
    assert (stream.path, stream.operation, stream.body_size) == ("/files/local/p/r/file_stream", "", 5)
    server.clear()
    assert server.requests == []


def test_two_servers_stand_beside_each_other() -> None:
    with RunningServer() as one, RunningServer() as other:
        assert one.url != other.url
        assert (
            httpx.get(one.url, trust_env=False).status_code
            == httpx.get(other.url, trust_env=False).status_code
            == 200
        )
        folder = one.data_dir
        assert folder.exists()
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "Artifact",
        "ArtifactAlias",
        "ArtifactCollectionMembership",
        "ArtifactManifest",
        "ArtifactPortfolio",
        "ArtifactSequence",
        "ArtifactType",
        "File",
        "Project",
        "Run",
        "Sweep",
        "Tag",
    ],
)
def test_every_field_has_a_source(name: str) -> None:
    assert set(schema.fields_without_resolver(schema.bind(), name)) == set()
