"""An upload that breaks, or whose client is killed, at any boundary: the server has the old file, the new one or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.both_clients import NO_PATIENCE, AnyRun, Face, FaceName
from tests.contract.file_responses import ATTRS, BODY, TWICE, digest
from tests.faults.boundaries import BEFORE, BOUNDARIES, OLD
from tests.faults.transfer_processes import TransferProcesses
from tests.faults.transfer_program import Transfer
from tests.faults.upload_proxy import UploadProxy
from tests.patience import PATIENCE, until

from runql import (
    Api,
    ConnectionFailedError,
    DigestMismatchError,
    FileNotFoundInRunError,
    LocalFileError,
    RetryPolicy,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """An embedded server."""
    with RunningServer() as running:
        yield running


@pytest.fixture
def path(server: RunningServer) -> tuple[str, str, str]:
    """A run of its own."""
    (run,) = server.seed("uploads", [SeedRun()])
    return server.entity, "uploads", run


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[UploadProxy]:
    """The way to it."""
    with UploadProxy(server.url) as way:
        yield way


@pytest.fixture(params=list(BEFORE))
def before(
    request: pytest.FixtureRequest, server: RunningServer, path: tuple[str, str, str], tmp_path: Path
) -> bytes | None:
    """What the server holds, put there by an upload that went well; the new file lies in its place then."""
    (tmp_path / "d").mkdir()
    old: bytes | None = BEFORE[request.param]
    if old is not None:
        (tmp_path / "d/x.bin").write_bytes(old)
        with Api(base_url=server.url, api_key=server.api_key) as api:
            api.run("/".join(path)).upload_file(tmp_path / "d/x.bin", tmp_path)
    (tmp_path / "d/x.bin").write_bytes(BODY)
    return old


def stored(server: RunningServer, path: tuple[str, str, str], folder: Path) -> bytes | None:
    """What the server holds under the name, fetched and checked; None for nothing."""
    with Api(base_url=server.url, api_key=server.api_key) as api:
        try:
            file = api.run("/".join(path)).file("d/x.bin")
        except FileNotFoundInRunError:
            return None
        with file.download(folder / "seen", replace=True) as opened:
            content = Path(opened.name).read_bytes()
    assert (file.size, file.md5) == (len(content), digest(content))
    return content


def blobs(server: RunningServer) -> set[str]:
    """Files in the store, complete and half."""
    return {each.name for each in server.store.blobs.rglob("*") if each.is_file()}


def complete(server: RunningServer) -> set[str]:
    """Those of them that a run has."""
    with server.store.reading() as connection:
        return {row["blob"] for row in connection.execute("SELECT blob FROM files")}


def settle(server: RunningServer) -> None:
    """Wait until no half file is left: the server has seen that the client is gone."""
    until(lambda: blobs(server) == complete(server))


def run_of(
    face: Face,
    server: RunningServer,
    proxy: UploadProxy,
    path: tuple[str, str, str],
    *,
    retry: RetryPolicy = NO_PATIENCE,
) -> AnyRun:
    return face.run(face.client(proxy.url, server.api_key, retry=retry), *path, ATTRS)


@pytest.mark.parametrize("boundary", [name for name, upto in BOUNDARIES.items() if upto < len(BODY)])
def test_a_connection_that_breaks(
    boundary: str,
    face: Face,
    server: RunningServer,
    proxy: UploadProxy,
    path: tuple[str, str, str],
    before: bytes | None,
    tmp_path: Path,
) -> None:
    proxy.stop(BOUNDARIES[boundary], "break")
    with pytest.raises(ConnectionFailedError):
        face.take(run_of(face, server, proxy, path).upload_file(tmp_path / "d/x.bin", tmp_path))
    assert stored(server, path, tmp_path) == before
    settle(server)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_second_attempt_sends_all_of_it_again(
    boundary: str,
    face: Face,
    server: RunningServer,
    proxy: UploadProxy,
    path: tuple[str, str, str],
    before: bytes | None,
    tmp_path: Path,
) -> None:
    reported: list[int] = []
    proxy.stop(BOUNDARIES[boundary], "break")
    run = run_of(face, server, proxy, path, retry=TWICE)
    face.take(run.upload_file(tmp_path / "d/x.bin", tmp_path, progress=lambda done, _: reported.append(done)))
    assert stored(server, path, tmp_path) == BODY
    assert proxy.uploads == 2
    assert reported == sorted(reported)
    assert reported[-1] == len(BODY)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_client_that_is_killed(
    boundary: str,
    face_name: FaceName,
    processes: TransferProcesses,
    server: RunningServer,
    proxy: UploadProxy,
    path: tuple[str, str, str],
    before: bytes | None,
    tmp_path: Path,
) -> None:
    proxy.stop(BOUNDARIES[boundary], "hold")
    order = Transfer(
        face_name, "upload", proxy.url, str(tmp_path), str(tmp_path / "report"), run=path, key=server.api_key
    )
    process = processes.start(order)
    assert proxy.reached.wait(PATIENCE)
    processes.kill(process)
    proxy.release()
    if BOUNDARIES[boundary] == len(BODY):
        try:
            assert stored(server, path, tmp_path) in (before, BODY)
        except DigestMismatchError:
            # The server took the file between the two requests of that look; what is there now is the new one.
            assert stored(server, path, tmp_path) == BODY
    else:
        assert stored(server, path, tmp_path) == before
        settle(server)
    assert (tmp_path / "d/x.bin").read_bytes() == BODY


def test_a_file_that_shrinks_while_it_is_sent(
    face: Face, server: RunningServer, path: tuple[str, str, str], tmp_path: Path
) -> None:
    """Fewer bytes than were announced are no file; what the server holds stays."""
    local = tmp_path / "d/x.bin"
    local.parent.mkdir()
    local.write_bytes(OLD)
    run = face.run(face.client(server.url, server.api_key, retry=TWICE), *path, ATTRS)
    face.take(run.upload_file(local, tmp_path))
    local.write_bytes(BODY)

    def shrink(done: int, _: int | None) -> None:
        local.write_bytes(b"short")

    with pytest.raises(LocalFileError, match="became shorter"):
        face.take(run.upload_file(local, tmp_path, progress=shrink))
    assert stored(server, path, tmp_path) == OLD
