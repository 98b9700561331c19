"""Long bodies in memory come past the parser of HTTP, which still knows where they end."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import httpcore
import pytest
from tests.patience import PATIENCE

from runql.transport.connections.long_bodies import IN_MEMORY, LONG
from runql.transport.connections.pool import ConnectionPool
from runql.transport.deadlines.sockets import bind_sockets

BODY = random.Random(7).randbytes(5 * LONG + 3)
HEAD = f"HTTP/1.1 200 OK\r\ncontent-length: {len(BODY)}\r\n\r\n".encode()
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
Serve = Callable[[socket.socket], None]


@contextmanager
def serving(*serve: Serve) -> Generator[tuple[ConnectionPool, str]]:
    """A pool, and the URL of a server that serves each connection by the next function, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            for each in serve:
                accepted, _ = listening.accept()
                with accepted:
                    each(accepted)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        maker = httpcore.ConnectionPool()
        bind_sockets(maker)
        pool = ConnectionPool(maker)
        with pool:
            yield pool, f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(PATIENCE)
        assert not thread.is_alive()


def answering(*responses: bytes) -> Serve:
    def serve(accepted: socket.socket) -> None:
        for response in responses:
            while not accepted.recv(1 << 16).endswith(b"\r\n\r\n"):
                pass
            accepted.sendall(response)

    return serve


def pieces(
    pool: ConnectionPool, url: str, *, in_memory: bool = True, timeout: float = PATIENCE
) -> list[bytes]:
    extensions: dict[str, object] = {"timeout": {"read": timeout}}
    request = httpcore.Request(
        "GET",
        url,
        headers={"Host": "server"},
        extensions=extensions | ({IN_MEMORY: True} if in_memory else {}),
    )
    response = pool.handle_request(request)
    try:
        return list(response.iter_stream())
    finally:
        response.close()


def test_a_long_body_in_memory_is_one_piece_and_its_connection_is_used_again() -> None:
    with serving(answering(HEAD + BODY, HEAD + BODY)) as (pool, url):
        assert pieces(pool, url) == [BODY]
        assert pieces(pool, url) == [BODY]
        assert len(pool.connections) == 1


def test_a_body_for_a_file_comes_in_pieces() -> None:
    with serving(answering(HEAD + BODY)) as (pool, url):
        found = pieces(pool, url, in_memory=False)
    assert len(found) > 1
    assert b"".join(found) == BODY


@pytest.mark.parametrize("response", [CHUNKED, HEAD.replace(b"content-length", b"x") + BODY])
def test_a_body_of_unknown_length_is_parsed(response: bytes) -> None:
    with serving(answering(response)) as (pool, url):
        assert b"".join(pieces(pool, url)) == BODY


@pytest.mark.parametrize("sent", [1, LONG // 2, 3 * LONG, len(BODY) - 1])
def test_a_body_that_ends_early_is_an_error(sent: int) -> None:
    with serving(answering(HEAD + BODY[:sent])) as (pool, url):
        with pytest.raises(httpcore.RemoteProtocolError, match="without sending complete message body"):
            pieces(pool, url)
        assert not pool.connections


def test_a_body_that_stops_times_out() -> None:
    over = threading.Event()

    def stall(accepted: socket.socket) -> None:
        answering(HEAD + BODY[: 3 * LONG])(accepted)
        assert over.wait(PATIENCE)

    with serving(stall) as (pool, url):
        try:
            with pytest.raises(httpcore.ReadTimeout):
                pieces(pool, url, timeout=0.2)
        finally:
            over.set()
        assert not pool.connections


def test_bytes_behind_a_body_are_not_taken_for_its_own() -> None:
    with serving(answering(HEAD + BODY + b"more")) as (pool, url):
        assert pieces(pool, url) == [BODY]
