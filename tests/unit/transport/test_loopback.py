"""Both drivers against real sockets that refuse, reset, hang up, or never answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest
from tests.contract.timeouts import TimeoutTransport
from tests.patience import PATIENCE
from tests.ports import refusing
from tests.unit.transport.driving import Face, driver, settings

from runql.errors import ConnectionFailedError, RequestTimedOutError
from runql.transport.flow import fetch
from runql.transport.retry import RetryPolicy
from runql.transport.wire import Traffic
from runql_graphql.get_run_state import GetRunState
from runql_graphql.operation import Operation
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
MUTATION = Operation("Change", "mutation", "mutation Change { x }", {}, GetRunState)
BODY = b'{"data": {"project": null}}'
ONCE = RetryPolicy(max_attempts=1)
TWICE = RetryPolicy(max_attempts=2, first_delay=0.001, jitter=0)
RESET = struct.pack("ii", 1, 0)
faces = pytest.mark.parametrize("face", ["sync", "async"])


def take_request(peer: socket.socket) -> None:
    """Read until the body is there; a header gives its length."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += peer.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += peer.recv(65536)


def reset(peer: socket.socket) -> None:
    take_request(peer)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def hang_up(peer: socket.socket) -> None:
    take_request(peer)


def break_off(peer: socket.socket) -> None:
    take_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + BODY)


def babble(peer: socket.socket) -> None:
    take_request(peer)
    peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


def answer(peer: socket.socket) -> None:
    take_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY))


@dataclass
class Peer:
    """A listening socket that treats its connections in turn, each in the given way; the last way repeats."""

    listener: socket.socket
    ways: list[Callable[[socket.socket], None]]
    released: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            peer, _ = self.listener.accept()
            if self.released.is_set():
                peer.close()
                return
            way = self.ways[min(self.connections, len(self.ways) - 1)]
            self.connections += 1
            with peer, contextlib.suppress(OSError):
                way(peer)


@contextlib.contextmanager
def listening(*ways: Callable[[socket.socket], None]) -> Generator[Peer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(listener, list(ways))
        thread = threading.Thread(target=peer.serve)
        thread.start()
        try:
            yield peer
        finally:
            peer.released.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


@faces
def test_a_refused_connection_names_the_host_and_is_final(face: Face) -> None:
    traffic = Traffic()
    with (
        refusing() as url,
        pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:\d+: it refuses the connection"),
    ):
        driver(face, None, settings(url), TWICE)(fetch(MUTATION), traffic=traffic)
    assert traffic.requests == 1


@faces
@pytest.mark.parametrize("way", [reset, hang_up, break_off, babble])
def test_an_answer_that_does_not_arrive_is_a_failed_connection(
    face: Face, way: Callable[[socket.socket], None]
) -> None:
    with listening(way) as peer:
        with pytest.raises(ConnectionFailedError, match="GetRunState"):
            driver(face, None, settings(peer.url), ONCE)(fetch(STATE))
        assert peer.connections == 1


@faces
@pytest.mark.parametrize("way", [reset, hang_up, break_off])
def test_a_query_survives_one_lost_connection(face: Face, way: Callable[[socket.socket], None]) -> None:
    with listening(way, answer) as peer:
        assert driver(face, None, settings(peer.url), TWICE)(fetch(STATE)).project is None
        assert peer.connections == 2


@faces
def test_a_mutation_is_not_sent_again_over_a_lost_connection(face: Face) -> None:
    with listening(reset, answer) as peer:
        with pytest.raises(ConnectionFailedError):
            driver(face, None, settings(peer.url), TWICE)(fetch(MUTATION))
        assert peer.connections == 1


@faces
def test_a_server_that_never_answers_times_out(face: Face) -> None:
    released = threading.Event()

    def ignore(peer: socket.socket) -> None:
        take_request(peer)
        released.wait()

    with listening(ignore) as peer:
        try:
            with pytest.raises(RequestTimedOutError, match=r"for 0\.1 s"):
                driver(face, None, settings(peer.url, timeout=0.1), ONCE)(fetch(STATE))
        finally:
            released.set()


@faces
def test_a_server_that_answers_after_a_timeout_is_asked_again(face: Face) -> None:
    def ignore(peer: socket.socket) -> None:
        take_request(peer)
        peer.recv(1)  # returns when the client has given up and closed

    seconds = chain([0.2], repeat(PATIENCE))
    with listening(ignore, answer) as peer:
        read = driver(face, None, settings(peer.url), TWICE, TimeoutTransport(lambda _: next(seconds)))(
            fetch(STATE)
        )
        assert read.project is None
        assert peer.connections == 2
