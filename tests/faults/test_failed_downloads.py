"""A download that fails at any boundary: the target is unchanged, and no other file is left in its folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from tests.contract.both_clients import NO_PATIENCE, AnyFile, DoubleTransport, Face
from tests.contract.file_responses import ATTRS, BODY, KEY, TWICE
from tests.contract.timeouts import TimeoutTransport
from tests.faults.boundaries import BEFORE, BOUNDARIES, content_of, place_target, siblings_of
from tests.faults.stopping_server import Sending, Stop, StoppingServer
from tests.patience import PATIENCE

from runql import (
    AsyncFile,
    ConnectionFailedError,
    DigestMismatchError,
    RequestTimedOutError,
    RetryPolicy,
    RunqlError,
)

# After which a server counts as silent. On a busy machine it may pass before the boundary: the target is the same.
SILENCE = 0.3
PARTS = {name: upto for name, upto in BOUNDARIES.items() if upto < len(BODY)}
LOST: dict[Stop, type[RunqlError]] = {
    "close": ConnectionFailedError,
    "reset": ConnectionFailedError,
    "hold": RequestTimedOutError,
}


class StopError(Exception):
    """No error of ours."""


@pytest.fixture(params=list(BEFORE))
def before(request: pytest.FixtureRequest) -> bytes | None:
    """What the target holds."""
    return BEFORE[request.param]


@pytest.fixture
def target(before: bytes | None, tmp_path: Path) -> Path:
    """Where the file is saved."""
    return place_target(tmp_path, before)


def file_of(
    face: Face,
    stopping: StoppingServer,
    retry: RetryPolicy = NO_PATIENCE,
    *,
    transport: DoubleTransport | None = None,
) -> AnyFile:
    client = face.client(stopping.url, KEY, retry=retry, transport=transport)
    return face.take(face.run(client, "e", "p", "abc", ATTRS).file("d/x.bin"))


def files_in_time(request: httpx.Request) -> float:
    return SILENCE if request.method == "GET" else PATIENCE


def flipped(place: int) -> bytes:
    return BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("stop", LOST)
def test_a_connection_that_is_lost(
    stop: Stop,
    boundary: str,
    face: Face,
    stopping: StoppingServer,
    before: bytes | None,
    target: Path,
    tmp_path: Path,
) -> None:
    stopping.send(Sending(BOUNDARIES[boundary], stop))
    file = file_of(face, stopping, transport=TimeoutTransport(files_in_time) if stop == "hold" else None)
    with pytest.raises(LOST[stop]):
        face.take(file.download(tmp_path, replace=True))
    assert (content_of(target), siblings_of(target)) == (before, [])


@pytest.mark.parametrize("boundary", PARTS)
def test_a_body_that_ends_early(
    boundary: str,
    face: Face,
    stopping: StoppingServer,
    before: bytes | None,
    target: Path,
    tmp_path: Path,
) -> None:
    stopping.send(Sending(PARTS[boundary]))
    for fields in ({}, {"md5": None}):
        stopping.fields = {**fields}
        file = file_of(face, stopping)
        with pytest.raises(DigestMismatchError):
            face.take(file.download(tmp_path, replace=True))
        assert (content_of(target), siblings_of(target)) == (before, [])


@pytest.mark.parametrize("boundary", PARTS)
def test_a_byte_that_is_wrong(
    boundary: str,
    face: Face,
    stopping: StoppingServer,
    before: bytes | None,
    target: Path,
    tmp_path: Path,
) -> None:
    stopping.send(Sending(body=flipped(PARTS[boundary])))
    file = file_of(face, stopping)
    with pytest.raises(DigestMismatchError, match="the digest"):
        face.take(file.download(tmp_path, replace=True))
    assert (content_of(target), siblings_of(target)) == (before, [])


@pytest.mark.parametrize("boundary", PARTS)
def test_an_interruption(
    boundary: str,
    face: Face,
    stopping: StoppingServer,
    before: bytes | None,
    target: Path,
    tmp_path: Path,
) -> None:
    def stop(done: int, _: int | None) -> None:
        if done > PARTS[boundary]:
            raise StopError

    file = file_of(face, stopping)
    with pytest.raises(StopError):
        face.take(file.download(tmp_path, replace=True, progress=stop))
    assert (content_of(target), siblings_of(target)) == (before, [])


def test_a_user_who_interrupts(
    stopping: StoppingServer, portal: BlockingPortal, before: bytes | None, target: Path, tmp_path: Path
) -> None:
    def interrupt(done: int, _: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    face = Face("sync", portal)
    with pytest.raises(KeyboardInterrupt):
        face.take(file_of(face, stopping).download(tmp_path, replace=True, progress=interrupt))
    assert (content_of(target), siblings_of(target)) == (before, [])
    face.close()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_an_awaited_download_that_is_cancelled(
    boundary: str,
    portal: BlockingPortal,
    stopping: StoppingServer,
    before: bytes | None,
    target: Path,
    tmp_path: Path,
) -> None:
    face = Face("async", portal)
    stopping.send(Sending(BOUNDARIES[boundary], "hold"))
    client = face.client(stopping.url, KEY)
    file = face.take(face.run(client, "e", "p", "abc", ATTRS).file("d/x.bin"))
    assert isinstance(file, AsyncFile)
    awaited = file

    async def cancelled() -> bool:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(awaited.download, tmp_path, replace=True))
            await anyio.to_thread.run_sync(stopping.reached.wait)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        return group.cancel_scope.cancelled_caught

    assert portal.call(cancelled)
    assert (content_of(target), siblings_of(target)) == (before, [])
    face.close()


def test_a_second_attempt_that_is_whole(
    face: Face, stopping: StoppingServer, target: Path, tmp_path: Path
) -> None:
    def whole_next(done: int, _: int | None) -> None:
        if done:
            stopping.send(Sending())

    stopping.send(Sending(len(BODY) // 2, "close"))
    file = file_of(face, stopping, TWICE)
    face.take(file.download(tmp_path, replace=True, progress=whole_next)).close()
    assert (content_of(target), siblings_of(target)) == (BODY, [])
