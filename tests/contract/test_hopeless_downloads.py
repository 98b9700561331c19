"""A storage that fails for ever: a download of many files ends with the retries of one, and says what it has saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
from tests.contract.artifacts.refusing import RefusingTransport
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, taken

from runql import Api, RetryPolicy, ServerFailureError
from runql.transport.flow import EXTRA_WORKERS
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

MANY = 40
AT_ONCE = 3
ATTEMPTS = 4
POLICY = RetryPolicy(max_attempts=ATTEMPTS, first_delay=0.001, jitter=0)
CONTENTS = {f"f{number:02}": f"content {number}".encode() for number in range(MANY)}

Start: TypeAlias = Callable[[Face, Untyped, str, Path], object]


def run_files(face: Face, api: Untyped, home: str, root: Path) -> object:
    run = taken(face, api.run(f"{home}/r"))
    return taken(face, run.files(per_page=MANY).download(root, max_concurrency=AT_ONCE))


def artifact_files(face: Face, api: Untyped, home: str, root: Path) -> object:
    artifact = taken(face, api.artifact(f"{home}/a:latest"))
    return taken(face, artifact.download(root, max_concurrency=AT_ONCE))


def history_files(face: Face, api: Untyped, home: str, root: Path) -> object:
    run = taken(face, api.run(f"{home}/r"))
    return taken(face, run.download_history(root, max_concurrency=AT_ONCE))


STARTS: dict[str, tuple[Start, str]] = {
    "files of a run": (run_files, "/storage/"),
    "files of an artifact": (artifact_files, "/artifact-storage/"),
    "exports of a history": (history_files, "/history-exports/"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, str]]:
    """A run with files and exports, and an artifact with as many."""
    policy = ExportPolicy(above_rows=0, rows_per_file=1)
    with RunningServer(tmp_path_factory.mktemp("hopeless"), export_policy=policy) as server:
        rows = [{"_step": step, "loss": 0.5} for step in range(MANY)]
        server.seed("p", [SeedRun(name="r", history=rows)])
        server.seed_artifacts("p", [SeedArtifact(name="a", files=CONTENTS)])
        folder = tmp_path_factory.mktemp("contents")
        with Api(api_key=server.api_key, base_url=server.url) as api:
            run = api.run(f"{server.entity}/p/r")
            for name, content in CONTENTS.items():
                (folder / name).write_bytes(content)
                run.upload_file(folder / name, folder)
        yield server, f"{server.entity}/p"


def is_content(request: httpx.Request, place: str) -> bool:
    """Whether a request asks the storage for a file, not for a manifest."""
    return request.url.path.startswith(place) and "/manifests/" not in request.url.path


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("good", [0, 15])
def test_a_storage_that_fails_for_ever_is_given_up_after_one_backoff(
    kind: str, good: int, home: tuple[RunningServer, str], face: Face, tmp_path: Path
) -> None:
    start, place = STARTS[kind]
    server, path = home
    sent: list[str] = []

    def failing(request: httpx.Request) -> httpx.Response | None:
        if not is_content(request, place):
            return None
        sent.append(request.url.path)
        return httpx.Response(503, text="busy") if len(sent) > good else None

    transport = RefusingTransport(failing)
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    with pytest.raises(ServerFailureError) as caught:
        start(face, api.with_options(retries=POLICY), path, tmp_path / "root")
    # Each thread or task may be in the middle of a file when the first one gives up.
    assert good < len(sent) <= good + (AT_ONCE + EXTRA_WORKERS) * ATTEMPTS
    assert caught.value.attempts <= ATTEMPTS
    saved = sum(each.is_file() for each in (tmp_path / "root").rglob("*"))
    [note] = caught.value.__notes__
    assert note.startswith(f"files saved: {saved}")
    assert f"; not saved: {MANY - saved} (" in note
    assert saved <= good
    assert (saved > 0) is (good > 0)


def test_the_note_does_not_repeat_the_key(
    home: tuple[RunningServer, str], face: Face, tmp_path: Path
) -> None:
    server, path = home
    server.seed_artifacts("p", [SeedArtifact(name="keys", files={server.api_key: b"1", "other": b"2"})])

    def failing(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(501) if is_content(request, "/artifact-storage/") else None

    api: Untyped = face.api(server.url, server.api_key, transport=RefusingTransport(failing))
    artifact = taken(face, api.artifact(f"{path}/keys:latest"))
    with pytest.raises(ServerFailureError) as caught:
        taken(face, artifact.download(tmp_path))
    [note] = caught.value.__notes__
    assert "not saved: 2" in note
    assert "other" in note
    assert server.api_key not in note
