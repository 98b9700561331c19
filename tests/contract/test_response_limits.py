"""Responses beyond the limits of a client: refused, with the name of the limit, without reading on, and once."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.unit.transport.driving import Face, driver

from runql import Limits, ResponseLimitError, ResponseTooLargeError, RunqlError
from runql.limits import DEFAULT_LIMITS
from runql.transport.byte_ranges import ByteRange
from runql.transport.files.bodies import Sink
from runql.transport.flow import Flow, download, download_part, fetch, save
from runql_graphql.operations import get_run_state

CHUNK = b" " * 1000
FACES: list[Face] = ["sync", "async"]
LIMITS = Limits(response_bytes=20_000, decoded_bytes=50_000, file_bytes=80_000)

BOMBS = {
    "gzip": gzip.compress(bytes(10_000_000)),
    "deflate": zlib.compress(bytes(10_000_000)),
    "gzip, gzip": gzip.compress(gzip.compress(bytes(10_000_000))),
}


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Chunks without end, or those that it was given; it counts what was taken."""

    def __init__(self, chunks: list[bytes] | None = None) -> None:
        self.chunks = chunks
        self.taken = 0

    def _next(self) -> Iterator[bytes]:
        while self.chunks is None or self.taken < len(self.chunks):
            self.taken += 1
            yield CHUNK if self.chunks is None else self.chunks[self.taken - 1]

    def __iter__(self) -> Iterator[bytes]:
        yield from self._next()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._next():
            yield chunk


class Server:
    """Sends one response to every request, and counts the requests."""

    def __init__(self, stream: Stream, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.stream, self.status, self.headers = stream, status, dict(headers or {})
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, headers=self.headers, stream=self.stream)


def state() -> Flow[object]:
    return fetch(get_run_state(entity="e", project="p", run="r"))


def run(face: Face, server: Server, flow: Flow[object], limits: Limits = LIMITS) -> object:
    return driver(face, server, limits=limits)(flow)


def refused(face: Face, server: Server, flow: Flow[object], limits: Limits = LIMITS) -> ResponseLimitError:
    with pytest.raises(ResponseLimitError) as caught:
        run(face, server, flow, limits)
    assert len(server.asked) == 1
    assert caught.value.attempts == 1
    return caught.value


@pytest.mark.parametrize("face", FACES)
def test_an_announced_length_is_refused_before_the_first_byte(face: Face) -> None:
    server = Server(Stream(), headers={"Content-Length": "300000000"})
    error = refused(face, server, state(), DEFAULT_LIMITS)
    assert type(error) is ResponseTooLargeError
    assert (error.limit, error.most, error.operation) == ("response_bytes", 128 << 20, "GetRunState")
    assert str(error) == (
        "the response to GetRunState (status 200) announces 300000000 bytes, and the limit response_bytes is "
        "134,217,728: if the server is right, raise it by Api(limits=Limits(response_bytes=...)) or "
        "api.with_options(limits=...) [GetRunState]"
    )
    assert server.stream.taken == 0


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("length", ["9" * 5000, "20001"])
def test_a_length_that_no_number_holds_is_beyond_the_limit(face: Face, length: str) -> None:
    server = Server(Stream(), headers={"Content-Length": length})
    assert refused(face, server, state()).limit == "response_bytes"
    assert server.stream.taken == 0


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("status", [200, 400, 401, 429, 502])
def test_a_body_without_end_is_read_to_the_limit_also_of_an_error(face: Face, status: int) -> None:
    server = Server(Stream(), status)
    error = refused(face, server, state())
    assert error.limit == "response_bytes"
    assert f"(status {status})" in str(error)
    assert server.stream.taken == 21


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_refused_after_decompression(face: Face, encoding: str) -> None:
    server = Server(Stream([BOMBS[encoding]]), headers={"Content-Encoding": encoding})
    error = refused(face, server, state())
    assert (type(error), error.limit, error.most) == (ResponseTooLargeError, "decoded_bytes", 50_000)


@pytest.mark.parametrize("face", FACES)
def test_only_what_is_decoded_in_steps_is_asked_for(face: Face) -> None:
    server = Server(Stream([b'{"data": null}']), headers={"Content-Encoding": "br"})
    with pytest.raises(RunqlError):
        run(face, server, state())
    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_the_limit_itself_is_allowed(face: Face, encoding: str) -> None:
    data = json.dumps({"data": {"project": {"name": "p", "entityName": "e", "run": None}}}).encode()
    plain = data + b" " * (1000 - len(data))
    body = gzip.compress(plain, mtime=0) if encoding else plain
    headers = {"Content-Encoding": encoding} if encoding else {}
    exact = Limits(response_bytes=len(body), decoded_bytes=1000)
    run(face, Server(Stream([body]), headers=headers), state(), exact)
    less = Limits(response_bytes=len(body) - 1, decoded_bytes=1000)
    assert refused(face, Server(Stream([body]), headers=headers), state(), less).limit == "response_bytes"
    if encoding:
        less = Limits(response_bytes=len(body), decoded_bytes=999)
        assert refused(face, Server(Stream([body]), headers=headers), state(), less).limit == "decoded_bytes"


@pytest.mark.parametrize("face", FACES)
def test_a_file_in_memory_has_a_limit_of_its_own(face: Face) -> None:
    server = Server(Stream([CHUNK] * 80))
    assert run(face, server, download("/file")) == CHUNK * 80
    assert refused(face, Server(Stream()), download("/file")).limit == "file_bytes"
    assert refused(face, Server(Stream(), 404), download("/file")).limit == "response_bytes"


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("part", [ByteRange(0, 1000), ByteRange(-1000)])
def test_a_part_of_a_file_is_no_larger_than_a_response(face: Face, part: ByteRange) -> None:
    server = Server(Stream(), 206, {"Content-Range": "bytes 0-999/1000"})
    assert refused(face, server, download_part("/file", part)).limit == "response_bytes"
    assert server.stream.taken == 21
    # The whole file may come in its place.
    assert refused(face, Server(Stream()), download_part("/file", part)).limit == "file_bytes"
    large = download_part("/file", ByteRange(0, 30_000))
    assert refused(face, Server(Stream(), 206), large).limit == "file_bytes"


@pytest.mark.parametrize("face", FACES)
def test_a_download_to_a_file_may_be_as_large_as_it_was_announced(face: Face, tmp_path: Path) -> None:
    server = Server(Stream([CHUNK] * 300), headers={"Content-Length": "300000"})
    run(face, server, save("/file", Sink(tmp_path / "a")))
    assert (tmp_path / "a").stat().st_size == 300_000


@pytest.mark.parametrize("face", FACES)
def test_a_file_that_never_ends_stops_at_its_size(face: Face, tmp_path: Path) -> None:
    server = Server(Stream())
    with pytest.raises(RunqlError, match="the server says 5000"):
        run(face, server, save("/file", Sink(tmp_path / "a", size=5000)))
    assert server.stream.taken == 6
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("size", [None, 5000])
def test_a_bomb_does_not_fill_the_disk(face: Face, tmp_path: Path, size: int | None) -> None:
    server = Server(Stream([BOMBS["gzip"]]), headers={"Content-Encoding": "gzip"})
    with pytest.raises(RunqlError) as caught:
        run(face, server, save("/file", Sink(tmp_path / "a", size=size)))
    wanted = "the limit file_bytes is 80,000" if size is None else "the server says 5000"
    assert wanted in str(caught.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("face", FACES)
def test_what_a_transport_of_the_caller_has_read_is_limited_too(face: Face) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=BOMBS["gzip"], headers={"Content-Encoding": "gzip"})

    with pytest.raises(ResponseTooLargeError, match="decoded_bytes is 50,000"):
        driver(face, answer, limits=LIMITS)(state())
