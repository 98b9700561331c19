"""The API key goes to URLs under the base URL only, and is shown nowhere."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from tests.contract.both_clients import Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.world import SampleServer

from runql import RetryPolicy, RunqlError

KEY = "local-5ec2e7" + "9d" * 20
SPELLINGS = (
    KEY,
    KEY.removeprefix("local-"),
    base64.b64encode(f"api:{KEY}".encode()).decode(),
    base64.b64encode(KEY.encode()).decode(),
    quote(KEY),
)
ATTRS = {"id": "UnVuOjE=", "name": "abc", "projectId": "1", "createdAt": "2026-01-01T00:00:00"}
CONTENT = ScriptedResponse(b'{"host": "somewhere"}')


def shows_key(text: str) -> bool:
    return any(spelling in text for spelling in SPELLINGS)


@pytest.fixture
def storage() -> Iterator[ScriptedServer]:
    """A storage server on another port, which is another host to a credential."""
    with ScriptedServer() as running:
        running.give(CONTENT)
        yield running


def file_at(url: str | None, direct_url: str = "") -> dict[str, object]:
    """An answer that names a file's place."""
    file = {"id": "F", "name": "wandb-metadata.json", "sizeBytes": 1, "updatedAt": "2026-01-01T00:00:00"}
    edges = [{"cursor": "c", "node": {**file, "url": url, "directUrl": direct_url}}]
    files = {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": edges}
    return {"project": {"name": "p", "entityName": "e", "run": {"name": "abc", "files": files}}}


def metadata(face: Face, server: ScriptedServer, base: str = "") -> object:
    run = face.run(face.client(server.url + base, KEY), "e", "p", "abc", ATTRS)
    return face.take(run.metadata)


@pytest.mark.parametrize("field", ["url", "directUrl"])
def test_a_file_on_another_host_is_fetched_without_the_key(
    field: str, scripted: ScriptedServer, storage: ScriptedServer, face: Face
) -> None:
    place = f"{storage.url}/bucket/file?signature=abc"
    scripted.give_data(file_at(place) if field == "url" else file_at(None, place))
    assert metadata(face, scripted) == {"host": "somewhere"}
    assert "authorization" in scripted.asked[0].headers
    assert [asked.path for asked in storage.asked] == ["/bucket/file?signature=abc"]
    assert_no_key(storage)


@pytest.mark.parametrize("place", ["{api}/files/e/p/abc/f", "/files/e/p/abc/f"], ids=["absolute", "relative"])
def test_a_file_on_the_apis_host_is_fetched_with_the_key(
    place: str, scripted: ScriptedServer, face: Face
) -> None:
    scripted.give_data(file_at(place.format(api=scripted.url)))
    scripted.give(CONTENT)
    assert metadata(face, scripted) == {"host": "somewhere"}
    assert [("authorization" in asked.headers) for asked in scripted.asked] == [True, True]
    assert scripted.asked[1].path == "/files/e/p/abc/f"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_away_from_the_apis_host_leaves_the_key_behind(
    status: int, scripted: ScriptedServer, storage: ScriptedServer, face: Face
) -> None:
    scripted.give_data(file_at("/files/e/p/abc/f"))
    scripted.give(ScriptedResponse(b"", status, {"Location": f"{storage.url}/bucket/file"}))
    assert metadata(face, scripted) == {"host": "somewhere"}
    assert "authorization" in scripted.asked[1].headers
    assert len(storage.asked) == 1
    assert_no_key(storage)


def test_a_path_beside_the_base_url_gets_no_key(scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data(file_at(f"{scripted.url}/apix/f"))
    scripted.give(CONTENT)
    assert metadata(face, scripted, "/api") == {"host": "somewhere"}
    assert [("authorization" in asked.headers) for asked in scripted.asked] == [True, False]


def test_a_redirect_of_the_api_itself_is_not_followed(
    scripted: ScriptedServer, storage: ScriptedServer, face: Face
) -> None:
    scripted.give(ScriptedResponse(b"", 307, {"Location": f"{storage.url}/graphql"}))
    with pytest.raises(RunqlError, match="307"):
        metadata(face, scripted)
    assert storage.asked == []


def assert_no_key(server: ScriptedServer) -> None:
    for asked in server.asked:
        assert "authorization" not in asked.headers
        assert not shows_key(f"{asked.path} {asked.headers} {asked.body!r}")


@pytest.mark.parametrize(
    "answer",
    [
        ScriptedResponse(f"denied for {KEY}".encode(), 401),
        ScriptedResponse(f'{{"error": "key {KEY}"}}'.encode(), 403),
        ScriptedResponse(f'{{"errors": [{{"message": "key {KEY}"}}]}}'.encode(), 400),
        ScriptedResponse(f'{{"errors": [{{"message": "key {KEY}"}}]}}'.encode(), 200),
        ScriptedResponse(
            f'{{"errors": [{{"message": "x"}}], "data": {{"project": {{"a": "{KEY}"}}}}}}'.encode(), 200
        ),
        ScriptedResponse(f"<html>{SPELLINGS[2]}</html>".encode(), 200),
        ScriptedResponse(f"<html>{SPELLINGS[2]}</html>".encode(), 502),
        ScriptedResponse(f"slow down, {KEY}".encode(), 429),
        ScriptedResponse(b'{"data": {"project": 3}}'),
    ],
    ids=["401", "403", "400", "graphql", "partial", "html", "502", "429", "drift"],
)
def test_no_error_shows_the_key_even_if_the_server_does(
    answer: ScriptedResponse, scripted: ScriptedServer, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.give(answer)
    client = face.client(scripted.url, KEY, retry=RetryPolicy(max_attempts=2, first_delay=0.001))
    with pytest.raises(RunqlError) as caught:
        face.take(face.runs(client, "e", "p")[0])
    assert not shows_key(pickle.dumps(caught.value).decode("latin-1"))
    error: BaseException | None = caught.value
    while error is not None:
        assert not shows_key(f"{error!s} {error!r} {vars(error)}")
        error = error.__cause__ or error.__context__
    assert not shows_key(caplog.text)


def test_nothing_that_can_be_printed_shows_the_key(scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data(file_at(None))
    api = face.api(scripted.url, KEY)
    runs = face.take(api.runs("e/p"))
    run = face.run(api.client, "e", "p", "abc", ATTRS)
    shown = [api, api.client, api.settings, api.settings.api_key, api.traffic, runs, run, run.scan_history()]
    assert not shows_key(" ".join(f"{each!s} {each!r}" for each in shown))


def test_no_log_shows_the_key(face: Face, sample: SampleServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "runql"):
        caplog.set_level(logging.DEBUG, logger=name)
    api = face.api(sample.url, sample.api_key)
    run = face.take(face.take(api.runs(f"{sample.entity}/{sample.project}", per_page=2))[0])
    face.take(run.history(3, pandas=False))
    assert any(record.name.startswith("http") for record in caplog.records)
    token = base64.b64encode(f"api:{sample.api_key}".encode()).decode()
    assert sample.api_key not in caplog.text
    assert token not in caplog.text


def test_a_cookie_that_is_set_does_not_come_back(
    scripted: ScriptedServer, storage: ScriptedServer, face: Face
) -> None:
    storage.give(ScriptedResponse(b"{}", headers={"Set-Cookie": "who=me; Path=/"}))
    scripted.give_data(file_at(f"{storage.url}/file"))
    run = face.run(face.client(scripted.url, KEY), "e", "p", "abc", ATTRS)
    for _ in range(3):
        face.take(run.metadata)
    assert len(storage.asked) == 3
    assert [each for each in storage.asked if "cookie" in each.headers] == []
