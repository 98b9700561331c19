"""A marked key goes through every public call and every fault, and comes out at the API host alone."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpcore
import httpx
import pytest
from tests.contract.both_clients import AnyApi, Face
from tests.contract.every_call import EVERY, FILE, Call, Subjects, furnish
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import taken
from tests.security.front import Front, Part
from tests.security.marked_key import KEY, SPELLINGS, caught, files_with_key, shows_key, sightings
from tests.security.raw_server import RawServer
from tests.security.test_key_in_errors import REPLIES, TOKEN, http

from runql import Api, RunqlError
from runql_server.running import RunningServer

LOGGERS: Final = ("", "runql", httpx.__name__, httpcore.__name__, "asyncio", "urllib3")
ELSEWHERE: Final = "{elsewhere}"
FAULTS: Final[dict[str, tuple[Part, bytes]]] = {
    **{f"operations: {name}": ("operations", reply) for name, reply in REPLIES.items() if name != "redirect"},
    "operations: reset": ("operations", b""),
    "operations: redirect": ("operations", http("", "307 Temporary Redirect", f"Location: {ELSEWHERE}")),
    **{
        f"files: {name}": ("files", REPLIES[name])
        for name in (
            "401",
            "403",
            "500",
            "truncated",
            "undecodable gzip",
            "key in headers",
            "key as a header",
        )
    },
    "files: reset": ("files", b""),
    "files: redirect": ("files", http("", "302 Found", f"Location: {ELSEWHERE}")),
}
MOVES_FILES: Final = {
    "run.upload_file",
    "file.download",
    "files.download",
    "artifact.download",
    "run.history_files",
}

pytestmark = [pytest.mark.usefixtures("_marked"), pytest.mark.long]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Start a server that accepts the marked key."""
    with RunningServer(api_key=KEY) as running:
        yield running


@pytest.fixture
def front(server: RunningServer) -> Iterator[Front]:
    with Front(server.url) as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    """Start another host, where redirects lead."""
    with ScriptedServer() as running:
        running.give(ScriptedResponse(b"content"))
        yield running


@pytest.fixture
def subjects(
    server: RunningServer,
    front: Front,
    face: Face,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Subjects:
    """Read the objects of the calls, without faults, by a client that does not repeat requests."""
    project = f"p{abs(hash(request.node.nodeid))}"
    sweep_id = furnish(server, project)
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / FILE).write_text("notes")
    home = f"{server.entity}/{project}"
    api: AnyApi = face.api(front.url).with_options(retries=0)
    taken(face, taken(face, api.run(f"{home}/one")).upload_file(FILE, root=folder))
    return Subjects(face, api, home, sweep_id, folder)


@pytest.fixture
def _all_logged(caplog: pytest.LogCaptureFixture) -> None:
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.mark.usefixtures("_all_logged")
def test_no_call_without_faults_lets_the_key_out(
    subjects: Subjects, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    results: list[object] = []
    failed: list[str] = []
    for name, call in EVERY.items():
        try:
            results.append(made(call, subjects))
        except RunqlError:
            failed.append(name)
    # The calls before have given the artifact an alias, and the run is not pending.
    assert failed == ["artifact.delete", "run.update_state"]
    assert not shows_key(f"{results!r} {vars(subjects)!r}")
    assert {httpx.__name__, f"{httpcore.__name__}.http11"} <= {record.name for record in caplog.records}
    assert_nothing_written(tmp_path, caplog, capfd)


@pytest.mark.nightly
@pytest.mark.usefixtures("_all_logged")
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_any_call_lets_the_key_out(
    fault: str,
    subjects: Subjects,
    front: Front,
    elsewhere: ScriptedServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    part, reply = FAULTS[fault]
    front.part, front.reply = part, reply.replace(ELSEWHERE.encode(), f"{elsewhere.url}/{{id}}".encode())
    calls = {name: call for name, call in EVERY.items() if part == "operations" or name in MOVES_FILES}
    failed, found = 0, list[str]()
    for name, call in calls.items():
        error = refused(call, subjects)
        failed += error is not None
        # Tools that show variables are run in test_key_in_errors.py; here the frames are walked.
        found += [] if error is None else [f"{name}: {place}" for place in sightings(error, rendered=False)]
    assert found == [], found
    assert front.faults >= failed > (len(calls) // 2 if "redirect" not in fault else -1)
    for asked in elsewhere.asked:
        assert not shows_key(f"{asked.path} {asked.headers} {asked.body!r}")
    assert_nothing_written(tmp_path, caplog, capfd)


def refused(call: Call, subjects: Subjects) -> RunqlError | None:
    try:
        made(call, subjects)
    except RunqlError as error:
        return error
    return None


def made(call: Call, subjects: Subjects) -> object:
    result: object = call(subjects)
    if isinstance(result, io.IOBase):  # a downloaded file
        result.close()
    return result


def assert_nothing_written(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [
        record.getMessage() for record in caplog.records if shows_key(f"{record.getMessage()} {record.args}")
    ] == []
    assert not shows_key(caplog.text)
    written = capfd.readouterr()
    assert not shows_key(written.out + written.err)
    assert files_with_key(folder) == []


def test_the_proxy_of_an_https_server_does_not_get_the_key(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(http(KEY, "502 Bad Gateway")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        api = face.api("https://api.host").with_options(retries=0)
        error = caught(lambda: taken(face, api.run("e/p/abc")))
    assert isinstance(error, RunqlError)
    assert proxy.received[0].startswith(b"CONNECT api.host:443 ")
    assert not any(shows_key(each) for each in proxy.received)
    assert sightings(error) == []


def test_a_log_of_the_http_libraries_that_repeats_the_key_is_blanked(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """httpcore logs the headers of responses, and httpx the reason phrase."""
    caplog.set_level(logging.DEBUG)
    with RawServer(http("{}", f"200 {KEY}", f"X-Key: {TOKEN}")) as hostile:
        caught(lambda: taken(face, face.api(hostile.url).with_options(retries=0).run("e/p/abc")))
    assert "***" in caplog.text
    assert not shows_key(caplog.text)


def test_a_client_that_is_gone_leaves_the_log_filter(caplog: pytest.LogCaptureFixture) -> None:
    from runql.transport.credentials.log_filter import KEY_FILTER

    before = len(KEY_FILTER.redactors)
    api = Api(base_url="http://127.0.0.1:1", api_key=KEY)
    assert len(KEY_FILTER.redactors) == before + 1
    api.close()
    del api
    import gc

    gc.collect()
    assert len(KEY_FILTER.redactors) <= before
    assert SPELLINGS
