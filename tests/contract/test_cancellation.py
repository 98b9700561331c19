"""Cancelled in the middle of a response, a call leaves no connection, file or task, in asyncio and in trio."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import anyio
import anyio.to_thread
import pytest
import trio
from tests.contract.every_call import ROWS, furnish
from tests.contract.stalling_proxy import StallingProxy
from tests.contract.untyped import Untyped
from tests.patience import PATIENCE, until

from runql import AsyncApi, AsyncRun
from runql.transport.files.bodies import Sink, Source
from runql_server.running import RunningServer

Backend = Literal["asyncio", "trio"]
BACKENDS: Final[tuple[Backend, ...]] = ("asyncio", "trio")
FILE: Final = "big.bin"
BYTES: Final = bytes(range(256)) * 40_000

# httpx iterates over a request's body, which is in memory, by a generator. A cancelled request leaves it, and trio warns.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx._content.ByteStream.__aiter__':ResourceWarning"
)
both_loops = pytest.mark.parametrize("backend", BACKENDS)


@dataclass
class Subjects:
    """What is read: made before responses stand still."""

    api: AsyncApi
    run: AsyncRun
    home: str
    folder: Path


@dataclass(frozen=True)
class Case:
    """A call that is cancelled.

    Attributes:
        stalls_from: the request whose response stands still, counted from 1.
        work: the call; it returns how much it read.
        whole: what it returns when nothing stands still.
    """

    stalls_from: int
    work: Callable[[Subjects], Coroutine[None, None, int]]
    whole: int


async def counted(many: Untyped) -> int:
    return len([each async for each in many])


async def listed(on: Subjects) -> int:
    return await counted(await on.api.runs(on.home, per_page=1))


async def frames(on: Subjects) -> int:
    scan = (await on.api.runs(on.home, per_page=1)).scan_histories(format="default", page_size=10)
    return sum([len(rows) async for rows in scan])


async def collected(on: Subjects) -> int:
    scan = (await on.api.runs(on.home)).scan_histories(format="default", keys=["loss"])
    return len(await scan.collect())


async def sampled(on: Subjects) -> int:
    return len(await (await on.api.runs(on.home, per_page=1)).histories())


async def framed(on: Subjects) -> int:
    return (await on.run.scan_history(page_size=2).to_polars()).height


async def downloaded(on: Subjects) -> int:
    file = await on.run.file(FILE)
    with await file.download(on.folder, replace=True):
        return (on.folder / FILE).stat().st_size


async def all_downloaded(on: Subjects) -> int:
    return len(await on.run.files().download(on.folder, replace=True))


async def artifact_downloaded(on: Subjects) -> int:
    artifact = await on.api.artifact(f"{on.home}/rows:latest")
    return len(files_in(Path(await artifact.download(on.folder / "artifact"))))


CASES: Final[dict[str, Case]] = {
    "a scan, first window": Case(1, lambda on: counted(on.run.scan_history(page_size=10)), ROWS),
    "a scan, later windows": Case(2, lambda on: counted(on.run.scan_history(page_size=10)), ROWS),
    "a scan, many windows at once": Case(3, framed, ROWS),
    "scan_histories, iterated": Case(2, frames, 2 * ROWS),
    "scan_histories, collected": Case(1, collected, 2 * ROWS),
    "histories": Case(2, sampled, 2 * ROWS),
    "a page of a list": Case(2, listed, 2),
    "a file": Case(2, downloaded, len(BYTES)),
    "all files": Case(2, all_downloaded, 1),
    "an artifact": Case(3, artifact_downloaded, 1),
}


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    furnish(server, project)
    return f"{server.entity}/{project}"


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[StallingProxy]:
    with StallingProxy(server.url) as running:
        yield running


def tasks(backend: Backend) -> int:
    """How many tasks the running event loop has."""
    if backend == "trio":
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def busy(api: AsyncApi) -> int:
    """How many connections of the client are in use."""
    client: Untyped = api.client
    pools = [pool.http._transport._pool for pool in client._pools.values()]
    return sum(not connection.is_idle() for pool in pools for connection in pool.connections)


def files_in(folder: Path) -> list[str]:
    """The files below a folder, hidden ones included."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def happens(event: Callable[[], bool]) -> None:
    """Wait for an event of another thread."""
    await anyio.to_thread.run_sync(until, event)


@both_loops
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_left_and_the_same_call_succeeds_afterwards(
    name: str, backend: Backend, server: RunningServer, proxy: StallingProxy, home: str, tmp_path: Path
) -> None:
    case, folder = CASES[name], tmp_path / "here"
    folder.mkdir()
    (tmp_path / FILE).write_bytes(BYTES)

    async def main() -> None:
        api = AsyncApi(base_url=proxy.url, api_key=server.api_key)
        run = await api.run(f"{home}/one")
        await run.upload_file(FILE, root=tmp_path)
        on = Subjects(api, run, home, folder)
        before = tasks(backend)

        proxy.stall_from(case.stalls_from)
        async with anyio.create_task_group() as group:
            group.start_soon(case.work, on)
            assert await anyio.to_thread.run_sync(proxy.stalled.wait, PATIENCE)
            group.cancel_scope.cancel()
        assert group.cancel_scope.cancelled_caught

        await happens(lambda: proxy.stopped == 0)
        assert busy(api) == 0
        assert tasks(backend) == before
        assert files_in(folder) == []

        proxy.stall_from(None)
        assert await case.work(on) == case.whole
        assert tasks(backend) == before
        await api.close()
        await happens(lambda: proxy.connections == 0)

    anyio.run(main, backend=backend)


@both_loops
def test_a_cancellation_before_bytes_are_written_closes_the_body(
    backend: Backend, server: RunningServer, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing reads the body: its generators would be left to the garbage collector, of which trio warns."""
    (tmp_path / FILE).write_bytes(BYTES)
    take, folder = Sink.take, tmp_path / "here"
    folder.mkdir()

    async def main() -> None:
        async with AsyncApi(base_url=server.url, api_key=server.api_key) as api:
            run = await api.run(f"{home}/one")
            await run.upload_file(FILE, root=tmp_path)
            with anyio.CancelScope() as scope:

                def take_and_cancel(sink: Sink, chunk: bytes) -> None:
                    take(sink, chunk)
                    if sink.is_full:
                        scope.cancel()

                monkeypatch.setattr(Sink, "take", take_and_cancel)
                await downloaded(Subjects(api, run, home, folder))
            assert scope.cancelled_caught
            gc.collect()
            assert busy(api) == 0
            assert files_in(folder) == []

    anyio.run(main, backend=backend)


@both_loops
def test_a_cancellation_before_bytes_are_sent_leaves_no_body(
    backend: Backend, server: RunningServer, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_bytes(BYTES)
    chunks = Source.chunks

    async def main() -> None:
        async with AsyncApi(base_url=server.url, api_key=server.api_key) as api:
            run = await api.run(f"{home}/one")
            with anyio.CancelScope() as scope:

                def chunks_and_cancel(source: Source) -> Generator[bytes]:
                    for chunk in chunks(source):
                        anyio.from_thread.run_sync(scope.cancel)
                        yield chunk

                with monkeypatch.context() as patch:
                    patch.setattr(Source, "chunks", chunks_and_cancel)
                    await run.upload_file(FILE, root=tmp_path)
            assert scope.cancelled_caught
            gc.collect()
            assert busy(api) == 0
            await run.upload_file(FILE, root=tmp_path)

    anyio.run(main, backend=backend)


@both_loops
def test_a_list_goes_on_where_it_was_cancelled(
    backend: Backend, server: RunningServer, proxy: StallingProxy, home: str
) -> None:
    async def main() -> None:
        async with AsyncApi(base_url=proxy.url, api_key=server.api_key) as api:
            runs = await api.runs(home, per_page=1)
            assert (await anext(runs)).id == "one"
            proxy.stall_from(1)
            async with anyio.create_task_group() as group:
                group.start_soon(runs.__anext__)
                assert await anyio.to_thread.run_sync(proxy.stalled.wait, PATIENCE)
                group.cancel_scope.cancel()
            await happens(lambda: proxy.stopped == 0)
            proxy.stall_from(None)
            assert (await anext(runs)).id == "two"
            assert [run.id async for run in runs] == ["one", "two"]

    anyio.run(main, backend=backend)


@both_loops
def test_a_deadline_ends_a_call_like_a_cancellation(
    backend: Backend, server: RunningServer, proxy: StallingProxy, home: str
) -> None:
    """Under `anyio.move_on_after` the scope is cancelled by the clock; here its deadline moves when the response stands still."""

    async def main() -> None:
        async with AsyncApi(base_url=proxy.url, api_key=server.api_key) as api:
            run = await api.run(f"{home}/one")
            proxy.stall_from(2)
            scope = anyio.CancelScope()

            async def end() -> None:
                assert await anyio.to_thread.run_sync(proxy.stalled.wait, PATIENCE)
                scope.deadline = anyio.current_time()

            async with anyio.create_task_group() as group:
                group.start_soon(end)
                with scope:
                    await counted(run.scan_history(page_size=10))
            assert scope.cancelled_caught
            await happens(lambda: proxy.stopped == 0)
            assert busy(api) == 0

    anyio.run(main, backend=backend)


@both_loops
def test_one_of_two_readers_is_cancelled_and_the_other_gets_the_page(
    backend: Backend, server: RunningServer, proxy: StallingProxy, home: str
) -> None:
    async def main() -> None:
        async with AsyncApi(base_url=proxy.url, api_key=server.api_key) as api:
            runs = await api.runs(home)
            found: list[int] = []

            async def read() -> None:
                found.append(await counted(runs))

            proxy.stall_from(1)
            async with anyio.create_task_group() as others, anyio.create_task_group() as first:
                first.start_soon(read)
                assert await anyio.to_thread.run_sync(proxy.stalled.wait, PATIENCE)
                others.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                proxy.stall_from(None)
                first.cancel_scope.cancel()
            assert found == [2]
            await happens(lambda: proxy.stopped == 0)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio"])  # trio warns of any generator that is left without `aclose`
def test_a_loop_that_is_left_in_the_middle_leaves_no_connection(
    backend: Backend, server: RunningServer, proxy: StallingProxy, home: str
) -> None:
    async def main() -> None:
        async with AsyncApi(base_url=proxy.url, api_key=server.api_key) as api:
            run = await api.run(f"{home}/one")
            before = tasks(backend)
            async for row in run.scan_history(page_size=10):
                assert row["_step"] == 0
                break
            assert (busy(api), tasks(backend)) == (0, before)
        await happens(lambda: proxy.connections == 0)

    anyio.run(main, backend=backend)
