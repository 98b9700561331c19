"""A wrong address is reported after at most two attempts; a host that responded before is waited for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from tests.unit.transport.driving import KEY, Drive, Face, driver, settings
from tests.unit.transport.test_proxies import answering

from runql import Api, AsyncApi, ConfigurationError, ConnectionFailedError, RetryPolicy, RunqlError, Settings
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Sink, Source
from runql.transport.flow import Flow, Upload, download, fetch, gather, sleep, upload
from runql.transport.sync import RetryingClient
from runql.transport.wire import Traffic
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
PATIENT = RetryPolicy(max_attempts=5, first_delay=0.001, jitter=0)
BODY = b'{"data": {"project": null}}'
faces = pytest.mark.parametrize("face", ["sync", "async"])


def patient(face: Face, base_url: str) -> Drive:
    return driver(face, None, settings(base_url), PATIENT)


def unresolvable(*_: object, **__: object) -> object:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


@faces
@pytest.mark.parametrize(("number", "attempts"), [(socket.EAI_NONAME, 1), (socket.EAI_AGAIN, 2)])
def test_a_name_that_leads_nowhere(
    number: int, attempts: int, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unresolvable(*_given: object, **_named: object) -> list[object]:
        raise socket.gaierror(number, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
    traffic = Traffic()
    message = r"no response from wrong\.invalid: its name has no address .*Check WANDB_BASE_URL"
    with pytest.raises(ConnectionFailedError, match=message):
        patient(face, "http://wrong.invalid")(fetch(STATE), traffic=traffic)
    assert traffic.requests == attempts


@faces
def test_a_port_that_nobody_listens_on(face: Face) -> None:
    traffic = Traffic()
    with pytest.raises(ConnectionFailedError, match=r"it refuses the connection\..*that the server is up"):
        patient(face, f"http://127.0.0.1:{unused_port()}")(fetch(STATE), traffic=traffic)
    assert traffic.requests == 1


@faces
@pytest.mark.parametrize(
    "response",
    [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x03\x00\x02\x02\x46", b"220 mail ESMTP\r\n", b"\x00" * 300],
)
def test_a_port_that_speaks_something_else(response: bytes, face: Face) -> None:
    with answering(response) as (port, asked), pytest.raises(ConnectionFailedError, match="after 2 attempts"):
        patient(face, f"http://127.0.0.1:{port}")(fetch(STATE))
    assert len(asked) == 2


@faces
def test_tls_to_a_port_that_does_not_speak_it(face: Face) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, asked):
        message = "Does this port speak TLS.*after 2 attempts"
        with pytest.raises(ConnectionFailedError, match=message):
            patient(face, f"https://127.0.0.1:{port}")(fetch(STATE))
    assert len(asked) == 2


def known_host(spoil: Callable[[], None]) -> Flow[None]:
    """Get one response, and then ask a host that is gone."""
    yield from fetch(STATE)
    spoil()
    yield from fetch(STATE)


@faces
@pytest.mark.parametrize("fault", ["refused", "name"])
def test_a_host_that_responded_before_is_waited_for(
    fault: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    traffic = Traffic()
    with ExitStack() as server, monkeypatch.context() as patched:
        port, _ = server.enter_context(answering(head + BODY))

        def spoil() -> None:
            if fault == "refused":
                server.close()
            else:
                patched.setattr(socket, "getaddrinfo", unresolvable)

        drive = patient(face, f"http://localhost:{port}")
        with pytest.raises(ConnectionFailedError, match="after 5 attempts"):
            drive(known_host(spoil), traffic=traffic)
    assert traffic.requests == 1 + 5


@faces
@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://host:99999/a",
            "http://host:0/a",
            "http://a..b/x",
            f"http://{'a' * 64}.b/x",
            "http://xn--/x",
        ),
        *("http://[bad/x", "http://a b/x", "http://☃.net/x", "http://\udcff/x", "http://[::1/x", "http:///x"),
    ],
)
def test_an_address_of_the_servers_that_no_connection_can_be_made_to(
    url: str, face: Face, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("up") / "x"
    path.write_bytes(b"12345")
    traffic = Traffic()
    flows = [download(url), upload(url, Source(path), ()), gather([download(url), download(url)], limit=2)]
    for flow in flows:
        with pytest.raises(ConnectionFailedError, match="cannot be requested"):
            patient(face, "http://api.host")(flow, traffic=traffic)
    assert traffic.requests == 0


@pytest.mark.parametrize("make", [Api, AsyncApi])
@pytest.mark.parametrize(
    "url",
    [
        *("http://host:99999", "http://host:65536", "http://host:0", "http://host:-1", "http://a..b"),
        *(f"http://{'a' * 64}.b", "http://\udcff", "http://☃.net", "http://xn--", "http://[::1"),
    ],
)
def test_a_base_url_that_no_connection_can_be_made_to(url: str, make: type[Api | AsyncApi]) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        make(api_key=KEY, base_url=url)


@pytest.mark.parametrize("make", [RetryingClient, AsyncRetryingClient])
@pytest.mark.parametrize(
    ("url", "key"), [("http://host:99999", KEY), ("http://xn--", KEY), ("http://host", "\udcff" * 40)]
)
def test_settings_that_were_made_by_hand(
    url: str, key: str, make: type[RetryingClient | AsyncRetryingClient]
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        make(Settings(url, url, SecretStr(key)))


def test_a_name_that_is_not_ascii_is_looked_up_in_its_own_form() -> None:
    client = RetryingClient(settings("http://größe.example"))
    assert client.settings.base_url == "http://größe.example"
    client.close()


class Stop(BaseException):
    """Neither an error nor a cancellation: what test runners and debuggers raise."""


@faces
def test_what_ends_one_flow_of_many_comes_bare(face: Face) -> None:
    def stopped() -> Flow[None]:
        yield from sleep(0)
        raise Stop

    with pytest.raises(Stop):
        driver(face, None)(gather([stopped(), sleep(0), sleep(0)], limit=2))


@faces
def test_an_upload_header_replaces_no_length_of_ours(
    face: Face, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("up") / "x"
    path.write_bytes(b"12345")
    seen: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get_list("content-length"))
        return httpx.Response(200)

    def put() -> Flow[None]:
        yield Upload("/x", Source(path), (("content-length", "3"), ("x-a", "b")))

    driver(face, answer)(put())
    assert seen == [["5"]]


@faces
def test_a_mark_that_is_not_ascii_is_not_sent_back(face: Face) -> None:
    sink = Sink(Path("unused"))
    sink.begin(200, httpx.Headers({"etag": "grüße", "content-length": "9"}, encoding="utf-8"))
    sink.take(b"12345")
    assert "If-Range" not in sink.headers()
    with pytest.raises(RunqlError):
        driver(face, lambda _: httpx.Response(404))(download("/x"))
