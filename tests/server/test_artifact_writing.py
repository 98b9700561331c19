"""The write protocol of artifacts: uploads, deduplication by digest, and refusals."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.server.artifact_writer import (
    COMMIT,
    CREATE,
    FILES,
    MANIFEST,
    Writer,
    digest_of,
    manifest_of,
    manifest_text,
)
from tests.server.seeded_artifacts import Query, md5, project

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

ONE = {"x.txt": b"one", "y/z.txt": b"same"}
TWO = {"x.txt": b"two", "y/z.txt": b"same"}


@pytest.fixture
def writer(server: RunningServer, http: httpx.Client) -> Writer:
    server.seed("p", [SeedRun(name="r"), SeedRun(name="s")])
    return Writer(http)


def test_a_version_goes_from_open_to_committed(writer: Writer, query: Query) -> None:
    made = writer.open(
        ONE,
        runName="r",
        aliases=[{"artifactCollectionName": "a", "alias": "best"}],
        tags=[{"tagName": "raw", "tagCategoryName": "kind", "attributes": '{"n": 1}'}],
        description="text",
        metadata='{"n": 1}',
        historyStep=7,
        ttlDurationSeconds=60,
        clientID="c1",
        sequenceClientID="s1",
    )
    assert (made["state"], made["versionIndex"]) == ("PENDING", None)
    assert made["artifactSequence"]["latestArtifact"] is None
    nodes = writer.announce(made["id"], ONE)
    assert [node["name"] for node in nodes] == list(ONE)
    assert all(node["artifact"] == {"id": made["id"]} for node in nodes)
    assert all((node["uploadHeaders"], node["uploadMultipartUrls"]) == ([], None) for node in nodes)
    births = writer.upload(made["id"], ONE)
    assert writer.upload_manifest(made["id"], manifest_of(ONE, births).to_json()).status_code == 200
    assert project(
        query, 'artifact(name: "a:best") { id } run(name: "r") { outputArtifacts { totalCount } }'
    ) == {
        "artifact": None,
        "run": {"outputArtifacts": {"totalCount": 1}},
    }
    committed = writer.commit(made["id"])
    assert committed == {
        "id": made["id"],
        "state": "COMMITTED",
        "versionIndex": 0,
        "digest": manifest_of(ONE).digest(),
        "size": 7,
        "storageBytes": 7,
        "fileCount": 2,
        "aliases": [{"alias": "latest"}, {"alias": "best"}],
        "tags": [{"name": "raw"}],
    }
    assert writer.commit(made["id"]) == committed, "a repeated commit changes nothing"
    found = project(
        query,
        'artifact(name: "a:best") { description metadata historyStep ttlDurationSeconds tags { tagCategoryName attributes } createdBy { ... on Run { name } } }',
    )
    assert found["artifact"] == {
        "description": "text",
        "metadata": '{"n": 1}',
        "historyStep": 7,
        "ttlDurationSeconds": 60,
        "tags": [{"tagCategoryName": "kind", "attributes": '{"n": 1}'}],
        "createdBy": {"name": "r"},
    }
    mapped = query(
        '{ own: clientIDMapping(clientID: "c1") { serverID } sequence: clientIDMapping(clientID: "s1") { serverID } }'
    )
    assert mapped["data"] == {"own": {"serverID": made["id"]}, "sequence": {"serverID": made["id"]}}


def test_only_bytes_that_are_not_here_are_wanted(writer: Writer) -> None:
    first = writer.log(ONE)
    second = writer.open(TWO)
    assert second["artifactSequence"]["latestArtifact"] == {"id": first["id"], "versionIndex": 0}
    changed, same = writer.announce(second["id"], TWO)
    assert changed["uploadUrl"] is not None
    assert changed["artifact"] == {"id": second["id"]}
    assert same["uploadUrl"] is None
    assert same["artifact"] == {"id": first["id"]}, "the version whose first file it was"


def test_the_same_content_again_is_the_same_version(writer: Writer, query: Query) -> None:
    first = writer.log(ONE, runName="r")
    writer.log(TWO, runName="r")
    again = writer.open(
        ONE,
        runName="s",
        aliases=[{"artifactCollectionName": "a", "alias": name} for name in ("latest", "back")],
        tags=[{"tagName": "seen twice"}],
        clientID="late",
    )
    assert (again["id"], again["state"], again["versionIndex"]) == (first["id"], "COMMITTED", 0)
    found = project(
        query,
        """artifact(name: "a:latest") { versionIndex aliases { alias } tags { name } }
        run(name: "s") { outputArtifacts { edges { node { versionIndex } } } }""",
    )
    assert found["artifact"] == {
        "versionIndex": 0,
        "aliases": [{"alias": "latest"}, {"alias": "back"}],
        "tags": [{"name": "seen twice"}],
    }
    assert found["run"]["outputArtifacts"]["edges"] == [{"node": {"versionIndex": 0}}]
    assert query('{ clientIDMapping(clientID: "late") { serverID } }')["data"]["clientIDMapping"] == {
        "serverID": first["id"]
    }
    apart = writer.open(ONE, enableDigestDeduplication=False)
    assert apart["state"] == "PENDING"


def test_a_repeated_create_with_the_same_client_id_is_one_version(writer: Writer) -> None:
    made = writer.open(ONE, clientID="c")
    assert writer.open(ONE, clientID="c")["id"] == made["id"]
    assert "clientID" in writer.refusal(CREATE, input=writer.wanted(TWO, clientID="c"))


def test_an_incremental_manifest_is_laid_over_its_base(writer: Writer, query: Query) -> None:
    first = writer.log(ONE)
    added = {"x.txt": b"newer", "more.txt": b"more"}
    made = writer.open(added, enableDigestDeduplication=False)
    births = writer.upload(made["id"], added)
    writer.upload_manifest(
        made["id"], manifest_of(added, births).to_json(), kind="INCREMENTAL", base=first["id"]
    )
    committed = writer.commit(made["id"])
    whole = {**ONE, **added}
    assert (committed["fileCount"], committed["digest"]) == (3, manifest_of(whole).digest())
    found = project(
        query,
        'artifact(name: "a:v1") { currentManifest { type file { directUrl } } files { edges { node { name md5 } } } }',
    )
    assert {edge["node"]["name"]: edge["node"]["md5"] for edge in found["artifact"]["files"]["edges"]} == {
        path: md5(content) for path, content in whole.items()
    }
    assert found["artifact"]["currentManifest"]["type"] == "FULL"
    text = httpx.get(found["artifact"]["currentManifest"]["file"]["directUrl"], trust_env=False).json()
    assert set(text["contents"]) == set(whole)


def test_a_version_may_have_no_files(writer: Writer) -> None:
    assert writer.log({})["fileCount"] == 0


def test_a_put_must_have_the_announced_md5(writer: Writer, server: RunningServer) -> None:
    made = writer.open(ONE)
    node = writer.announce(made["id"], ONE)[0]
    refused = writer.put(node["uploadUrl"], b"other")
    assert (refused.status_code, "nothing was stored" in refused.json()["error"]) == (400, True)
    assert list(server.store.blobs.glob("*/*")) == []
    assert writer.announce(made["id"], ONE)[0]["uploadUrl"] is not None
    accepted = writer.put(node["uploadUrl"], ONE["x.txt"])
    assert (accepted.status_code, accepted.headers["etag"]) == (200, f'"{md5(ONE["x.txt"])}"')
    assert writer.put(node["uploadUrl"], ONE["x.txt"]).status_code == 200, "once more does no harm"
    assert len(list(server.store.blobs.glob("*/*"))) == 1
    elsewhere = node["uploadUrl"].replace("/artifact-storage/", "/artifact-storage/9")
    assert writer.put(elsewhere, ONE["x.txt"]).status_code == 403


def test_a_manifest_put_must_have_the_announced_md5(writer: Writer) -> None:
    made = writer.open(ONE)
    announced = writer.ask(MANIFEST, id=made["id"], digest="", type="FULL")["artifactManifest"]
    text = """mutation($id: ID!, $digest: String) { updateArtifactManifest(input: {artifactManifestID: $id, digest: $digest}) {
        artifactManifest { digest file { uploadUrl } } } }"""
    content = manifest_of(ONE).to_json()
    updated = writer.ask(text, id=announced["id"], digest=md5(content))["artifactManifest"]
    assert updated["digest"] == md5(content)
    assert writer.put(updated["file"]["uploadUrl"], b"{}").status_code == 400
    assert "was not uploaded" in writer.refusal(COMMIT, id=made["id"])
    assert writer.put(updated["file"]["uploadUrl"], content).status_code == 200
    writer.upload(made["id"], ONE)
    writer.commit(made["id"])
    assert writer.put(updated["file"]["uploadUrl"], content).status_code == 400
    assert "committed" in writer.refusal(text, id=announced["id"], digest=md5(b""))
    assert "committed" in writer.refusal(MANIFEST, id=made["id"], digest="", type="FULL")
    assert "committed" in writer.refusal(
        FILES, files=[{"artifactID": made["id"], "name": "x", "md5": md5(b"")}]
    )


def test_an_upload_for_a_version_that_is_gone_is_refused(writer: Writer, server: RunningServer) -> None:
    made = writer.open(ONE)
    url = writer.announce(made["id"], ONE)[0]["uploadUrl"]
    writer.ask(
        "mutation($id: ID!) { deleteArtifact(input: {artifactID: $id}) { artifact { id } } }", id=made["id"]
    )
    assert writer.put(url, ONE["x.txt"]).status_code == 404
    assert list(server.store.blobs.glob("*/*")) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"entityName": "nobody"}, "entity 'nobody' not found"),
        ({"projectName": "a/b"}, "project name"),
        ({"runName": "nope"}, "run local/p/nope not found"),
        ({"artifactTypeName": "a/b"}, "artifact type name"),
        ({"artifactTypeName": "model"}, "has type 'dataset', not 'model'"),
        ({"artifactCollectionNames": []}, "exactly one name"),
        ({"artifactCollectionNames": ["a", "b"]}, "exactly one name"),
        ({"artifactCollectionNames": ["a:b"]}, "artifact collection name"),
        ({"artifactCollectionNames": ["x" * 129]}, "artifact collection name"),
        ({"artifactCollectionNames": ["../up"]}, "artifact collection name"),
        ({"digestAlgorithm": "MANIFEST_XXH128"}, "not supported"),
        ({"distributedID": "d"}, "not supported"),
        ({"aliases": [{"artifactCollectionName": "a", "alias": "x" * 129}]}, "invalid alias"),
        ({"aliases": [{"artifactCollectionName": "a", "alias": "a/b"}]}, "invalid alias"),
        ({"aliases": [{"artifactCollectionName": "a", "alias": ""}]}, "invalid alias"),
        ({"aliases": [{"artifactCollectionName": "a", "alias": "v3"}]}, "how versions are called"),
        ({"aliases": [{"artifactCollectionName": "other", "alias": "x"}]}, "another collection"),
        ({"tags": [{"tagName": "no!"}]}, "invalid tag"),
        ({"tags": [{"tagName": " space"}]}, "invalid tag"),
        ({"tags": [{"tagName": "x" * 129}]}, "invalid tag"),
        ({"tags": [{"tagName": "x", "tagCategoryName": "!"}]}, "invalid tag"),
        ({"tags": [{"tagName": "x", "attributes": "[]"}]}, "JSON object"),
        ({"tags": [{"tagName": f"t{n}"} for n in range(21)]}, "at most 20"),
        ({"metadata": "[1]"}, "metadata must be a JSON object"),
        ({"metadata": "{"}, "metadata is not valid JSON"),
        ({"labels": "1"}, "labels must be a JSON object"),
        ({"ttlDurationSeconds": -3}, "ttlDurationSeconds"),
    ],
)
def test_a_bad_create_changes_nothing(
    writer: Writer, server: RunningServer, query: Query, changed: dict[str, Any], message: str
) -> None:
    server.seed_artifacts("p", [SeedArtifact(name="a")])
    before = dump(server)
    assert message in writer.refusal(CREATE, input={**writer.wanted(ONE), **changed})
    assert dump(server) == before


def dump(server: RunningServer) -> list[str]:
    """Everything that is stored."""
    with server.store.connection() as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "../up"}, "invalid file name"),
        ({"name": "/etc/passwd"}, "invalid file name"),
        ({"name": "C:\\x"}, "invalid file name"),
        ({"name": "a\0b"}, "invalid file name"),
        ({"name": ""}, "invalid file name"),
        ({"md5": "xyz"}, "invalid digest"),
        ({"md5": "../../up"}, "invalid digest"),
        ({"md5": ""}, "invalid digest"),
        ({"artifactID": "QXJ0aWZhY3Q6OTk="}, "artifact not found"),
        ({"artifactID": "x"}, "is not the id of a Artifact"),
    ],
)
def test_a_bad_file_is_refused(writer: Writer, spec: dict[str, str], message: str) -> None:
    made = writer.open(ONE)
    given = {"artifactID": made["id"], "name": "x", "md5": md5(b"")}
    assert message in writer.refusal(FILES, files=[{**given, **spec}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (manifest_text(version=2), "cannot be read: version"),
        (manifest_text(storagePolicy="other"), "cannot be read: storagePolicy"),
        (
            manifest_text(storagePolicyConfig={"storageLayout": "V3"}),
            "cannot be read: storagePolicyConfig.storageLayout",
        ),
        (manifest_text(contents={"x": {}}), "cannot be read: contents.x.digest"),
        (manifest_text(contents={"x": {"digest": "d", "size": -1}}), "cannot be read: contents.x.size"),
        (manifest_text(contents={"../x": {"digest": "d"}}), "invalid file name"),
        (manifest_text(contents={"/x": {"digest": "d", "ref": "s3://b"}}), "invalid file name"),
        (manifest_text(contents={"x": {"digest": "d"}}), "its manifest has digest"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_not_committed(writer: Writer, text: bytes, message: str) -> None:
    made = writer.open(ONE)
    writer.upload(made["id"], ONE)
    assert writer.upload_manifest(made["id"], text).status_code == 200
    assert message in writer.refusal(COMMIT, id=made["id"])
    assert writer.upload_manifest(made["id"], manifest_of(ONE).to_json()).status_code == 200
    assert writer.commit(made["id"])["state"] == "COMMITTED", "the right one heals it"


def test_what_was_not_uploaded_is_named_and_nothing_is_committed(writer: Writer, query: Query) -> None:
    many = {f"f{n}": str(n).encode() for n in range(8)}
    made = writer.open(many)
    writer.upload(made["id"], {"f0": b"0"})
    writer.upload_manifest(made["id"], manifest_of(many).to_json())
    message = writer.refusal(COMMIT, id=made["id"])
    assert message.endswith("not uploaded: 'f1', 'f2', 'f3', 'f4', 'f5' and 2 more")
    assert project(
        query, 'artifact(name: "a:v0") { id } artifactCollection(name: "a") { artifacts { totalCount } }'
    ) == {
        "artifact": None,
        "artifactCollection": {"artifacts": {"totalCount": 0}},
    }
    writer.upload(made["id"], many)
    assert writer.commit(made["id"])["versionIndex"] == 0


def test_a_wrong_size_is_refused(writer: Writer) -> None:
    made = writer.open({"x": b"abc"})
    writer.upload(made["id"], {"x": b"abc"})
    wrong = {"x": {"digest": md5(b"abc"), "size": 4}}
    assert digest_of(f"x:{md5(b'abc')}\n") == manifest_of({"x": b"abc"}).digest()
    writer.upload_manifest(made["id"], manifest_text(contents=wrong))
    assert "has 3 bytes here, 4 in the manifest" in writer.refusal(COMMIT, id=made["id"])


def test_what_is_not_offered_says_so(writer: Writer) -> None:
    made = writer.open(ONE)
    assert "not supported" in writer.refusal(MANIFEST, id=made["id"], digest="", type="PATCH")
    text = """mutation($id: ID!) { completeMultipartUploadArtifact(input: {completeMultipartAction: Complete,
        completedParts: [], artifactID: $id, storagePath: "x", uploadID: "u"}) { digest } }"""
    assert "in one piece" in writer.refusal(text, id=made["id"])


USE = """mutation($id: ID!, $run: String!, $as: String) { useArtifact(input: {entityName: "local", projectName: "p", runName: $run,
artifactID: $id, usedAs: $as, artifactEntityName: "local", artifactProjectName: "p"}) { artifact { id state } } }"""


def test_a_run_uses_a_version_under_names(writer: Writer, query: Query) -> None:
    made = writer.log(ONE)
    for name in ("train", "test", "train"):
        assert writer.ask(USE, id=made["id"], run="s", **{"as": name})["artifact"]["id"] == made["id"]
    found = project(
        query,
        'run(name: "s") { inputArtifacts { totalCount edges { usedAs } } } artifact(name: "a:v0") { usedCount }',
    )
    assert found == {
        "run": {"inputArtifacts": {"totalCount": 1, "edges": [{"usedAs": ["test", "train"]}]}},
        "artifact": {"usedCount": 1},
    }
    pending = writer.open(TWO)
    assert "not committed yet" in writer.refusal(USE, id=pending["id"], run="s")
    assert "run local/p/nope not found" in writer.refusal(USE, id=made["id"], run="nope")


def test_a_type_is_made_once(writer: Writer, query: Query) -> None:
    text = """mutation { createArtifactType(input: {entityName: "local", projectName: "p", name: "model", description: "d"}) {
        artifactType { id name description } } }"""
    made = writer.ask(text)["artifactType"]
    assert writer.ask(text)["artifactType"] == made
    assert (made["name"], made["description"]) == ("model", "d")


def test_the_features_are_announced(query: Query) -> None:
    found = query("{ serverInfo { features { name isEnabled } } }")["data"]["serverInfo"]["features"]
    assert all(feature["isEnabled"] for feature in found)
    assert {feature["name"] for feature in found} >= {
        "ARTIFACT_TAGS",
        "CLIENT_IDS",
        "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
        "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
        "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    }
    assert "ARTIFACT_DIGEST_ALGORITHM" not in json.dumps(found)
