"""Proxies of the environment: refused where no request can go through them, and named when they refuse."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from tests.unit.transport.driving import Face, driver, settings

from runql import Api, AsyncApi, ConfigurationError, ConnectionFailedError
from runql.transport.flow import fetch
from runql.transport.wire import Traffic
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
KEY = "k" * 40
faces = pytest.mark.parametrize("face", ["sync", "async"])
VARIABLES = [
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def whole_request(peer: socket.socket) -> bytes:
    """What a client sends, so that closing resets nothing; a TLS handshake has neither head nor length."""
    request = peer.recv(65536)
    if request[:1] == b"\x16":
        return request
    found = re.search(rb"content-length: (\d+)", request, re.IGNORECASE)
    while found and len(request.partition(b"\r\n\r\n")[2]) < int(found[1]):
        request += peer.recv(65536)
    return request


@contextmanager
def answering(response: bytes) -> Generator[tuple[int, list[bytes]]]:
    """A proxy that gives every request the same response; gives its port and the first bytes of the requests."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                peer, _ = listening.accept()
                with peer:
                    request = whole_request(peer)
                    if not request:
                        return
                    asked.append(request)
                    peer.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        port: int = listening.getsockname()[1]
        try:
            yield port, asked
        finally:
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


@faces
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            "foo://",
            "foo://user:hunter2@host",
            "http://host:99999",
            "host:0",
            "http://",
            "://",
            "http://[::1",
        ),
        *(
            "http://host:port",
            "socks4://host",
            "http://user:hunter2@",
            "http://a..b",
            "http://user:p\udcff@host",
        ),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_at_once(
    value: str, variable: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    make = Api if face == "sync" else AsyncApi
    with pytest.raises(ConfigurationError, match=f"{variable} names no proxy that can be used") as caught:
        make(api_key=KEY, base_url="https://api.host")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@faces
def test_a_socks_proxy_needs_a_library(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://host:1080")
    make = Api if face == "sync" else AsyncApi
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY names a SOCKS proxy.*pip install socksio"):
        make(api_key=KEY, base_url="https://api.host")


@faces
@pytest.mark.parametrize("entry", ["[::1]", "fd00::/8", "host:port", "\udcff"])
def test_an_exception_that_is_no_host_is_refused(
    entry: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", f"localhost, {entry}")
    make = Api if face == "sync" else AsyncApi
    with pytest.raises(ConfigurationError, match="NO_PROXY holds"):
        make(api_key=KEY, base_url="https://api.host")


@faces
@pytest.mark.parametrize(
    "entries",
    ["*", "localhost,127.0.0.1,::1", "10.0.0.0/8, .corp.example ,*.x", "host:80", "http://host", ","],
)
def test_what_can_be_used_is_taken(entries: str, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:pass%20word@127.0.0.1:3128")
    monkeypatch.setenv("https_proxy", "proxy.example")
    monkeypatch.setenv("NO_PROXY", entries)
    make = Api if face == "sync" else AsyncApi
    assert make(api_key=KEY, base_url="https://api.host").settings.base_url == "https://api.host"


@faces
def test_a_transport_of_the_callers_needs_no_proxy(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "foo://")
    import httpx

    found = driver(face, lambda _: httpx.Response(200, json={"data": {"project": None}}))(fetch(STATE))
    assert found.project is None


@faces
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_password_is_named_after_one_attempt(
    scheme: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with answering(refusal) as (port, asked):
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:hunter2@127.0.0.1:{port}")
        traffic = Traffic()
        named = rf"the proxy 127\.0\.0\.1:{port} that {scheme.upper()}_PROXY names asks for a user name"
        with pytest.raises(ConnectionFailedError, match=named) as caught:
            driver(face, None, settings(f"{scheme}://api.host"))(fetch(STATE), traffic=traffic)
    assert "hunter2" not in f"{caught.value} {caught.value!r}"
    assert traffic.requests == len(asked) == 1
    assert asked[0].startswith(b"CONNECT " if scheme == "https" else b"POST http://api.host/graphql ")


@faces
@pytest.mark.parametrize(("status", "attempts"), [(b"403 Forbidden", 1), (b"502 Bad Gateway", 3)])
def test_a_proxy_that_does_not_connect_is_named(
    status: bytes, attempts: int, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as (
        port,
        asked,
    ):
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectionFailedError, match=f"the proxy .*{port} that ALL_PROXY names does not"):
            driver(face, None, settings("https://api.host"))(fetch(STATE))
    assert len(asked) == attempts


@faces
def test_a_407_without_a_proxy_says_so(face: Face) -> None:
    import httpx

    with pytest.raises(ConnectionFailedError, match="a proxy that no variable names"):
        driver(face, lambda _: httpx.Response(407))(fetch(STATE))
