"""One `AsyncApi` in one event loop after another, as notebooks and test suites use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import pytest
from tests.contract.every_call import ROWS, furnish

from runql import AsyncApi
from runql_server.running import RunningServer

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
    assert anyio.run(listing, backend=second) == ["one", "two"]
    anyio.run(api.close, backend=second)
