"""The example service over an embedded server: in process under both event loops, and over loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from tests.contract.stalling_proxy import StallingProxy
from tests.examples.service import app, lifespan
from tests.patience import PATIENCE, until

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 30


@pytest.fixture
def server(wandb_server: RunningServer) -> RunningServer:
    """An embedded server with three runs, which the environment names."""
    wandb_server.seed(
        "p",
        [
            SeedRun(name=f"run{n}", history=[{"loss": 1 / (step + 1), "acc": step} for step in range(ROWS)])
            for n in range(3)
        ],
    )
    return wandb_server


async def get(path: str) -> httpx.Response:
    """Ask the service in this process, inside its lifespan."""
    async with lifespan(app) as state:

        async def started(scope: Scope, receive: Receive, send: Send) -> None:
            found: MutableMapping[str, Any] = {**scope, "state": dict(state)}  # Any: as ASGI has it
            await app(found, receive, send)

        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(started), base_url="http://service"
        ) as client:
            return await client.get(path)


@contextmanager
def serving() -> Generator[str]:
    """Serve the service on a free loopback port, and return its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: running.started or not thread.is_alive())
    assert running.started
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()
        listening.close()


def parsed(lines: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_rows_are_streamed_under_both_event_loops(server: RunningServer, backend: str) -> None:
    answer = anyio.run(get, f"/{server.entity}/p/run1/rows?key=loss", backend=backend)
    assert answer.status_code == 200
    assert parsed(answer.text) == [{"_step": step, "loss": 1 / (step + 1)} for step in range(ROWS)]
    whole = anyio.run(get, f"/{server.entity}/p/run1/rows", backend=backend)
    assert [row["acc"] for row in parsed(whole.text)] == list(range(ROWS))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_newest_runs_are_one_request_under_both_event_loops(server: RunningServer, backend: str) -> None:
    answer = anyio.run(get, f"/{server.entity}/p?limit=2", backend=backend)
    found = answer.json()
    assert [run["state"] for run in found] == ["finished", "finished"]
    assert all(datetime.fromisoformat(run["created"]).utcoffset() == timedelta(0) for run in found)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("p/nobody/rows", 404, "does not exist"),
        ("q", 404, "does not exist"),
        ("p?limit=0", 400, "at least 1"),
    ],
)
def test_errors_are_statuses(server: RunningServer, path: str, status: int, reason: str) -> None:
    answer = anyio.run(get, f"/{server.entity}/{path}")
    assert answer.status_code == status
    assert reason in answer.json()["error"]


def test_over_loopback_one_client_serves_many_requests(server: RunningServer) -> None:
    with serving() as url, httpx.Client(base_url=url, trust_env=False) as client:
        for n in range(3):
            with client.stream("GET", f"/{server.entity}/p/run{n}/rows") as answer:
                assert len([*answer.iter_lines()]) == ROWS
        assert len(client.get(f"/{server.entity}/p").json()) == 3


def test_a_reader_that_hangs_up_ends_the_scan(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with StallingProxy(server.url) as proxy:
        monkeypatch.setenv("WANDB_BASE_URL", proxy.url)
        with serving() as url:
            proxy.stall_from(2)
            with (
                httpx.Client(base_url=url, trust_env=False) as client,
                client.stream("GET", f"/{server.entity}/p/run0/rows") as answer,
            ):
                assert answer.status_code == 200
                assert proxy.stalled.wait(PATIENCE)
            until(lambda: proxy.stopped == 0)
            proxy.stall_from(None)
            with httpx.Client(base_url=url, trust_env=False) as client:
                assert len(parsed(client.get(f"/{server.entity}/p/run0/rows").text)) == ROWS
        until(lambda: proxy.connections == 0)
