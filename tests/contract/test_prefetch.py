"""`Api.runs(prefetch=True)`: the next page is requested while the caller works on this one, and no page more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import anyio
import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken
from tests.patience import until

from runql import AsyncApi, ServerFailureError
from runql.resources.pages.iteration import impatient
from runql.resources.runs.runs import AsyncRuns, Runs
from runql.transport.flow import fetch
from runql_graphql.operations import get_viewer
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS, PAGE = 8, 3
THREAD = "runql next page"


@pytest.fixture(scope="module")
def crowd() -> Iterator[RunningServer]:
    """A server with three pages of runs."""
    with RunningServer() as server:
        server.seed("p", [SeedRun(name=f"r{number}") for number in range(RUNS)])
        yield server


@pytest.fixture
def server(crowd: RunningServer) -> RunningServer:
    crowd.clear()
    return crowd


def runs_of(face: Face, server: RunningServer, **options: object) -> Untyped:
    api: Untyped = face.api(server.url, server.api_key)
    runs = taken(face, api.runs(f"{server.entity}/p", per_page=PAGE, **options))
    server.clear()
    return runs


class Loop:
    """A loop over a list, one step at a time."""

    def __init__(self, face: Face, many: Untyped) -> None:
        self._face = face
        self._items = iter(many) if face.name == "sync" else aiter(many)

    def step(self) -> str:
        item = next(self._items) if self._face.name == "sync" else taken(self._face, anext(self._items))
        return str(item.id)

    def leave(self) -> None:
        if self._face.name == "sync":
            self._items.close()
        else:
            taken(self._face, self._items.aclose())


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == THREAD]


def test_a_page_is_requested_while_the_caller_works_on_the_one_before(
    server: RunningServer, face: Face
) -> None:
    loop = Loop(face, runs_of(face, server, prefetch=True))
    assert loop.step() == "r0"
    until(lambda: len(server.requests) == 2)
    assert [loop.step(), loop.step()] == ["r1", "r2"]
    # One page ahead at most: the third waits for the first item of the second.
    assert len(server.requests) == 2
    assert loop.step() == "r3"
    until(lambda: len(server.requests) == 3)
    assert [loop.step() for _ in range(RUNS - 4)] == [f"r{number}" for number in range(4, RUNS)]
    with pytest.raises(StopIteration if face.name == "sync" else StopAsyncIteration):
        loop.step()
    assert len(server.requests) == 3
    assert threads() == []


def test_the_whole_list_takes_as_many_requests_as_without(server: RunningServer, face: Face) -> None:
    for prefetch in (False, True):
        runs = runs_of(face, server, prefetch=prefetch)
        for _ in range(2):
            assert [run.id for run in listed(face, runs)] == [f"r{number}" for number in range(RUNS)]
            assert len(server.requests) == 3


def test_without_it_no_page_is_requested_early(server: RunningServer, face: Face) -> None:
    loop = Loop(face, runs_of(face, server))
    assert [loop.step() for _ in range(PAGE)] == ["r0", "r1", "r2"]
    assert (len(server.requests), threads()) == (1, [])


def test_a_limit_counts_for_it_too(server: RunningServer, face: Face) -> None:
    runs = runs_of(face, server, prefetch=True, limit=4)
    assert [run.id for run in listed(face, runs)] == ["r0", "r1", "r2", "r3"]
    assert len(server.requests) == 2


def test_leaving_the_loop_leaves_no_thread_and_no_task(server: RunningServer, face: Face) -> None:
    runs = runs_of(face, server, prefetch=True)
    loop = Loop(face, runs)
    assert loop.step() == "r0"
    loop.leave()
    assert threads() == []
    assert len(server.requests) <= 2
    # What arrived stays: another loop requests each page once.
    assert len(listed(face, runs)) == RUNS
    assert len(server.requests) <= 4


def test_an_abandoned_loop_leaves_no_task(server: RunningServer) -> None:
    async def main() -> None:
        reading: list[asyncio.Task[object]] = []
        async with AsyncApi(base_url=server.url, api_key=server.api_key, allow_insecure=True) as api:
            async for _ in await api.runs(f"{server.entity}/p", per_page=PAGE, prefetch=True):
                reading = [task for task in asyncio.all_tasks() if task.get_name() == THREAD]
                assert len(reading) == 1
                break
            await asyncio.wait(reading)

    anyio.run(main)


def test_trio_reads_the_same_runs_without_a_page_ahead(server: RunningServer) -> None:
    async def main() -> list[str]:
        async with AsyncApi(base_url=server.url, api_key=server.api_key, allow_insecure=True) as api:
            runs = await api.runs(f"{server.entity}/p", per_page=PAGE, prefetch=True)
            return [run.id async for run in runs]

    server.clear()
    assert anyio.run(main, backend="trio") == [f"r{number}" for number in range(RUNS)]
    assert len(server.requests) == 3


@pytest.mark.parametrize("failures", [1, 2])
def test_a_page_that_fails_raises_where_it_is_reached(
    failures: int, server: RunningServer, face: Face
) -> None:
    left = failures

    def fault(sent: Sent) -> Fault:
        nonlocal left
        if sent.answer is None and sent.variables.get("after") and left:
            left -= 1
            return httpx.Response(500)
        return None

    transport = InterceptingTransport(fault)
    client: Untyped = face.client(server.url, server.api_key, transport=transport)
    make: Untyped = Runs if face.name == "sync" else AsyncRuns
    runs = make(client, server.entity, "p", per_page=PAGE, prefetch=True)
    loop = Loop(face, runs)
    assert [loop.step() for _ in range(PAGE)] == ["r0", "r1", "r2"]
    if failures == 1:
        # The page that failed ahead of time is requested again where it is needed.
        assert [loop.step() for _ in range(RUNS - PAGE)] == [f"r{number}" for number in range(PAGE, RUNS)]
        assert len(transport.seen) == 4
    else:
        with pytest.raises(ServerFailureError):
            loop.step()
        assert len(transport.seen) == 3
        assert len(listed(face, runs)) == RUNS
    assert threads() == []


def test_progress_counts_pages_when_they_are_reached(server: RunningServer, face: Face) -> None:
    seen: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        seen.append((done, total))

    runs = runs_of(face, server, prefetch=True, progress=note)
    assert len(listed(face, runs)) == RUNS
    assert [pair for pair in dict.fromkeys(seen) if pair[0] in (3, 6, 8)] == [(3, 8), (6, 8), (8, 8)]


def test_anything_but_a_bool_is_refused(server: RunningServer, face: Face) -> None:
    api: Untyped = face.api(server.url, server.api_key)
    with pytest.raises(TypeError, match="prefetch must be True or False, not str"):
        taken(face, api.runs(f"{server.entity}/p", prefetch="yes"))


def test_the_request_ahead_is_not_repeated() -> None:
    flow = impatient(fetch(get_viewer()))
    effect = next(flow)
    assert getattr(effect, "fail_fast", None) is True
    flow.close()
