"""Which failures pass, and which are final: over both drivers, with the number of requests."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest
from tests.contract.untyped import Untyped
from tests.unit.transport.driving import Answerer, Face, driver

from runql.errors import (
    AnswerError,
    ConnectionFailedError,
    InvalidAnswerError,
    RunqlError,
    ServerFailureError,
)
from runql.resources.history.exports import files, parts
from runql.transport.flow import Download, Flow, download, fetch
from runql.transport.retry import RetryPolicy
from runql.transport.wire import Traffic
from runql_graphql.get_run_state import GetRunState
from runql_graphql.operation import Operation
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
MUTATION = Operation("Change", "mutation", "mutation Change { x }", {}, GetRunState)
FOUND = {"data": {"project": {"name": "p", "entityName": "e", "run": {"name": "r", "state": "finished"}}}}
WHOLE = json.dumps(FOUND).encode()
FIVE = RetryPolicy(max_attempts=5, first_delay=0.001, jitter=0)
faces = pytest.mark.parametrize("face", ["sync", "async"])


def after(*first: httpx.Response) -> Answerer:
    """Give these responses, then good ones."""
    left = iter(first)

    def answer(request: httpx.Request) -> httpx.Response:
        given = next(left, httpx.Response(200, content=WHOLE))
        return always(given)(request)

    return answer


def always(response: httpx.Response) -> Answerer:
    return lambda _: httpx.Response(response.status_code, headers=response.headers, content=response.content)


@faces
@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"\n"),
        httpx.Response(200, content=WHOLE[:-1]),
        httpx.Response(200, content=WHOLE[:20]),
        httpx.Response(200, content=b"upstream connect error"),
        httpx.Response(408),
        httpx.Response(425),
        httpx.Response(429),
        httpx.Response(500, json={"errors": [{"message": "boom"}]}),
        httpx.Response(503),
    ],
    ids=lambda response: f"{response.status_code} {response.content[:12]!r}",
)
def test_what_passes_is_sent_again(first: httpx.Response, face: Face) -> None:
    traffic = Traffic()
    read = driver(face, after(first), retry=FIVE)(fetch(STATE), traffic=traffic)
    assert read.project is not None
    assert traffic.requests == 2


@faces
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(200, content=b"<!doctype html><p>Sign in"), InvalidAnswerError),
        (httpx.Response(409), AnswerError),
        (httpx.Response(501), ServerFailureError),
        (httpx.Response(200, content=b"{}"), AnswerError),
    ],
    ids=lambda each: str(getattr(each, "status_code", "")),
)
def test_what_does_not_pass_is_final(response: httpx.Response, error: type[RunqlError], face: Face) -> None:
    traffic = Traffic()
    with pytest.raises(error):
        driver(face, always(response), retry=FIVE)(fetch(STATE), traffic=traffic)
    assert traffic.requests == 1


@faces
@pytest.mark.parametrize(
    "body", [b"not gzip", gzip.compress(WHOLE)[:-12] + b"damaged damaged"], ids=["plain", "damaged"]
)
def test_a_body_that_is_not_compressed_as_it_says_is_final(body: bytes, face: Face) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body), request=request
        )

    traffic = Traffic()
    with pytest.raises(ConnectionFailedError, match="not compressed as its headers say"):
        driver(face, answer, retry=FIVE)(fetch(STATE), traffic=traffic)
    assert traffic.requests == 1


@faces
def test_a_mutation_whose_response_was_cut_off_is_not_sent_again(face: Face) -> None:
    traffic = Traffic()
    with pytest.raises(InvalidAnswerError):
        driver(face, always(httpx.Response(200, content=b"{")), retry=FIVE)(fetch(MUTATION), traffic=traffic)
    assert traffic.requests == 1


@faces
def test_a_response_that_is_always_cut_off_gets_three_attempts(face: Face) -> None:
    traffic = Traffic()
    with pytest.raises(InvalidAnswerError, match="after 3 attempts"):
        driver(face, always(httpx.Response(200, content=b"{")), retry=FIVE)(fetch(STATE), traffic=traffic)
    assert traffic.requests == 3


@faces
def test_a_file_is_whole_whatever_it_holds(face: Face) -> None:
    assert driver(face, always(httpx.Response(200, content=b"{")))(download("http://api.host/f")) == b"{"


@faces
@pytest.mark.parametrize("header", ["x-request-id", "X-Amz-Request-Id", "x-guploader-uploadid", "cf-ray"])
def test_errors_have_the_servers_id_of_the_request(header: str, face: Face) -> None:
    response = httpx.Response(503, headers={header: "  abc\x1b[31m\tdef " + "g" * 500})
    with pytest.raises(ServerFailureError) as caught:
        driver(face, always(response))(fetch(STATE))
    error = caught.value
    assert error.request_id == ("abc?[31m?def?" + "g" * 500)[:80]
    assert f"(request id {error.request_id})" in str(error)
    assert error.attempts == 3
    assert 0 < error.waited <= error.seconds
    assert f"after 3 attempts in {error.seconds:.3g} s, {error.waited:.3g} s of them waiting" in str(error)


def test_an_error_without_an_id_says_none() -> None:
    with pytest.raises(AnswerError) as caught:
        driver("sync", always(httpx.Response(404)))(fetch(STATE))
    assert caught.value.request_id is None
    assert "request id" not in str(caught.value)


def test_a_parquet_file_gets_two_attempts() -> None:
    whole: Untyped = files
    ends: Untyped = parts
    begun: list[Flow[object]] = [
        whole._read_small("u", None, None, None, keep=True),
        whole._read_small("u", None, 10, None, keep=True),
        ends._fetch_end("u"),
    ]
    for flow in begun:
        effect = next(flow)
        assert isinstance(effect, Download)
        assert effect.most_attempts == 2
