"""Long bodies come past the parser of HTTP, which still knows where they end."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import httpcore
import pytest
from tests.patience import PATIENCE

from runql.transport.connections.long_bodies import LONG, PIECE, WHOLE, Piece
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


def pieces(pool: ConnectionPool, url: str, *, most: Piece = WHOLE, timeout: float = PATIENCE) -> list[bytes]:
    return list(arriving(pool, url, most=most, timeout=timeout))


def arriving(pool: ConnectionPool, url: str, *, most: Piece, timeout: float = PATIENCE) -> Generator[bytes]:
    request = httpcore.Request(
        "GET",
        url,
        headers={"Host": "server"},
        extensions={"timeout": {"read": timeout}, PIECE: most},
    )
    response = pool.handle_request(request)
    try:
        yield from response.iter_stream()
    finally:
        response.close()


def test_a_long_body_in_memory_is_one_piece_and_its_connection_is_used_again() -> None:
    with serving(answering(HEAD + BODY, HEAD + BODY)) as (pool, url):
        assert pieces(pool, url) == [BODY]
        assert pieces(pool, url) == [BODY]
        assert len(pool.connections) == 1


def test_a_body_for_a_file_comes_in_pieces_of_a_size() -> None:
    with serving(answering(HEAD + BODY, HEAD + BODY)) as (pool, url):
        for _ in range(2):
            found = pieces(pool, url, most=Piece(LONG, PATIENCE))
            assert max(map(len, found)) <= LONG
            assert b"".join(found) == BODY
        assert len(pool.connections) == 1


def test_a_piece_ends_after_a_while() -> None:
    has_arrived = threading.Event()

    def pause(accepted: socket.socket) -> None:
        answering(HEAD + BODY[:LONG])(accepted)
        assert has_arrived.wait(PATIENCE)
        accepted.sendall(BODY[LONG:])

    with serving(pause) as (pool, url):
        found: list[bytes] = []
        for piece in arriving(pool, url, most=WHOLE._replace(seconds=0.0)):
            found.append(piece)
            if sum(map(len, found)) == LONG:
                has_arrived.set()
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
