"""Putting a file into a run: the protocol step by step, and a server that does not keep to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.file_responses import BODY, asked, entry, listed
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer

from runql import AccessDeniedError, JSONValue, UploadRefusedError

MARKS: JSONValue = {
    "serverInfo": {"cliVersionInfo": {}, "features": [{"name": "MARK_RUN_FILES_UPLOADED", "isEnabled": True}]}
}


@pytest.fixture
def storage() -> Iterator[ScriptedServer]:
    """Another port, which is another host to a credential."""
    with ScriptedServer() as running:
        yield running


def places(*uploads: tuple[str, str], run: str = "R", headers: tuple[str, ...] = ()) -> dict[str, object]:
    files = [{"name": name, "uploadUrl": url} for name, url in uploads]
    return {"createRunFiles": {"runID": run, "uploadHeaders": list(headers), "files": files}}


def in_turn(server: ScriptedServer, *data: object) -> Callable[[str], ScriptedResponse]:
    left = iter(data)
    return lambda path: (
        ScriptedResponse(json.dumps({"data": next(left)}).encode())
        if path == "/graphql"
        else ScriptedResponse(b"")
    )


def test_an_upload_follows_the_protocol(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_bytes(BODY)
    scripted.give_data(
        places(("other", "/no"), ("x.bin", f"{storage.url}/put?s=1"), headers=("x-a:b:c", "x-b: d")),
        MARKS,
        {"markRunFilesUploaded": {"success": True}},
        listed(entry("x.bin", "/x")),
    )
    storage.give(ScriptedResponse(b"", 503), ScriptedResponse(b"", 201))
    file = face.take(asked(face, scripted).upload_file("x.bin"))
    assert file.name == "x.bin"
    for each in storage.asked:
        assert (each.method, each.path, each.body) == ("PUT", "/put?s=1", BODY)
        assert (each.headers["x-a"], each.headers["x-b"]) == ("b:c", "d")
        assert "authorization" not in each.headers
        assert "transfer-encoding" not in each.headers
    assert len(storage.asked) == 2


def test_a_relative_upload_url_gets_no_key_either(
    face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_bytes(BODY)
    scripted.route = in_turn(
        scripted, places(("x.bin", "/put")), {"serverInfo": None}, listed(entry("x.bin", "/x"))
    )
    face.take(asked(face, scripted).upload_file("x.bin"))
    (sent,) = [each for each in scripted.asked if each.method == "PUT"]
    assert sent.path == "/put"
    assert "authorization" not in sent.headers


def test_an_expired_upload_url_is_asked_for_once_more(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_bytes(BODY)
    scripted.give_data(places(("x.bin", f"{storage.url}/old")), places(("x.bin", f"{storage.url}/new")))
    storage.give(ScriptedResponse(b"", 403))
    with pytest.raises(AccessDeniedError):
        face.take(asked(face, scripted).upload_file("x.bin"))
    assert [each.path for each in storage.asked] == ["/old", "/new"]


@pytest.mark.parametrize(
    "answer",
    [
        places(("x.bin", "/put"), run=""),
        places(("y.bin", "/put")),
        places(("x.bin", "")),
        {"createRunFiles": None},
    ],
    ids=["no run", "another file", "no url", "null"],
)
def test_a_server_that_gives_no_place(
    answer: object, face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_bytes(BODY)
    scripted.give_data(answer)
    with pytest.raises(UploadRefusedError, match=r"x\.bin"):
        face.take(asked(face, scripted).upload_file("x.bin"))
    assert len(scripted.asked) == 1
