"""One `AsyncApi` in one event loop after another, as notebooks and test suites use it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio
import anyio.to_thread
import httpx
import pytest
from tests.contract.every_call import ROWS, furnish
from tests.patience import PATIENCE, until

from runql import AsyncApi, UnshareableError
from runql_server.running import RunningServer

PAGE = {
    "data": {
        "project": {
            "name": "p",
            "entityName": "e",
            "runs": {
                "totalCount": 1,
                "pageInfo": {"endCursor": None, "hasNextPage": False},
                "edges": [
                    {
                        "cursor": "c",
                        "node": {
                            "id": "R",
                            "name": "r",
                            "projectId": "1",
                            "createdAt": "2026-01-01T00:00:00",
                        },
                    }
                ],
            },
        }
    }
}
T = TypeVar("T")
Loop = Callable[[Callable[[], Awaitable[T]]], T]


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    furnish(server, project)
    return f"{server.entity}/{project}"


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "trio")])
def test_what_one_event_loop_began_another_goes_on_with(
    server: RunningServer, home: str, backends: tuple[str, str]
) -> None:
    """Runs, lists, sweeps and scans; warnings are errors, so that no connection may stay open either."""
    if "trio" in backends:
        pytest.importorskip("trio")
    first, second = backends
    api = AsyncApi(base_url=server.url, api_key=server.api_key)

    async def listing() -> list[str]:
        return [each.id async for each in runs]

    async def reading() -> tuple[int, str]:
        rows = [row async for row in scan]
        sweep = await (await runs[0]).sweep
        assert sweep is not None
        return len(rows), sweep.id

    runs = anyio.run(api.runs, home, None, "+created_at", 1, backend=first)
    run = anyio.run(runs.__getitem__, 0, backend=first)
    scan = run.scan_history(page_size=10)
    anyio.run(run.load, backend=first)
    before = anyio.run(reading, backend=first)
    assert anyio.run(reading, backend=second) == before
    assert before[0] == ROWS
    assert anyio.run(runs.__anext__, backend=first).id == "one"
    assert anyio.run(runs.__anext__, backend=second).id == "two"
    assert anyio.run(listing, backend=second) == ["one", "two"]
    anyio.run(api.close, backend=second)


def test_a_scan_ends_with_its_event_loop_and_says_so(server: RunningServer, home: str) -> None:
    """The loop has closed the generator, which would look exhausted: no row may be missing silently."""
    api = AsyncApi(base_url=server.url, api_key=server.api_key)
    run = anyio.run(api.run, f"{home}/one")
    scan = run.scan_history(page_size=10)

    async def reading() -> int:
        return len([row async for row in scan])

    assert anyio.run(scan.__anext__)["_step"] == 0
    with pytest.raises(UnshareableError, match="make a new scan"):
        anyio.run(scan.__anext__)
    assert anyio.run(reading) == ROWS
    anyio.run(api.close)


def test_two_event_loops_that_look_at_one_page_fetch_it_once() -> None:
    asked, release, requests = threading.Event(), threading.Event(), list[httpx.Request]()

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        asked.set()
        await anyio.to_thread.run_sync(release.wait, PATIENCE)
        return httpx.Response(200, json=PAGE)

    api = AsyncApi(base_url="http://api.host", api_key="k" * 40, transport=httpx.MockTransport(answer))
    runs = anyio.run(api.runs, "e/p")

    def waits() -> bool:
        found: object = runs
        for name in ("_listing", "_pages", "_current", "_wakers"):
            found = getattr(found, name)
        return bool(found)

    async def listing() -> list[str]:
        return [run.id async for run in runs]

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(anyio.run, listing)
        assert asked.wait(PATIENCE)
        second = threads.submit(anyio.run, listing)
        until(waits)
        release.set()
        assert first.result(PATIENCE) == second.result(PATIENCE) == ["r"]
    assert len(requests) == 1
    anyio.run(api.close)
