"""Files and runs that a server or the disk refuses: one clear error, nothing half-written, no request too many."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.file_responses import ATTRS, BODY, asked, entry, listed
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.test_files import left_in, saved_all

from runql import (
    AccessDeniedError,
    InvalidAnswerError,
    NotFoundError,
    ProjectNotFoundError,
    QueryError,
    RunNotFoundError,
    RunqlError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

HALF = len(BODY) // 2
CUT = ScriptedResponse(BODY[:HALF], headers={"Content-Length": str(len(BODY)), "ETag": '"e"'})
DENIED = ScriptedResponse(b'{"errors": [{"message": "permission denied"}]}')


@pytest.fixture
def storage() -> Iterator[ScriptedServer]:
    """Another port, which is another host to a credential."""
    with ScriptedServer() as running:
        yield running


def posts(server: ScriptedServer) -> int:
    return sum(each.method == "POST" for each in server.asked)


@pytest.mark.parametrize(
    ("path", "error"),
    [(("no-project", "abc"), ProjectNotFoundError), (("project", "no-run"), RunNotFoundError)],
    ids=["project", "run"],
)
def test_what_is_not_there_is_told_by_one_request(
    path: tuple[str, str], error: type[NotFoundError], face: Face, server: RunningServer, tmp_path: Path
) -> None:
    server.seed("project", [SeedRun()])
    (tmp_path / "x.txt").write_text("x")
    client = face.client(server.url, server.api_key)
    run = face.run(client, server.entity, *path, ATTRS)
    calls: list[Callable[[], object]] = [
        lambda: face.take(run.file("x.txt")),
        lambda: face.items(run.files()),
        lambda: face.take(run.files(pattern="%").length),
        lambda: saved_all(face, run.files(), tmp_path / "root"),
    ]
    for count, call in enumerate(calls, start=1):
        with pytest.raises(error):
            call()
        assert client.traffic.requests == count
    with pytest.raises(RunqlError, match=r"not found|no place"):
        face.take(run.upload_file(tmp_path / "x.txt", tmp_path))
    assert client.traffic.requests == len(calls) + 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [(ScriptedResponse(b"no", 403), AccessDeniedError), (DENIED, QueryError)],
    ids=["403", "errors"],
)
def test_what_is_forbidden_is_told_by_one_request(
    answer: ScriptedResponse, error: type[RunqlError], face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_text("x")
    scripted.give_data(listed(entry("x.txt", "/x")))
    run = asked(face, scripted)
    file = face.take(run.file("x.txt"))
    scripted.route = lambda _: answer
    calls: list[Callable[[], object]] = [
        lambda: face.take(run.file("x.txt")),
        lambda: face.items(run.files()),
        lambda: face.take(run.upload_file(tmp_path / "x.txt", tmp_path)),
        lambda: face.take(file.delete()),
    ]
    for count, call in enumerate(calls, start=2):
        with pytest.raises(error):
            call()
        assert len(scripted.asked) == count


def test_the_storages_own_address_is_asked_and_gets_no_key(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", "/api", directUrl=f"{storage.url}/x?signature=s")))
    storage.give(ScriptedResponse(BODY))
    saved_all(face, asked(face, scripted).files(), tmp_path)
    assert left_in(tmp_path) == {"x.bin": BODY}
    assert [each.path for each in storage.asked] == ["/x?signature=s"]
    assert "authorization" not in storage.asked[0].headers
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("then", ["good", "refused"])
def test_an_expired_address_is_asked_for_again_once(
    then: str, status: int, face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(
        listed(entry("x.bin", "/no", directUrl=f"{storage.url}/old")),
        listed(entry("x.bin", f"{storage.url}/new", directUrl=f"{storage.url}/other")),
    )
    storage.give(
        ScriptedResponse(b"expired", status),
        ScriptedResponse(BODY) if then == "good" else ScriptedResponse(b"no", status),
    )
    file = face.take(asked(face, scripted).file("x.bin"))
    if then == "good":
        face.take(file.download(tmp_path)).close()
    else:
        with pytest.raises(RunqlError):
            face.take(file.download(tmp_path))
    assert left_in(tmp_path) == ({"x.bin": BODY} if then == "good" else {})
    assert [each.path for each in storage.asked] == ["/old", "/new"]
    assert len(scripted.asked) == 2


@pytest.mark.parametrize("status", [400, 403])
def test_an_expired_upload_address_is_asked_for_again_and_the_file_sent_from_its_beginning(
    status: int, face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_bytes(BODY)

    def place(path: str) -> dict[str, object]:
        files = [{"name": "x.bin", "uploadUrl": f"{storage.url}{path}"}]
        return {"createRunFiles": {"runID": "R", "uploadHeaders": [], "files": files}}

    scripted.give_data(place("/old"), place("/new"), {"serverInfo": None}, listed(entry("x.bin", "/x")))
    storage.give(
        ScriptedResponse(b"", 503),
        ScriptedResponse(b"", status),
        ScriptedResponse(b"", 500),
        ScriptedResponse(b"", 200),
    )
    reported: list[int] = []
    face.take(asked(face, scripted).upload_file("x.bin", progress=lambda done, _: reported.append(done)))
    assert [(each.path, each.body) for each in storage.asked] == [
        ("/old", BODY),
        ("/old", BODY),
        ("/new", BODY),
        ("/new", BODY),
    ]
    assert reported == sorted(reported)
    assert posts(scripted) == 4


REFUSALS: dict[str, list[ScriptedResponse]] = {
    "416": [ScriptedResponse(b"", 416, {"Content-Range": f"bytes */{HALF}"})],
    "another part": [ScriptedResponse(BODY[:10], 206, {"Content-Range": f"bytes 0-9/{len(BODY)}"})],
    "not to the end": [
        ScriptedResponse(
            BODY[HALF : HALF + 10], 206, {"Content-Range": f"bytes {HALF}-{HALF + 9}/{len(BODY)}"}
        )
    ],
    "no part": [ScriptedResponse(BODY[HALF:], 206)],
    "another file": [
        ScriptedResponse(
            BODY[HALF:], 206, {"Content-Range": f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"f"'}
        )
    ],
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_server_that_does_not_resume_is_asked_for_all_of_it(
    name: str, face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", f"{storage.url}/x")))
    storage.give(CUT, *REFUSALS[name], ScriptedResponse(BODY))
    face.take(face.take(asked(face, scripted).file("x.bin")).download(tmp_path)).close()
    assert left_in(tmp_path) == {"x.bin": BODY}
    assert [each.headers.get("range") for each in storage.asked] == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_server_that_never_resumes_is_told(
    name: str, face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", f"{storage.url}/x")))
    storage.give(CUT, *REFUSALS[name], CUT, *REFUSALS[name])
    with pytest.raises(InvalidAnswerError):
        face.take(face.take(asked(face, scripted).file("x.bin")).download(tmp_path))
    assert left_in(tmp_path) == {}
    assert len(storage.asked) == 4


def test_metadata_is_two_requests_each_time(face: Face, scripted: ScriptedServer) -> None:
    found = ScriptedResponse(json.dumps({"data": listed(entry("wandb-metadata.json", "/m"))}).encode())
    scripted.route = lambda path: found if path == "/graphql" else ScriptedResponse(b'{"os": "Linux"}')
    run = asked(face, scripted)
    for count in (2, 4):
        assert face.take(run.metadata) == {"os": "Linux"}
        assert len(scripted.asked) == count


def test_metadata_of_a_run_without_it_is_one_request(face: Face, scripted: ScriptedServer) -> None:
    scripted.give_data(listed(entry("wandb-metadata.json", "/m", updatedAt=None)))
    run: AnyRun = asked(face, scripted)
    assert face.take(run.metadata) is None
    assert len(scripted.asked) == 1
