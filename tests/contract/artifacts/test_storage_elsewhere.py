"""An artifact whose files lie on another host: that host never sees the key, also when the API sends us there."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, taken
from tests.unit.resources.artifact_answers import artifact as answered_artifact

from runql import AnswerError, ArtifactPendingError, JSONValue, ManifestError

KEY = "local-5ec2e7" + "9d" * 20
BODY = b"weights"
MD5 = hashlib.md5(BODY, usedforsecurity=False)
MEMBER: dict[str, JSONValue] = {
    "versionIndex": 3,
    "aliases": [],
    "artifactCollection": None,
    "artifact": answered_artifact(),
}
MANIFEST: dict[str, JSONValue] = {
    "version": 1,
    "storagePolicyConfig": {"storageLayout": "V2"},
    "contents": {
        "w": {"digest": base64.b64encode(MD5.digest()).decode(), "birthArtifactID": "B", "size": len(BODY)}
    },
}
MEMBER_ID = str(answered_artifact()["id"])
LONG: JSONValue = {"name": "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER", "isEnabled": True}


@pytest.fixture
def storage() -> Iterator[ScriptedServer]:
    """Another port, which is another host to a credential."""
    with ScriptedServer() as running:
        yield running


def listed(url: str) -> dict[str, object]:
    file = {"id": "F", "name": "w", "directUrl": url, "sizeBytes": len(BODY), "updatedAt": None}
    page = {"endCursor": None, "hasNextPage": False}
    return {
        "artifact": {"id": MEMBER_ID, "files": {"pageInfo": page, "edges": [{"cursor": "c", "node": file}]}}
    }


def reached(face: Face, scripted: ScriptedServer, storage: ScriptedServer, *then: object) -> Untyped:
    """The artifact, its manifest lying on storage, and what the API answers to what is asked afterwards."""
    place = {
        "artifact": {
            "id": MEMBER_ID,
            "currentManifest": {"id": "M", "file": {"directUrl": f"{storage.url}/manifest"}},
        }
    }
    scripted.give_data({"project": {"artifactCollectionMembership": MEMBER}}, place, *then)
    return taken(face, face.api(scripted.url, KEY).artifact("e/p/mnist:v3"))


def seen_keys(server: ScriptedServer) -> list[str]:
    return [asked.path for asked in server.asked if "authorization" in asked.headers]


def test_storage_never_sees_the_key(
    scripted: ScriptedServer, storage: ScriptedServer, face: Face, tmp_path: Path
) -> None:
    artifact = reached(face, scripted, storage, listed(f"{storage.url}/w?signature=s"))
    storage.give(ScriptedResponse(json.dumps(MANIFEST).encode()), ScriptedResponse(BODY))
    taken(face, artifact.download(tmp_path))
    assert (tmp_path / "w").read_bytes() == BODY
    assert [asked.path for asked in storage.asked] == ["/manifest", "/w?signature=s"]
    assert seen_keys(storage) == []


def test_an_expired_address_is_replaced_by_one_that_the_api_redirects_to(
    scripted: ScriptedServer, storage: ScriptedServer, face: Face, tmp_path: Path
) -> None:
    info: JSONValue = {"cliVersionInfo": {}, "features": [LONG]}
    artifact = reached(face, scripted, storage, listed(f"{storage.url}/old"), {"serverInfo": info})
    scripted.give(ScriptedResponse(b"", 307, {"Location": f"{storage.url}/new"}))
    storage.give(
        ScriptedResponse(json.dumps(MANIFEST).encode()),
        ScriptedResponse(b"expired", 403),
        ScriptedResponse(BODY),
    )
    taken(face, artifact.download(tmp_path))
    assert (tmp_path / "w").read_bytes() == BODY
    through = f"/artifactsV2/default/e/p/mnist/B/{MD5.hexdigest()}/w"
    assert scripted.asked[-1].path == through
    assert through in seen_keys(scripted)
    assert [asked.path for asked in storage.asked] == ["/manifest", "/old", "/new"]
    assert seen_keys(storage) == []


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (ScriptedResponse(json.dumps({**MANIFEST, "version": 2}).encode()), ManifestError, "version 2"),
        (ScriptedResponse(b"<html>"), ManifestError, "cannot be read"),
        (ScriptedResponse(b"", 403), AnswerError, "403"),
    ],
)
def test_a_manifest_that_cannot_be_read(
    answer: ScriptedResponse,
    error: type[Exception],
    told: str,
    scripted: ScriptedServer,
    storage: ScriptedServer,
    face: Face,
    tmp_path: Path,
) -> None:
    artifact = reached(face, scripted, storage)
    storage.give(answer)
    with pytest.raises(error, match=told) as raised:
        taken(face, artifact.download(tmp_path))
    assert KEY not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_no_manifest(scripted: ScriptedServer, storage: ScriptedServer, face: Face) -> None:
    scripted.give_data(
        {"project": {"artifactCollectionMembership": MEMBER}},
        {"artifact": {"id": MEMBER_ID, "currentManifest": None}},
    )
    artifact = taken(face, face.api(scripted.url, KEY).artifact("e/p/mnist:v3"))
    with pytest.raises(ManifestError, match="has no manifest"):
        taken(face, artifact.manifest)


def test_an_artifact_that_is_being_written(scripted: ScriptedServer, face: Face, tmp_path: Path) -> None:
    member = {**MEMBER, "artifact": answered_artifact(state="PENDING")}
    scripted.give_data({"project": {"artifactCollectionMembership": member}})
    artifact = taken(face, face.api(scripted.url, KEY).artifact("e/p/mnist:v3"))
    for call in (artifact.download, artifact.verify):
        with pytest.raises(ArtifactPendingError, match="PENDING, not COMMITTED"):
            taken(face, call(tmp_path))
    assert len(scripted.asked) == 1
