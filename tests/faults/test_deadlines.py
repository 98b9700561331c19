"""A deadline bounds a call, wherever the server is slow; each server here would hold a call for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

import anyio
import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken
from tests.faults.dripping_server import DrippingServer, Slowness
from tests.patience import PATIENCE, until

from runql import Api, AsyncApi, ConnectionFailedError, DeadlineExceededError
from runql.transport.deadlines.sockets import BoundedBackend

T = TypeVar("T")
KEY: Final = "k" * 40
SHORT: Final = 0.3
"""A deadline in seconds that every call here exceeds, on a machine of any speed."""

slow = pytest.mark.parametrize("slowness", ["silent", "headers", "body", "chunks"])


def limited(face: Face, url: str, deadline: float = SHORT) -> Untyped:
    api: Untyped = face.api(url, KEY, overrides={"entity": "e"})
    return api.with_options(deadline=deadline)


def ended(work: Callable[[], T]) -> T:
    """Run the work in a thread that a hang leaves behind, so that the test fails instead."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised by the test
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(PATIENCE)


@slow
def test_a_call_ends_by_its_deadline(slowness: Slowness, face: Face) -> None:
    with DrippingServer(slowness) as server:
        api = limited(face, server.url)
        with pytest.raises(DeadlineExceededError, match=r"within its deadline of 0\.3 s") as caught:
            ended(lambda: taken(face, api.run("e/p/r")))
        assert caught.value.operation == "GetRun"
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.sent
        until(lambda: server.closed == server.requests == 1)


@slow
def test_a_download_ends_by_its_deadline_and_leaves_no_file(
    slowness: Slowness, face: Face, tmp_path: Path
) -> None:
    from runql.transport.files.bodies import Sink
    from runql.transport.flow import save

    with DrippingServer(slowness) as server:
        api = limited(face, server.url)
        sink = Sink(tmp_path / "file")
        with pytest.raises(DeadlineExceededError):
            ended(lambda: taken(face, api.client.run(save(f"{server.url}/file", sink))))
        assert [*tmp_path.iterdir()] == []


def test_an_upload_to_a_server_that_does_not_read_ends_by_its_deadline(face: Face, tmp_path: Path) -> None:
    from runql.transport.files.bodies import Source
    from runql.transport.flow import upload

    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 24))
    with DrippingServer("deaf") as server:
        api = limited(face, server.url)
        with pytest.raises(DeadlineExceededError):
            ended(lambda: taken(face, api.client.run(upload(f"{server.url}/file", Source(file), []))))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_call_through_a_proxy_ends_by_its_deadline(
    scheme: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DrippingServer("headers") as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
        api = limited(face, f"{scheme}://server.example")
        with pytest.raises(DeadlineExceededError):
            ended(lambda: taken(face, api.run("e/p/r")))
        assert proxy.requests == 1


def test_a_tls_handshake_ends_by_the_deadline(face: Face) -> None:
    with DrippingServer("silent") as server:
        api = limited(face, server.url.replace("http:", "https:"))
        with pytest.raises(DeadlineExceededError):
            ended(lambda: taken(face, api.run("e/p/r")))


def test_a_lookup_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    hung, never = threading.Event(), threading.Event()

    def hang(*given: object, **named: object) -> list[object]:
        hung.set()
        never.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with Api(base_url="http://slow.example", api_key=KEY, allow_insecure=True, deadline=SHORT) as api:
        with pytest.raises(DeadlineExceededError) as caught:
            ended(lambda: api.run("e/p/r"))
        assert hung.is_set()
        assert not caught.value.sent
        never.set()


def test_within_a_deadline_all_addresses_of_a_name_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with DrippingServer("silent") as server:
        port = int(server.url.rpartition(":")[2])
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))
            for address in ("127.0.0.2", "127.0.0.1", "127.0.0.1")
        ]
        tried: list[str] = []

        def answer(*_given: object, **_named: object) -> Untyped:
            return found

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        create = socket.create_connection

        def connect(address: tuple[str, int], *given: Untyped, **named: Untyped) -> socket.socket:
            tried.append(address[0])
            if address[0] == "127.0.0.2":
                raise ConnectionRefusedError
            return create((address[0], port), *given, **named)

        monkeypatch.setattr(socket, "create_connection", connect)
        api = Api(base_url=f"http://two.example:{port}", api_key=KEY, allow_insecure=True, deadline=SHORT)
        with api, pytest.raises(DeadlineExceededError):
            ended(lambda: api.run("e/p/r"))
        assert tried == ["127.0.0.2", "127.0.0.1"]


def test_an_unknown_name_is_a_failed_connection_within_a_deadline_too() -> None:
    api = Api(
        base_url="http://unknown.invalid", api_key=KEY, allow_insecure=True, deadline=PATIENCE, retries=0
    )
    with api, pytest.raises(ConnectionFailedError, match="its name has no address"):
        api.run("e/p/r")


def test_the_sockets_of_every_connection_pool_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    # It fails when httpx or httpcore moves the attributes that `use_pools` and `bind_sockets` replace.
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "https://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "exempt.example")
    with Api(base_url="http://server.example", api_key=KEY, allow_insecure=True) as api:
        client: Untyped = api.client
        http = client._http
        mounts = [mount for mount in http._mounts.values() if mount is not None]
        assert len(mounts) == 2
        for transport in (http._transport, *mounts):
            assert isinstance(transport._pool.maker._network_backend, BoundedBackend)


def test_a_call_of_two_requests_has_one_deadline(face: Face) -> None:
    # The first request, for the default entity, is the one that hangs.
    with DrippingServer("body") as server:
        api: Untyped = face.api(server.url, KEY).with_options(deadline=SHORT)
        with pytest.raises(DeadlineExceededError) as caught:
            ended(lambda: taken(face, api.run("p/r")))
        assert server.requests == 1
        assert caught.value.operation == "GetViewer"


def test_an_iteration_ends_by_the_deadline_of_a_step(face: Face) -> None:
    with DrippingServer("body") as server:
        api = limited(face, server.url)
        runs = taken(face, api.runs("e/p"))
        with pytest.raises(DeadlineExceededError):
            ended(lambda: listed(face, runs))


def test_the_deadline_of_the_caller_stays_a_cancellation() -> None:
    async def main() -> None:
        async with AsyncApi(base_url=server.url, api_key=KEY, deadline=PATIENCE) as api:
            with anyio.move_on_after(SHORT) as scope:
                await api.run("e/p/r")
            assert scope.cancelled_caught

    with DrippingServer("body") as server:
        anyio.run(main)
        anyio.run(main, backend="trio")


def test_trio_ends_by_the_deadline() -> None:
    async def main() -> None:
        async with AsyncApi(base_url=server.url, api_key=KEY, deadline=SHORT) as api:
            with pytest.raises(DeadlineExceededError):
                await api.run("e/p/r")

    with DrippingServer("headers") as server:
        anyio.run(main, backend="trio")
        until(lambda: server.closed == 1)
