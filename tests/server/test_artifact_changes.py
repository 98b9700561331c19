"""Changes and deletion of artifacts: fields, tags, aliases, links, collections, and the stored bytes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.server.artifact_writer import Writer
from tests.server.seeded_artifacts import DIGITS, Query, fill, hex_of, project

from runql_server import ids
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

UPDATE = "mutation($input: UpdateArtifactInput!) { updateArtifact(input: $input) { artifact { description metadata labels ttlDurationSeconds ttlIsInherited tags { name } aliases { alias } } } }"
ADD = "mutation($id: ID!, $aliases: [ArtifactCollectionAliasInput!]!) { addAliases(input: {artifactID: $id, aliases: $aliases}) { success } }"
TAKE = "mutation($id: ID!, $aliases: [ArtifactCollectionAliasInput!]!) { deleteAliases(input: {artifactID: $id, aliases: $aliases}) { success } }"
DELETE = "mutation($id: ID!, $all: Boolean) { deleteArtifact(input: {artifactID: $id, deleteAliases: $all}) { artifact { id state } } }"
LINK = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex artifactMembership { versionIndex aliases { alias } artifactCollection { __typename id name project { name } } artifact { id } } } }"
UNLINK = "mutation($id: ID!, $portfolio: ID!) { unlinkArtifact(input: {artifactID: $id, artifactPortfolioID: $portfolio}) { artifactID success } }"


@pytest.fixture
def writer(server: RunningServer, http: httpx.Client) -> Writer:
    fill(server)
    return Writer(http)


def id_of(query: Query, name: str) -> str:
    opaque: str = project(query, f'artifact(name: "{name}") {{ id }}')["artifact"]["id"]
    return opaque


def aliased(name: str, collection: str = "digits", **more: str) -> dict[str, str]:
    return {
        "entityName": "local",
        "projectName": "p",
        "artifactCollectionName": collection,
        "alias": name,
        **more,
    }


def aliases_of(query: Query, name: str) -> set[str]:
    return {
        each["alias"]
        for each in project(query, f'artifact(name: "{name}") {{ aliases {{ alias }} }}')["artifact"][
            "aliases"
        ]
    }


def test_an_update_changes_what_it_gives(writer: Writer, query: Query) -> None:
    opaque = id_of(query, "digits:v1")
    updated = writer.ask(
        UPDATE,
        input={
            "artifactID": opaque,
            "description": "new",
            "tagsToAdd": [{"tagName": "fresh"}, {"tagName": "clean"}],
            "tagsToDelete": [{"tagName": "year 2024"}, {"tagName": "never there"}],
            "labels": '{"l": 1}',
        },
    )["artifact"]
    assert updated["description"] == "new"
    assert [tag["name"] for tag in updated["tags"]] == ["clean", "fresh"]
    assert (updated["labels"], updated["ttlDurationSeconds"]) == ('{"l": 1}', 3600)
    assert '"rows":1797' in updated["metadata"]
    for given, kept in ((-1, (-1, True)), (-2, (-2, False)), (0, (0, False)), (90, (90, False))):
        ttl = writer.ask(UPDATE, input={"artifactID": opaque, "ttlDurationSeconds": given})["artifact"]
        assert (ttl["ttlDurationSeconds"], ttl["ttlIsInherited"]) == kept
    replaced = writer.ask(
        UPDATE,
        input={
            "artifactID": opaque,
            "metadata": "{}",
            "aliases": [{"artifactCollectionName": "digits", "alias": "only"}],
        },
    )["artifact"]
    assert (replaced["metadata"], replaced["aliases"], replaced["description"]) == (
        "{}",
        [{"alias": "only"}],
        "new",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": "[]"}, "metadata must be a JSON object"),
        ({"tagsToAdd": [{"tagName": "a/b"}]}, "invalid tag"),
        ({"ttlDurationSeconds": -5}, "ttlDurationSeconds"),
        ({"aliases": [{"artifactCollectionName": "weights", "alias": "x"}]}, "not in a collection 'weights'"),
        ({"artifactID": "QXJ0aWZhY3Q6OTk="}, "artifact not found"),
    ],
)
def test_a_bad_update_changes_nothing(
    writer: Writer, query: Query, change: dict[str, Any], message: str
) -> None:
    opaque = id_of(query, "digits:v1")
    assert message in writer.refusal(UPDATE, input={"artifactID": opaque, "description": "bad", **change})
    assert project(query, 'artifact(name: "digits:v1") { description }')["artifact"] == {
        "description": "all of it"
    }


def test_aliases_move_and_go(writer: Writer, query: Query) -> None:
    first, second = id_of(query, "digits:v0"), id_of(query, "digits:v1")
    writer.ask(ADD, id=first, aliases=[aliased("best"), aliased("new")])
    assert aliases_of(query, "digits:v0") == {"first", "best", "new"}
    assert aliases_of(query, "digits:v1") == {"prod"}
    writer.ask(TAKE, id=first, aliases=[aliased("new"), aliased("prod")])
    assert (aliases_of(query, "digits:v0"), aliases_of(query, "digits:v1")) == ({"first", "best"}, {"prod"})
    writer.ask(ADD, id=second, aliases=[aliased("latest")])
    assert id_of(query, "digits:latest") == second


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        (aliased("x" * 129), "invalid alias"),
        (aliased("a:b"), "invalid alias"),
        (aliased("v7"), "how versions are called"),
        (aliased("ok", "weights"), "not in the collection local/p/weights"),
        (aliased("ok", "nope"), "local/p/nope not found"),
        (aliased("ok", projectName="q"), "local/q/digits not found"),
        (aliased("ok", entityName="nobody"), "nobody/p/digits not found"),
    ],
)
def test_an_alias_that_cannot_be_is_refused(
    writer: Writer, query: Query, alias: dict[str, str], message: str
) -> None:
    assert message in writer.refusal(ADD, id=id_of(query, "digits:v0"), aliases=[aliased("good"), alias])
    assert aliases_of(query, "digits:v0") == {"first"}, "all or nothing"


def test_a_version_with_aliases_goes_only_with_them(writer: Writer, query: Query) -> None:
    newest = id_of(query, "digits:v2")
    for refused in ({}, {"all": False}):
        assert "has aliases (latest)" in writer.refusal(DELETE, id=newest, **refused)
    assert writer.ask(DELETE, id=newest, all=True)["artifact"] == {"id": newest, "state": "DELETED"}
    assert query(f'{{ artifact(id: "{newest}") {{ id }} }}')["data"]["artifact"] is None
    assert id_of(query, "digits:latest") == id_of(query, "digits:v1"), "latest is the newest that is left"
    assert project(query, 'artifact(name: "digits:v2") { id }')["artifact"] is None
    assert "artifact not found" in writer.refusal(DELETE, id=newest, all=True)
    made = writer.log({"n": b"new"}, artifactCollectionNames=["digits"])
    assert made["versionIndex"] == 3, "a number is not given twice"


def test_bytes_go_with_the_last_version_that_has_them(
    writer: Writer, server: RunningServer, query: Query, http: httpx.Client
) -> None:
    url = f"/artifacts/local/{hex_of(DIGITS['train.csv'])}"
    before = len(blobs(server))
    writer.ask(DELETE, id=id_of(query, "digits:v0"), all=True)
    assert http.get(url, follow_redirects=True).content == DIGITS["train.csv"]
    assert len(blobs(server)) == before - 1, "its manifest"
    writer.ask(DELETE, id=id_of(query, "digits:v1"), all=True)
    assert http.get(url).status_code == 404
    assert len(blobs(server)) == before - 1 - 1 - len(DIGITS)


def blobs(server: RunningServer) -> list[str]:
    return [path.name for path in server.store.blobs.glob("*/*")]


def test_what_a_pending_version_waits_for_is_kept(
    writer: Writer, server: RunningServer, query: Query
) -> None:
    files = {"train.csv": DIGITS["train.csv"]}
    made = writer.open(files, artifactCollectionNames=["other"])
    assert writer.announce(made["id"], files)[0]["uploadUrl"] is None
    for name in ("digits:v0", "digits:v1"):
        writer.ask(DELETE, id=id_of(query, name), all=True)
    assert writer.log(files, artifactCollectionNames=["other"])["versionIndex"] == 0


def test_a_link_is_a_member_of_a_portfolio(writer: Writer, query: Query) -> None:
    first, second = id_of(query, "digits:v0"), id_of(query, "digits:v1")
    linked = writer.ask(
        LINK,
        input={
            "artifactID": second,
            "artifactPortfolioName": "golden",
            "entityName": "local",
            "projectName": "registry",
            "aliases": [{"artifactCollectionName": "golden", "alias": "prod"}],
        },
    )
    place = linked["artifactMembership"]
    assert (linked["versionIndex"], place["versionIndex"], place["artifact"]) == (0, 0, {"id": second})
    assert {each["alias"] for each in place["aliases"]} == {"latest", "prod"}
    assert place["artifactCollection"]["__typename"] == "ArtifactPortfolio"
    assert place["artifactCollection"]["project"] == {"name": "registry"}
    portfolio = place["artifactCollection"]["id"]
    again = {"artifactID": second, "artifactPortfolioID": portfolio}
    assert writer.ask(LINK, input=again)["versionIndex"] == 0, "it is there already"
    assert (
        writer.ask(LINK, input={"artifactID": first, "artifactPortfolioID": portfolio})["versionIndex"] == 1
    )

    seen = query(
        f"""{{ artifact(id: "{second}") {{ versionIndex linked: versionIndex(artifactCollectionName: "golden")
        nowhere: versionIndex(artifactCollectionName: "nope") commitHash other: commitHash(artifactCollectionName: "golden")
        aliases {{ alias }} there: aliases(artifactCollectionName: "golden") {{ alias artifactCollection {{ __typename }} }}
        artifactMemberships {{ edges {{ node {{ artifactCollection {{ name }} }} }} }} artifactCollections {{ totalCount edges {{ node {{ name }} }} }} }}
        project(name: "registry") {{ artifact(name: "golden:prod") {{ id artifactSequence {{ name }} }} artifactCollection(name: "golden") {{
        artifacts {{ edges {{ version node {{ versionIndex }} }} }} artifactMembership(aliasName: "v0") {{ files {{ totalCount }} }} }} }} }}"""
    )["data"]
    version = seen["artifact"]
    assert (version["versionIndex"], version["linked"], version["nowhere"]) == (1, 0, None)
    assert version["commitHash"] != version["other"]
    assert {each["alias"] for each in version["aliases"]} == {"best", "prod"}
    assert version["there"] == [{"alias": "prod", "artifactCollection": {"__typename": "ArtifactPortfolio"}}]
    assert [
        edge["node"]["artifactCollection"]["name"] for edge in version["artifactMemberships"]["edges"]
    ] == ["digits", "golden"]
    assert version["artifactCollections"]["totalCount"] == 2
    assert seen["project"]["artifact"] == {"id": second, "artifactSequence": {"name": "digits"}}
    assert seen["project"]["artifactCollection"]["artifacts"]["edges"] == [
        {"version": "v1", "node": {"versionIndex": 0}},
        {"version": "v0", "node": {"versionIndex": 1}},
    ]
    assert seen["project"]["artifactCollection"]["artifactMembership"] == {"files": {"totalCount": 5}}

    assert writer.ask(UNLINK, id=first, portfolio=portfolio) == {"artifactID": first, "success": True}
    assert query('{ project(name: "registry") { artifact(name: "golden:latest") { id } } }')["data"][
        "project"
    ]["artifact"] == {"id": second}
    assert "is not linked to" in writer.refusal(UNLINK, id=first, portfolio=portfolio)
    writer.ask(DELETE, id=second, all=True)
    assert query(
        '{ project(name: "registry") { artifact(name: "golden:v0") { id } artifactCollection(name: "golden") { name } } }'
    )["data"]["project"] == {
        "artifact": None,
        "artifactCollection": {"name": "golden"},
    }


def test_a_link_that_cannot_be_is_refused(writer: Writer, query: Query) -> None:
    first, model = id_of(query, "digits:v0"), id_of(query, "weights:v0")
    pending = writer.open({"x": b"x"}, clientID="c")
    portfolio = writer.ask(LINK, input={"artifactID": first, "artifactPortfolioName": "golden"})[
        "artifactMembership"
    ]
    golden = portfolio["artifactCollection"]["id"]
    sequence = project(query, 'artifactCollection(name: "digits") { id }')["artifactCollection"]["id"]
    for wanted, message in (
        ({"artifactID": first}, "artifactPortfolioID or artifactPortfolioName"),
        ({"artifactPortfolioName": "golden"}, "no artifact has this"),
        ({"clientID": "nope", "artifactPortfolioName": "golden"}, "no artifact has this"),
        ({"clientID": "c", "artifactPortfolioName": "golden"}, "not committed yet"),
        ({"artifactID": pending["id"], "artifactPortfolioName": "golden"}, "not committed yet"),
        ({"artifactID": first, "artifactPortfolioName": "weights"}, "is a sequence, not a portfolio"),
        ({"artifactID": first, "artifactPortfolioID": sequence}, "is a sequence, not a portfolio"),
        ({"artifactID": model, "artifactPortfolioName": "golden"}, "has type 'dataset', not 'model'"),
        ({"artifactID": model, "artifactPortfolioID": golden}, "has type 'dataset', not 'model'"),
        ({"artifactID": first, "artifactPortfolioName": "a/b"}, "artifact collection name"),
    ):
        assert message in writer.refusal(LINK, input=wanted), wanted
    assert "where the artifact was made" in writer.refusal(UNLINK, id=first, portfolio=sequence)


def test_collections_are_renamed_described_moved_and_tagged(writer: Writer, query: Query) -> None:
    sequence = project(query, 'artifactCollection(name: "digits") { id }')["artifactCollection"]["id"]
    text = 'mutation($id: ID!, $name: String, $text: String) { updateArtifactSequence(input: {artifactSequenceID: $id, name: $name, description: $text, clientMutationId: "m"}) { artifactCollection { name description } clientMutationId } }'
    assert writer.ask(text, id=sequence, name="numbers", text="d") == {
        "artifactCollection": {"name": "numbers", "description": "d"},
        "clientMutationId": "m",
    }
    assert "exists already" in writer.refusal(text, id=sequence, name="weights")
    assert "artifact collection name" in writer.refusal(text, id=sequence, name="a/b")
    assert id_of(query, "numbers:v1")
    move = 'mutation($id: ID!) { moveArtifactSequence(input: {artifactSequenceID: $id, destinationArtifactTypeName: "table"}) { artifactCollection { defaultArtifactType { name } } } }'
    assert writer.ask(move, id=sequence)["artifactCollection"] == {"defaultArtifactType": {"name": "table"}}
    assert project(query, 'artifact(name: "numbers:v1") { artifactType { name } }')["artifact"][
        "artifactType"
    ] == {"name": "table"}
    add = 'mutation($tags: [TagInput!]!, $name: String!) { createArtifactCollectionTagAssignments(input: {entityName: "local", projectName: "p", artifactCollectionName: $name, tags: $tags}) { tags { id name } } }'
    added = writer.ask(add, name="numbers", tags=[{"tagName": "one"}, {"tagName": "two"}])["tags"]
    assert [tag["name"] for tag in added] == ["one", "two"]
    take = add.replace("createArtifact", "deleteArtifact").replace("{ tags { id name } }", "{ success }")
    assert writer.ask(take, name="numbers", tags=[{"tagName": "one"}]) == {"success": True}
    assert "not found" in writer.refusal(add, name="nope", tags=[{"tagName": "x"}])
    assert "invalid tag" in writer.refusal(add, name="numbers", tags=[{"tagName": "!"}])
    listed = project(
        query,
        'artifactCollections(filters: "{\\"tag\\": \\"two\\"}") { edges { node { name tags { edges { node { name } } } } } }',
    )
    assert listed["artifactCollections"]["edges"] == [
        {"node": {"name": "numbers", "tags": {"edges": [{"node": {"name": "two"}}]}}}
    ]


def test_collections_are_deleted_with_what_is_in_them(
    writer: Writer, server: RunningServer, query: Query
) -> None:
    first = id_of(query, "digits:v0")
    portfolio = writer.ask(LINK, input={"artifactID": first, "artifactPortfolioName": "golden"})
    golden = portfolio["artifactMembership"]["artifactCollection"]["id"]
    sequence = project(query, 'artifactCollection(name: "digits") { id }')["artifactCollection"]["id"]
    delete = "mutation($id: ID!) { deleteArtifact%s(input: {artifact%sID: $id}) { artifactCollection { __typename state } } }"
    assert "is a sequence" in writer.refusal(delete % ("Portfolio", "Portfolio"), id=sequence)
    assert "is a portfolio" in writer.refusal(delete % ("Sequence", "Sequence"), id=golden)
    gone = writer.ask(delete % ("Portfolio", "Portfolio"), id=golden)["artifactCollection"]
    assert gone == {"__typename": "ArtifactPortfolio", "state": "DELETED"}
    assert id_of(query, "digits:v0") == first
    gone = writer.ask(delete % ("Sequence", "Sequence"), id=sequence)["artifactCollection"]
    assert gone == {"__typename": "ArtifactSequence", "state": "DELETED"}
    assert project(
        query,
        'artifactCollections { edges { node { name } } } run(name: "evaluate") { inputArtifacts { totalCount } }',
    ) == {
        "artifactCollections": {"edges": [{"node": {"name": "weights"}}]},
        "run": {"inputArtifacts": {"totalCount": 1}},
    }
    assert len(blobs(server)) == 2, "the model's file and manifest"
    assert "not found" in writer.refusal(delete % ("Sequence", "Sequence"), id=sequence)


def test_a_run_is_deleted_with_or_without_its_artifacts(
    writer: Writer, server: RunningServer, query: Query
) -> None:
    text = "mutation($id: ID!, $all: Boolean) { deleteRun(input: {id: $id, deleteArtifacts: $all}) { clientMutationId } }"
    train = project(query, 'run(name: "train") { id }')["run"]["id"]
    server.seed("p", [SeedRun(name="third")])
    server.seed_artifacts("p", [SeedArtifact(name="kept", files={"k": b"k"}, logged_by="third")])
    third = project(query, 'run(name: "third") { id }')["run"]["id"]
    writer.ask(text, id=third, all=False)
    assert project(query, 'artifact(name: "kept:v0") { createdBy { __typename } }')["artifact"] == {
        "createdBy": {"__typename": "User"}
    }
    writer.ask(text, id=train, all=True)
    found = project(
        query,
        """made: artifact(name: "digits:v1") { id } model: artifact(name: "weights:v0") { id } other: artifact(name: "digits:v0") { versionIndex }
        kept: artifact(name: "kept:v0") { versionIndex } artifactCollection(name: "weights") { artifacts { totalCount } }""",
    )
    assert found == {
        "made": None,
        "model": None,
        "other": {"versionIndex": 0},
        "kept": {"versionIndex": 0},
        "artifactCollection": {"artifacts": {"totalCount": 0}},
    }
    with server.store.connection() as connection:
        assert connection.execute("SELECT COUNT(*) FROM artifacts WHERE state = 'PENDING'").fetchone()[0] == 0


@pytest.mark.parametrize("opaque", [ids.encode("Run", 1), ids.encode("Artifact", "x"), "", "ünïcode", "/w=="])
def test_what_is_no_id_of_an_artifact_is_refused(writer: Writer, opaque: str) -> None:
    assert "is not the id of a Artifact" in writer.refusal(DELETE, id=opaque)
