"""Artifacts by id and name, lists by type and collection, and lineage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.server.seeded_artifacts import DIGITS, VERSION, Query, fill, project

from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact


@pytest.fixture
def seeded(server: RunningServer) -> RunningServer:
    """A server with the versions of the shared world."""
    fill(server)
    return server


@pytest.mark.parametrize("name", ["digits:v1", "digits:best", "digits:prod"])
def test_a_version_is_found_by_number_and_by_alias(seeded: RunningServer, query: Query, name: str) -> None:
    fields = f"""artifact(name: "{name}") {{ {VERSION} }} artifactCollectionMembership(name: "{name}") {{
        versionIndex aliases {{ alias }} artifactCollection {{ name }} artifact {{ id }} }}"""
    found = project(query, fields)
    version = found["artifact"]
    stored = sum(len(content) for content in DIGITS.values())
    assert json.loads(version["metadata"]) == {"rows": 1797, "nested": {"a": [1, None]}}
    assert {key: version[key] for key in ("state", "size", "storageBytes", "fileCount", "description")} == {
        "state": "COMMITTED",
        "size": stored + 700,
        "storageBytes": stored,
        "fileCount": 5,
        "description": "all of it",
    }
    assert (version["versionIndex"], version["ttlDurationSeconds"], version["ttlIsInherited"]) == (
        1,
        3600,
        False,
    )
    assert [tag["name"] for tag in version["tags"]] == ["clean", "year 2024"]
    assert version["aliases"] == [
        {"alias": alias, "artifactCollectionName": "digits"} for alias in ("best", "prod")
    ]
    assert version["artifactType"] == {"name": "dataset"}
    assert version["artifactSequence"]["__typename"] == "ArtifactSequence"
    assert version["artifactSequence"]["latestArtifact"] == {"versionIndex": 2}
    assert len(version["commitHash"]) == 20
    assert found["artifactCollectionMembership"] == {
        "versionIndex": 1,
        "aliases": [{"alias": "best"}, {"alias": "prod"}],
        "artifactCollection": {"name": "digits"},
        "artifact": {"id": version["id"]},
    }


def test_the_newest_version_is_latest_and_what_no_name_finds_is_null(
    seeded: RunningServer, query: Query
) -> None:
    found = project(
        query,
        """latest: artifact(name: "digits:latest") { versionIndex } bare: artifact(name: "digits") { versionIndex }
        alias: artifact(name: "digits:nope") { id } version: artifact(name: "digits:v9") { id }
        collection: artifact(name: "nope:v0") { id } pending: artifact(name: "weights:v1") { id }
        newest: artifact(name: "weights:latest") { versionIndex } none: artifactCollection(name: "nope") { id }
        member: artifactCollectionMembership(name: "weights:v1") { id } type: artifactType(name: "nope") { id }
        other: artifactType(name: "model") { artifact(name: "digits:v0") { id } artifactCollection(name: "digits") { id }
            artifactSequence(name: "weights") { name } }""",
    )
    assert found["latest"] == found["bare"] == {"versionIndex": 2}
    assert found["newest"] == {"versionIndex": 0}
    assert found["other"] == {
        "artifact": None,
        "artifactCollection": None,
        "artifactSequence": {"name": "weights"},
    }
    assert {
        found[key] for key in ("alias", "version", "collection", "pending", "none", "member", "type")
    } == {None}
    nothing = query(
        '{ artifact(id: "QXJ0aWZhY3Q6OTk=") { id } artifactCollection(id: "x") { id } artifactSequence(id: "x") { id } clientIDMapping(clientID: "x") { serverID } }'
    )
    assert set(nothing["data"].values()) == {None}


def test_a_pending_version_is_found_by_id_and_has_neither_number_nor_manifest(
    seeded: RunningServer, query: Query
) -> None:
    made = project(query, 'run(name: "train") { outputArtifacts { edges { node { id state } } } }')
    pending = [
        edge["node"]["id"]
        for edge in made["run"]["outputArtifacts"]["edges"]
        if edge["node"]["state"] == "PENDING"
    ]
    found = query(
        f'{{ artifact(id: "{pending[0]}") {{ state versionIndex currentManifest {{ id }} files {{ totalCount }} artifactMemberships {{ edges {{ node {{ id }} }} }} }} }}'
    )
    assert found["data"]["artifact"] == {
        "state": "PENDING",
        "versionIndex": None,
        "currentManifest": None,
        "files": {"totalCount": 0},
        "artifactMemberships": {"edges": []},
    }


LISTED = """artifactType(name: "dataset") { artifactCollection(name: "digits") { artifacts(first: $first, after: $after, order: $order, filters: $filters) {
totalCount pageInfo { hasNextPage endCursor } edges { version cursor node { versionIndex } } } } }"""


def versions(query: Query, **arguments: object) -> list[str]:
    """The versions of one page."""
    given: dict[str, Any] = {"first": 50, "after": "", "order": "", **arguments}
    filters = given.pop("filters", {"state": "COMMITTED"})
    text = f'query($first: Int, $after: String, $order: String, $filters: JSONString) {{ project(name: "p") {{ {LISTED} }} }}'
    body = query(text, **given, filters=json.dumps(filters))
    assert "errors" not in body, body
    edges = body["data"]["project"]["artifactType"]["artifactCollection"]["artifacts"]["edges"]
    return [edge["version"] for edge in edges]


def test_versions_are_listed_newest_first_in_any_order_and_by_tag_or_alias(
    seeded: RunningServer, query: Query
) -> None:
    assert versions(query) == ["v2", "v1", "v0"]
    assert versions(query, order="+versionIndex") == ["v0", "v1", "v2"]
    assert versions(query, order="-size") == ["v1", "v0", "v2"]
    assert versions(query, filters={"tags": "clean"}) == ["v1"]
    assert versions(query, filters={"alias": {"$in": ["first", "latest"]}}) == ["v2", "v0"]
    assert versions(query, filters={"state": "PENDING"}) == []
    assert versions(query, filters={"$or": [{"versionIndex": 0}, {"description": {"$regex": "all"}}]}) == [
        "v1",
        "v0",
    ]
    pages: list[str] = []
    after: str | None = None
    while True:
        found = project(
            query, LISTED.replace(", filters: $filters", ""), first=2, after=after or "", order="+createdAt"
        )
        page = found["artifactType"]["artifactCollection"]["artifacts"]
        pages += [edge["version"] for edge in page["edges"]]
        assert page["totalCount"] == 3
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages == ["v0", "v1", "v2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('filters: "{"', "not valid JSON"),
        ('filters: "{\\"nope\\": 1}"', "unknown key 'nope'"),
        ('filters: "{\\"state\\": {\\"$near\\": 1}}"', "unknown operator '$near'"),
        ('order: "+nope"', "unknown key 'nope'"),
        ('after: "x"', "malformed cursor"),
        ("first: -1", "must not be negative"),
    ],
)
def test_a_listing_that_cannot_be_understood_says_why(
    seeded: RunningServer, query: Query, arguments: str, message: str
) -> None:
    for field in (
        f'artifactCollection(name: "digits") {{ artifacts({arguments}) {{ totalCount }} }}',
        f"artifactCollections({arguments}) {{ totalCount }}",
    ):
        body = query(f'{{ project(name: "p") {{ {field} }} }}')
        assert message in body["errors"][0]["message"]


def test_types_and_collections_are_listed_filtered_and_sorted(seeded: RunningServer, query: Query) -> None:
    seeded.seed_artifacts("p", [SeedArtifact(name="letters"), SeedArtifact(name="zeros")])
    found = project(
        query,
        """artifactTypes(first: 1) { edges { node { name description project { name } } } pageInfo { hasNextPage endCursor } }
        all: artifactTypes { edges { node { name } } }
        artifactCollections { totalCount edges { node { __typename name defaultArtifactType { name } state } } }
        named: artifactCollections(filters: "{\\"name\\": {\\"$regex\\": \\"e\\"}}", order: "+name") { totalCount edges { node { name } } }
        artifactType(name: "dataset") { artifactCollections(first: 2, order: "-name") { totalCount pageInfo { hasNextPage } edges { node { name } } }
            artifactSequences { totalCount edges { node { name } } } }
        artifactCollection(name: "digits") { description aliases(first: 2) { edges { node { alias artifact { versionIndex } } } pageInfo { hasNextPage } }
            artifactMemberships { edges { node { versionIndex } } } tags { edges { node { name } } } }""",
    )
    assert found["artifactTypes"]["edges"] == [
        {"node": {"name": "dataset", "description": None, "project": {"name": "p"}}}
    ]
    assert found["artifactTypes"]["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["name"] for edge in found["all"]["edges"]] == ["dataset", "model"]
    assert [edge["node"]["name"] for edge in found["artifactCollections"]["edges"]] == [
        "zeros",
        "letters",
        "weights",
        "digits",
    ]
    assert found["artifactCollections"]["edges"][2]["node"] == {
        "__typename": "ArtifactSequence",
        "name": "weights",
        "defaultArtifactType": {"name": "model"},
        "state": "READY",
    }
    assert [edge["node"]["name"] for edge in found["named"]["edges"]] == ["letters", "weights", "zeros"]
    assert found["artifactType"]["artifactCollections"] == {
        "totalCount": 3,
        "pageInfo": {"hasNextPage": True},
        "edges": [{"node": {"name": "zeros"}}, {"node": {"name": "letters"}}],
    }
    assert found["artifactType"]["artifactSequences"]["totalCount"] == 3
    collection = found["artifactCollection"]
    assert [edge["node"] for edge in collection["aliases"]["edges"]] == [
        {"alias": "latest", "artifact": {"versionIndex": 2}},
        {"alias": "first", "artifact": {"versionIndex": 0}},
    ]
    assert collection["aliases"]["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["versionIndex"] for edge in collection["artifactMemberships"]["edges"]] == [2, 1, 0]


def test_lineage_is_seen_from_both_sides(seeded: RunningServer, query: Query) -> None:
    found = project(
        query,
        """train: run(name: "train") { outputArtifacts { totalCount edges { node { artifactSequence { name } versionIndex } } }
            inputArtifacts { totalCount edges { usedAs node { versionIndex } } } }
        evaluate: run(name: "evaluate") { inputArtifacts(first: 1) { totalCount pageInfo { hasNextPage endCursor } edges { node { artifactSequence { name } } } } }
        idle: run(name: "idle") { outputArtifacts { totalCount edges { cursor } } inputArtifacts { totalCount } }
        made: artifact(name: "digits:v1") { usedCount usedBy(order: "+name") { totalCount edges { node { name } } }
            some: usedBy(filters: "{\\"name\\": \\"train\\"}") { totalCount } createdBy { __typename ... on Run { name project { name } } } }
        seeded: artifact(name: "digits:v0") { usedCount createdBy { __typename ... on User { username } } }""",
    )
    assert found["train"]["outputArtifacts"] == {
        "totalCount": 3,
        "edges": [
            {"node": {"artifactSequence": {"name": "digits"}, "versionIndex": 1}},
            {"node": {"artifactSequence": {"name": "weights"}, "versionIndex": 0}},
            {"node": {"artifactSequence": {"name": "weights"}, "versionIndex": None}},
        ],
    }
    assert found["train"]["inputArtifacts"] == {
        "totalCount": 1,
        "edges": [{"usedAs": ["digits"], "node": {"versionIndex": 1}}],
    }
    evaluate = found["evaluate"]["inputArtifacts"]
    assert (evaluate["totalCount"], evaluate["pageInfo"]["hasNextPage"]) == (2, True)
    rest = project(
        query,
        'run(name: "evaluate") { inputArtifacts(first: 1, after: $after) { pageInfo { hasNextPage } edges { node { artifactSequence { name } } } } }',
        after=evaluate["pageInfo"]["endCursor"],
    )["run"]["inputArtifacts"]
    assert rest == {
        "pageInfo": {"hasNextPage": False},
        "edges": [{"node": {"artifactSequence": {"name": "weights"}}}],
    }
    assert found["idle"] == {
        "outputArtifacts": {"totalCount": 0, "edges": []},
        "inputArtifacts": {"totalCount": 0},
    }
    made = found["made"]
    assert made["usedCount"] == 2
    assert made["usedBy"]["totalCount"] == 2
    assert [edge["node"]["name"] for edge in made["usedBy"]["edges"]] == ["evaluate", "train"]
    assert made["some"] == {"totalCount": 1}
    assert made["createdBy"] == {"__typename": "Run", "name": "train", "project": {"name": "p"}}
    assert found["seeded"] == {"usedCount": 0, "createdBy": {"__typename": "User", "username": "local"}}
