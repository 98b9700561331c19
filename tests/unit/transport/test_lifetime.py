"""Where connections end: at a fork, with their event loop, and at `close`, whoever uses the client meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self, TypeGuard, TypeVar

import anyio
import httpx
import pytest
import trustme
from tests.patience import PATIENCE
from tests.unit.transport.driving import HASTY, KEY, settings

from runql.errors import ClientClosedError, UnshareableError
from runql.resources.pages.next_item import NextItem
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import download, gather
from runql.transport.lifetime import ForkSafeLock
from runql.transport.sync import RetryingClient

T = TypeVar("T")

forks = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)


class EchoServer:
    """Answers each GET with its path, over connections that stay open.

    Attributes:
        connections: how many were made to it.
        unused: a connection was closed since the last one was made.
        held: a request for ``/held`` has arrived.
        release: it is answered once this is set.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.unused = threading.Event()
        self.held = threading.Event()
        self.release = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                server.unused.clear()
                super().setup()

            def finish(self) -> None:
                super().finish()
                server.unused.set()

            def do_GET(self) -> None:
                if self.path == "/held":
                    server.held.set()
                    server.release.wait(PATIENCE)
                body = self.path.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        yield running


@pytest.fixture
def secure_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EchoServer]:
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType] — it takes contexts of pyOpenSSL too
    with EchoServer(context) as running:
        yield running


def connect(server: EchoServer, transport: httpx.BaseTransport | None = None) -> RetryingClient:
    return RetryingClient(settings(server.url, PATIENCE), retry=HASTY, transport=transport)


def connect_async(
    server: EchoServer, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncRetryingClient:
    return AsyncRetryingClient(settings(server.url, PATIENCE), retry=HASTY, transport=transport)


def is_lock(value: object) -> TypeGuard[AbstractContextManager[object]]:
    return isinstance(value, AbstractContextManager)


def locks_of(client: RetryingClient) -> list[AbstractContextManager[object]]:
    """Every lock that a thread may hold while it sends."""
    paths = (
        ("_guard",),
        ("_rate_limiter", "_lock"),
        ("sample_limits", "_lock"),
        ("_http", "_transport", "_pool", "_stacks", "_lock"),
    )
    locks: list[AbstractContextManager[object]] = []
    for path in paths:
        held: object = client
        for name in path:
            held = getattr(held, name)
        assert is_lock(held)
        locks.append(held)
    return locks


def in_child(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises in a forked child."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def run() -> None:
        try:
            there.send((work(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            there.send((None, error))

    process = context.Process(target=run)
    process.start()
    try:
        assert here.poll(PATIENCE), "the child did not answer"
        result, error = here.recv()
    finally:
        process.kill()
        process.join()
    if error is not None:
        raise error
    returned: T = result
    return returned


@forks
@pytest.mark.parametrize("served", ["server", "secure_server"])
def test_a_child_and_its_parent_have_connections_of_their_own(
    served: str, request: pytest.FixtureRequest
) -> None:
    server: EchoServer = request.getfixturevalue(served)
    with connect(server) as client:
        assert client.run(download("/parent")) == b"/parent"

        def reading() -> bytes:
            first = client.run(download("/child"))
            client.close()
            return first

        assert in_child(reading) == b"/child"
        assert server.connections == 2
        # The child has closed its own, and ended: the parent's is as it was.
        assert client.run(download("/parent-again")) == b"/parent-again"
        assert server.connections == 2


@forks
def test_a_child_of_a_child_has_connections_of_its_own(server: EchoServer) -> None:
    with connect(server) as client:
        client.run(download("/parent"))

        def reading() -> bytes:
            client.run(download("/child"))
            return in_child(lambda: client.run(download("/grandchild")))

        assert in_child(reading) == b"/grandchild"
        assert server.connections == 3


@forks
def test_a_fork_while_other_threads_send_and_hold_every_lock(server: EchoServer) -> None:
    with connect(server) as client, ThreadPoolExecutor(1) as threads:
        client.run(download("/parent"))
        under_way = threads.submit(client.run, download("/held"))
        assert server.held.wait(PATIENCE)

        def reading() -> bytes:
            client.sample_limits.note_list("history", 1)
            return client.run(download("/child"))

        with ExitStack() as held:
            # Also where the child fails: the thread would wait for ever.
            held.callback(server.release.set)
            for lock in locks_of(client):
                held.enter_context(lock)
            assert in_child(reading) == b"/child"
        assert under_way.result(PATIENCE) == b"/held"


@forks
def test_a_lock_that_the_parent_holds_is_free_in_a_child() -> None:
    lock = ForkSafeLock()

    def taking() -> bool:
        with lock:
            return True

    with lock:
        assert in_child(taking)


@forks
def test_a_scan_that_another_thread_was_reading_is_refused_in_a_child() -> None:
    begun, release = threading.Event(), threading.Event()

    def rows() -> Iterator[int]:
        yield 0
        begun.set()
        release.wait(PATIENCE)
        yield 1

    scan = NextItem(rows)
    assert scan.take() == 0
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(scan.take)
        assert begun.wait(PATIENCE)
        with pytest.raises(UnshareableError, match="make a new scan"):
            in_child(scan.take)
        release.set()
        assert under_way.result(PATIENCE) == 1


@forks
def test_a_closed_client_stays_closed_in_a_child(server: EchoServer) -> None:
    client = connect(server)
    client.close()
    with pytest.raises(ClientClosedError, match="make a new Api"):
        in_child(lambda: client.run(download("/child")))


@forks
def test_a_transport_of_the_callers_is_refused_in_a_child_and_stays_open_for_the_parent(
    server: EchoServer,
) -> None:
    with connect(server, httpx.HTTPTransport()) as client:
        client.run(download("/parent"))

        def reading() -> bytes:
            try:
                return client.run(download("/child"))
            finally:
                client.close()

        with pytest.raises(UnshareableError, match="transport"):
            in_child(reading)
        client.run(download("/parent"))
        assert server.connections == 1


@forks
def test_a_transport_that_answers_in_the_process_works_in_a_child(server: EchoServer) -> None:
    with connect(server, httpx.MockTransport(lambda _: httpx.Response(200, content=b"here"))) as client:
        assert in_child(lambda: client.run(download("/child"))) == b"here"


@forks
def test_an_awaited_client_has_other_connections_in_a_child_even_on_the_inherited_event_loop(
    server: EchoServer,
) -> None:
    client = connect_async(server)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.run(download("/parent")))
    assert in_child(lambda: loop.run_until_complete(client.run(download("/child")))) == b"/child"
    assert in_child(lambda: asyncio.run(client.run(download("/child-loop")))) == b"/child-loop"
    assert server.connections == 3
    assert loop.run_until_complete(client.run(download("/parent-again"))) == b"/parent-again"
    assert server.connections == 3
    loop.run_until_complete(client.close())
    loop.close()


@forks
def test_an_awaited_client_with_a_transport_of_the_callers_is_refused_in_a_child(server: EchoServer) -> None:
    client = connect_async(server, httpx.AsyncHTTPTransport())
    with pytest.raises(UnshareableError, match="process"):
        in_child(lambda: asyncio.run(client.run(download("/child"))))
    asyncio.run(client.close())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_event_loop_has_connections_of_its_own_and_closes_them(server: EchoServer, backend: str) -> None:
    """Warnings are errors: a connection that nobody closed would be one."""
    if backend == "trio":
        pytest.importorskip("trio")
    client = connect_async(server)

    async def read(path: str) -> bytes:
        await client.run(download("/first"))
        return await client.run(download(path))

    assert anyio.run(read, "/one", backend=backend) == b"/one"
    assert anyio.run(read, "/two", backend=backend) == b"/two"
    assert server.connections == 2


def test_one_client_in_the_event_loops_of_several_threads(server: EchoServer) -> None:
    client = connect_async(server)

    async def read(number: int) -> list[bytes]:
        flows = [download(f"/{number}-{index}") for index in range(8)]
        return await client.run(gather(flows, limit=4))

    def reading(number: int) -> list[bytes]:
        return asyncio.run(read(number))

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(reading, range(8)))
    assert found == [[f"/{number}-{index}".encode() for index in range(8)] for number in range(8)]
    assert client.traffic.requests == 64


def test_a_transport_of_the_callers_is_for_one_event_loop(server: EchoServer) -> None:
    client = connect_async(server, httpx.AsyncHTTPTransport())
    assert asyncio.run(client.run(download("/one"))) == b"/one"
    with pytest.raises(UnshareableError, match="event loop"):
        asyncio.run(client.run(download("/two")))


def test_a_transport_that_answers_in_the_process_works_in_every_event_loop(server: EchoServer) -> None:
    client = connect_async(server, httpx.MockTransport(lambda _: httpx.Response(200, content=b"here")))
    assert [asyncio.run(client.run(download("/a"))) for _ in range(2)] == [b"here"] * 2


def test_a_request_under_way_ends_although_the_client_is_closed(server: EchoServer) -> None:
    client = connect(server)
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(client.run, download("/held"))
        assert server.held.wait(PATIENCE)
        client.close()
        with pytest.raises(ClientClosedError):
            client.run(download("/late"))
        server.release.set()
        assert under_way.result(PATIENCE) == b"/held"
    assert server.unused.wait(PATIENCE)
    assert client.traffic.requests == 1


def test_an_awaited_request_under_way_ends_although_the_client_is_closed(server: EchoServer) -> None:
    client = connect_async(server)

    async def closing() -> bytes:
        under_way = asyncio.create_task(client.run(download("/held")))
        await asyncio.to_thread(server.held.wait, PATIENCE)
        await client.close()
        with pytest.raises(ClientClosedError):
            await client.run(download("/late"))
        server.release.set()
        return await under_way

    assert asyncio.run(closing()) == b"/held"
    assert server.unused.wait(PATIENCE)
    with pytest.raises(ClientClosedError):
        asyncio.run(client.run(download("/later")))
    assert client.traffic.requests == 1


def test_threads_that_use_a_client_while_it_closes_get_our_error(server: EchoServer) -> None:
    client = connect(server)
    begun = threading.Barrier(5)

    def reading(number: int) -> int:
        begun.wait(PATIENCE)
        for count in range(100_000):
            try:
                assert (
                    client.run(gather([download(f"/{number}"), download(f"/{number}")], limit=2))
                    == [f"/{number}".encode()] * 2
                )
            except ClientClosedError:
                return count
        raise AssertionError("the client was not closed")

    with ThreadPoolExecutor(4) as threads:
        under_way = [threads.submit(reading, number) for number in range(4)]
        begun.wait(PATIENCE)
        client.run(download("/here"))
        client.close()
        assert all(each.result(PATIENCE) >= 0 for each in under_way)


def test_closing_twice_does_nothing_more(server: EchoServer) -> None:
    client, awaited = connect(server), connect_async(server)
    client.close()
    client.close()

    async def twice() -> None:
        await awaited.run(download("/a"))
        await awaited.close()
        await awaited.close()

    asyncio.run(twice())
    asyncio.run(awaited.close())


@pytest.mark.parametrize("connect", [connect, connect_async])
def test_a_pickled_client_does_not_hold_the_key(
    server: EchoServer, connect: Callable[[EchoServer], object]
) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert KEY.encode() not in pickle.dumps(connect(server), protocol)
