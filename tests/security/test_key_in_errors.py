"""No error shows the API key: not by its message, causes, pickle, or the variables of its traceback."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
from collections.abc import Callable
from typing import Final

import anyio
import httpx
import pytest
import trustme
from tests.contract.both_clients import AnyApi, DoubleTransport, Face
from tests.ports import refusing
from tests.security.marked_key import KEY, caught, chain, frames, sightings
from tests.security.raw_server import RawServer

from runql import Api, AsyncApi, RetryPolicy, RunqlError

TOKEN: Final = base64.b64encode(f"api:{KEY}".encode()).decode()
ECHO: Final = f"{KEY} {TOKEN}"
ONCE: Final = RetryPolicy(max_attempts=1)

pytestmark = pytest.mark.usefixtures("_marked")


def http(body: bytes | str, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content) if length is None else length}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + content


def graphql(*messages: str, data: object = None) -> str:
    return json.dumps({"errors": [{"message": each, "path": [each]} for each in messages], "data": data})


RUN: Final = {"project": {"run": {"name": ECHO, "displayName": ECHO}}}

REPLIES: Final[dict[str, bytes]] = {
    "401": http(f"denied for {ECHO}", "401 Unauthorized"),
    "403": http(json.dumps({"error": ECHO}), "403 Forbidden"),
    "404": http(ECHO, "404 Not Found"),
    # A wait that is too long holds back no request that follows.
    "429": http(ECHO, "429 Too Many Requests", "Retry-After: 3600"),
    "500": http(graphql(ECHO), "500 Internal Server Error"),
    "502": http(f"<html>{ECHO}</html>", "502 Bad Gateway"),
    "GraphQL error": http(graphql(f"no {ECHO}")),
    "unknown field": http(graphql(f'Cannot query field "{KEY}" on type "Run".'), "400 Bad Request"),
    "partial data": http(graphql("half", data=RUN)),
    "HTML": http(f"<html>{ECHO}</html>"),
    "drift": http(json.dumps({"data": {"project": {"run": [ECHO]}}})),
    "another run": http(json.dumps({"data": RUN})),
    "no data": http(json.dumps({"data": None, "hint": ECHO})),
    "broken JSON": http(f'{{"data": "{ECHO}'),
    "undecodable gzip": http(ECHO, "200 OK", "Content-Encoding: gzip"),
    "truncated": http(ECHO, length=5000),
    "redirect": http("", "307 Temporary Redirect", f"Location: https://elsewhere.invalid/{KEY}"),
    "key in the status line": f"HTTP/1.1 {ECHO}\r\n\r\n".encode(),
    "key as a status line": f"{ECHO}\r\n\r\n".encode(),
    "key in headers": http(ECHO, "418 " + KEY, f"X-Key: {ECHO}", f"Set-Cookie: key={TOKEN}"),
    "key as a header": f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n".encode(),
    "proxy wants a password": http(ECHO, "407 Proxy Authentication Required", f"Proxy-Authenticate: {KEY}"),
}


def failure(face: Face, url: str, timeout: float | None = None) -> BaseException:
    """Read one run from a server, and return the error."""
    api = once(face.api(url, timeout=timeout))
    return caught(lambda: face.take(api.run("e/p/abc")))


def once(api: AnyApi) -> AnyApi:
    return api.with_options(retries=ONCE)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
def test_no_response_brings_the_key_into_an_error(face: Face, reply: bytes) -> None:
    with RawServer(reply) as server:
        error = failure(face, server.url)
    assert TOKEN.encode() in server.received[0]
    assert isinstance(error, RunqlError)
    assert sightings(error) == []


def test_no_failed_connection_brings_the_key_into_an_error(face: Face) -> None:
    with RawServer(resets=True) as resetting:
        errors = [failure(face, resetting.url)]
    with RawServer(http("{}")) as plain:
        errors.append(failure(face, plain.url.replace("http", "https")))
    with refusing() as url:
        errors.append(failure(face, url))
    errors.append(failure(face, "https://nowhere.invalid"))
    for error in errors:
        assert isinstance(error, RunqlError)
        assert sightings(error) == []


def test_a_timeout_does_not_show_the_key(face: Face) -> None:
    with RawServer() as silent:
        error = failure(face, silent.url, timeout=0.2)
    assert isinstance(error, TimeoutError)
    assert sightings(error) == []


def test_a_certificate_that_is_not_trusted_does_not_show_the_key(face: Face) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)  # pyright: ignore[reportUnknownMemberType] — of pyOpenSSL
    with RawServer(http("{}"), tls=tls) as server:
        error = failure(face, server.url)
    assert "certificate" in str(error)
    assert server.received == []
    assert sightings(error) == []


def test_the_causes_stay_without_the_frames_of_http_libraries(face: Face) -> None:
    with RawServer(resets=True) as server:
        error = failure(face, server.url)
    assert isinstance(error.__cause__, httpx.TransportError)
    assert any(isinstance(each, OSError) for each in chain(error))
    named = frames(error)
    assert any(name.startswith("runql.transport") for name in named)
    assert not [name for name in named if name.startswith(("httpx", "httpcore", "h11", "ssl"))]
    with pytest.raises(RuntimeError, match="has not been set"):
        _ = error.__cause__.request


def test_an_error_that_the_caller_was_handling_keeps_its_frames(face: Face) -> None:
    with RawServer(resets=True) as server:
        api = once(face.api(server.url))

        def in_a_handler() -> None:
            try:
                json.loads("{")
            except ValueError:
                face.take(api.run("e/p/abc"))

        error = caught(in_a_handler)
    if face.name == "sync":  # the async client runs in another thread
        [mine] = [each for each in chain(error) if isinstance(each, ValueError)]
        assert "json" in {name.partition(".")[0] for name in frames(mine)}


class OwnTransport(DoubleTransport):
    """A transport of a caller's, with a bug."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=self.broken(request.method))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)

    def broken(self, method: str) -> object:
        raise LookupError(f"a bug of the caller's in {method}")


def test_a_callers_own_transport_stays_in_the_traceback(face: Face) -> None:
    api = once(face.api("http://127.0.0.1:1", transport=OwnTransport()))
    error = caught(lambda: face.take(api.run("e/p/abc")))
    assert isinstance(error, LookupError)
    assert frames(error)[-2:] == [__name__, __name__]


def test_an_interrupt_does_not_show_the_key() -> None:
    with RawServer() as silent:
        silent.arrived = lambda: os.kill(os.getpid(), signal.SIGINT)
        api = once(Api(base_url=silent.url))
        error = caught(lambda: api.run("e/p/abc"))
        api.close()
    assert isinstance(error, KeyboardInterrupt)
    assert sightings(error) == []


@pytest.mark.filterwarnings("ignore:Async generator 'httpx._content.ByteStream.__aiter__':ResourceWarning")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancellation_does_not_show_the_key(backend: str) -> None:
    errors: list[BaseException] = []

    async def call(api: AsyncApi) -> None:
        try:
            await api.run("e/p/abc")
        except BaseException as error:
            errors.append(error)
            raise

    async def main() -> None:
        asked = anyio.Event()
        with RawServer() as silent:
            async with anyio.create_task_group() as group, AsyncApi(base_url=silent.url) as api:
                token = anyio.lowlevel.current_token()
                silent.arrived = lambda: anyio.from_thread.run_sync(asked.set, token=token)
                group.start_soon(call, api)
                await asked.wait()
                group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    [error] = errors
    assert sightings(error) == []


CONFIGURATION: Final[dict[str, Callable[[type[Api | AsyncApi]], object]]] = {
    "base_url": lambda make: make(base_url="nonsense", api_key=KEY),
    "short key": lambda make: make(api_key=KEY[:30] + "  " + KEY),
    "timeout": lambda make: make(timeout=-1, api_key=KEY),
    "override": lambda make: make({"nothing": KEY[:3]}, api_key=KEY),
    "plain http": lambda make: make(base_url="http://192.0.2.1", api_key=KEY),
    "type": lambda make: make(overrides={"entity": 3}, api_key=KEY),  # type: ignore[dict-item] # pyright: ignore[reportArgumentType] — a caller's mistake
    "key as bytes": lambda make: make(api_key=KEY.encode()),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] — a caller's mistake
}


@pytest.mark.parametrize("make", [Api, AsyncApi])
@pytest.mark.parametrize("call", CONFIGURATION.values(), ids=list(CONFIGURATION))
def test_no_refused_setting_shows_the_key(
    call: Callable[[type[Api | AsyncApi]], object], make: type[Api | AsyncApi]
) -> None:
    error = caught(lambda: call(make))
    assert isinstance(error, (RunqlError, TypeError))
    assert sightings(error) == []


@pytest.mark.parametrize("make", [Api, AsyncApi])
@pytest.mark.parametrize(
    "line", [f"machine api.wandb.ai login user password\n{KEY} {KEY}", f"machine api.wandb.ai {KEY}"]
)
def test_a_broken_netrc_does_not_show_the_key(
    line: str, make: type[Api | AsyncApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    netrc = os.path.expanduser("~/.netrc")  # noqa: PTH111
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(line)
    error = caught(make)
    assert "no netrc entry" in str(error)
    assert sightings(error) == []
