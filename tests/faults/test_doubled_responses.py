"""A response that comes twice on one connection is never taken for the response to the next request."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import pytest
import trustme
from anyio._backends._asyncio import StreamProtocol
from tests.faults.doubling_server import DoublingServer
from tests.unit.transport.driving import settings

from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import fetch
from runql.transport.sync import RetryingClient
from runql_graphql.get_run_state import GetRunState
from runql_graphql.operations import get_run_state

CALLS = 6
READ = 1 << 16
"""Bytes that httpcore reads at once."""

STATE = get_run_state(entity="e", project="p", run="r")
IN_ORDER: list[str | None] = [f"{number}" for number in range(1, CALLS + 1)]

Face: TypeAlias = Literal["threads", "asyncio", "trio"]
Server: TypeAlias = Callable[[int], DoublingServer]

faces = pytest.mark.parametrize("face", ["threads", "asyncio", "trio"])
servers = pytest.mark.parametrize(
    "server",
    [
        pytest.param(partial(DoublingServer, framing="length"), id="length"),
        pytest.param(partial(DoublingServer, framing="chunks"), id="chunks"),
        # It ends where httpcore's read ends: the copy is still in the buffer of the event loop, or of the system.
        pytest.param(partial(DoublingServer, size=READ), id="one read"),
        pytest.param(partial(DoublingServer, size=READ + 100), id="more than one read"),
    ],
)


def states(face: Face, server: DoublingServer) -> list[str | None]:
    """Ask several times, each time once the last response is there with all its copies."""
    if face == "threads":
        return _states_in_thread(server)
    return anyio.run(_awaited_states, server, backend=face)


def _states_in_thread(server: DoublingServer) -> list[str | None]:
    found = list[str | None]()
    with RetryingClient(settings(server.url)) as client:
        for _ in range(CALLS):
            found.append(_state(client.run(fetch(STATE))))
            server.wait_until_sent()
    return found


async def _awaited_states(server: DoublingServer) -> list[str | None]:
    found = list[str | None]()
    async with AsyncRetryingClient(settings(server.url)) as client:
        for _ in range(CALLS):
            found.append(_state(await client.run(fetch(STATE))))
            server.wait_until_sent()
    return found


def _state(data: GetRunState) -> str | None:
    assert data.project is not None
    assert data.project.run is not None
    return data.project.run.state


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server with a certificate that the client trusts needs."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A ticket that comes late makes an idle connection look used; httpcore then opens another.
    context.num_tickets = 0
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    context.load_cert_chain(tmp_path / "server.pem")
    return context


@faces
@servers
def test_a_response_that_comes_twice_ends_its_connection(face: Face, server: Server) -> None:
    with server(2) as doubling:
        assert states(face, doubling) == IN_ORDER
        assert doubling.requests == doubling.connections == CALLS


@faces
@servers
def test_a_response_that_comes_once_keeps_its_connection(face: Face, server: Server) -> None:
    with server(1) as honest:
        assert states(face, honest) == IN_ORDER
        assert honest.requests == CALLS
        assert honest.connections == 1


@faces
def test_half_a_copy_ends_the_connection(face: Face) -> None:
    with DoublingServer(2, cut=10) as doubling:
        assert states(face, doubling) == IN_ORDER
        assert doubling.requests == doubling.connections == CALLS


@faces
def test_a_copy_in_a_tls_record_of_its_own_ends_the_connection(face: Face, tls: ssl.SSLContext) -> None:
    with DoublingServer(2, tls=tls) as doubling:
        assert states(face, doubling) == IN_ORDER
        assert doubling.requests == doubling.connections == CALLS


@faces
def test_tls_keeps_the_connection(face: Face, tls: ssl.SSLContext) -> None:
    with DoublingServer(1, tls=tls) as honest:
        assert states(face, honest) == IN_ORDER
        assert honest.connections == 1


def test_a_copy_that_only_the_event_loop_has_read_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receive = StreamProtocol.data_received

    def receive_twice(self: StreamProtocol, data: bytes) -> None:
        receive(self, data)
        receive(self, data)

    monkeypatch.setattr(StreamProtocol, "data_received", receive_twice)
    with DoublingServer(1) as server:
        assert states("asyncio", server) == IN_ORDER
        assert server.requests == server.connections == CALLS
