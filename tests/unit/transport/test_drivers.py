"""Both drivers perform effects, retry, count, and hand errors to the flow."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Iterator
from typing import TypeVar

import httpx
import pytest
from tests.unit.transport.driving import BASE_URL, KEY, Answerer, Face, driver, settings

from runql.errors import (
    AuthenticationError,
    ConnectionFailedError,
    RateLimitedError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import Download, Effect, Flow, Send, Sleep, download, fetch, sleep
from runql.transport.sync import RetryingClient
from runql.transport.wire import Response, Traffic
from runql_graphql.get_run_state import GetRunState
from runql_graphql.operation import Operation
from runql_graphql.operations import get_run_state

T = TypeVar("T")
STATE = get_run_state(entity="e", project="p", run="r")
FOUND = {"data": {"project": {"name": "p", "entityName": "e", "run": {"name": "r", "state": "finished"}}}}
MUTATION = Operation("Change", "mutation", "mutation Change { x }", {}, GetRunState)
faces = pytest.mark.parametrize("face", ["sync", "async"])


def in_turn(*answers: httpx.Response | httpx.HTTPError) -> tuple[Answerer, list[httpx.Request]]:
    """Give the answers in turn, raising those that are errors; and the requests that came."""
    requests: list[httpx.Request] = []
    left: Iterator[httpx.Response | httpx.HTTPError] = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = next(left)
        if isinstance(given, httpx.HTTPError):
            raise given
        return given

    return answer, requests


@faces
def test_an_operation_is_posted_and_its_answer_read(face: Face) -> None:
    answer, requests = in_turn(httpx.Response(200, json=FOUND))
    read = driver(face, answer)(fetch(STATE))
    assert read.project is not None
    assert read.project.run is not None
    assert read.project.run.state == "finished"
    [request] = requests
    assert (request.method, str(request.url)) == ("POST", f"{BASE_URL}/graphql")
    assert json.loads(request.content)["operationName"] == "GetRunState"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["user-agent"].startswith("runql/")


@faces
def test_requests_slow_down_before_the_limit_is_reached(face: Face) -> None:
    """What is left is spread over the time until the limit is lifted; no answer had to be a 429."""
    limit = {"RateLimit-Remaining": "1", "RateLimit-Reset": "0.2"}
    arrived: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(time.monotonic())
        return httpx.Response(200, json=FOUND, headers=limit if len(arrived) == 1 else {})

    def three() -> Flow[None]:
        for _ in range(3):
            yield from fetch(STATE)

    driver(face, answer)(three())
    assert arrived[2] - arrived[0] >= 0.1


@faces
def test_files_do_not_wait_for_the_limit_of_the_api(face: Face) -> None:
    limit = {"RateLimit-Remaining": "0", "RateLimit-Reset": "80"}
    answer, requests = in_turn(
        httpx.Response(200, json=FOUND, headers=limit), httpx.Response(200, content=b"bytes")
    )

    def both() -> Flow[bytes]:
        yield from fetch(STATE)
        return (yield from download("http://storage/a"))

    assert driver(face, answer)(both()) == b"bytes"
    assert len(requests) == 2


@faces
def test_a_file_is_got_without_credentials_elsewhere_and_redirects_are_judged_anew(face: Face) -> None:
    answer, requests = in_turn(
        httpx.Response(307, headers={"location": "http://storage/a?signature=hidden"}),
        httpx.Response(200, content=b"bytes"),
    )
    assert driver(face, answer)(download("/files/a")) == b"bytes"
    assert [str(request.url) for request in requests] == [
        f"{BASE_URL}/files/a",
        "http://storage/a?signature=hidden",
    ]
    assert ["authorization" in request.headers for request in requests] == [True, False]
    assert {request.method for request in requests} == {"GET"}


@faces
def test_queries_are_sent_again_until_they_are_answered(face: Face) -> None:
    answer, requests = in_turn(
        httpx.Response(503), httpx.ReadTimeout("late"), httpx.Response(200, json=FOUND)
    )
    driver(face, answer)(fetch(STATE))
    assert len(requests) == 3
    assert len({request.content for request in requests}) == 1


@faces
def test_the_error_after_the_last_attempt_knows_them_all(face: Face) -> None:
    answer, _ = in_turn(*[httpx.Response(503)] * 3)
    with pytest.raises(
        ServerFailureError, match=r"\[GetRunState\] \(after 3 attempts in .* s, .* s of them waiting\)"
    ) as caught:
        driver(face, answer)(fetch(STATE))
    assert caught.value.attempts == 3


@faces
@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (httpx.ConnectError("unreachable"), ConnectionFailedError, 3),
        (httpx.ReadTimeout("late"), RequestTimedOutError, 3),
        (httpx.RemoteProtocolError("hung up"), ConnectionFailedError, 2),
    ],
)
def test_errors_of_the_http_library_do_not_leak(
    face: Face, error: httpx.HTTPError, kind: type[RunqlError], attempts: int
) -> None:
    answer, requests = in_turn(*[error] * 3)
    with pytest.raises(kind, match=f"after {attempts} attempts") as caught:
        driver(face, answer)(fetch(STATE))
    assert caught.value.__cause__ is error
    assert len(requests) == attempts


@faces
@pytest.mark.parametrize(
    "url",
    ["http://host:port/a?signature=hidden", "http://[broken/a?signature=hidden", "http://a b\x00/a", ""],
)
def test_a_url_that_cannot_be_requested_is_an_error_of_ours(face: Face, url: str) -> None:
    answer, _ = in_turn(httpx.Response(404))
    with pytest.raises(RunqlError) as caught:
        driver(face, answer)(download(url))
    assert "hidden" not in str(caught.value)


@faces
def test_a_protocol_that_is_not_spoken_is_not_tried_again(face: Face) -> None:
    traffic = Traffic()
    with pytest.raises(RunqlError):
        driver(face, None)(download("ftp://storage/a"), traffic=traffic)
    assert traffic.requests <= 1


@faces
def test_a_mutation_that_may_have_arrived_is_sent_once(face: Face) -> None:
    for outcome in (httpx.Response(503), httpx.ReadTimeout("late")):
        answer, requests = in_turn(outcome)
        with pytest.raises(RunqlError):
            driver(face, answer)(fetch(MUTATION))
        assert len(requests) == 1


@faces
def test_a_refused_key_is_told_after_one_request(face: Face) -> None:
    answer, requests = in_turn(httpx.Response(401, json={"error": "bad key"}))
    with pytest.raises(AuthenticationError, match="bad key") as caught:
        driver(face, answer)(fetch(STATE))
    assert len(requests) == 1
    assert KEY not in str(caught.value)


@faces
def test_a_wait_that_is_too_long_is_told_at_once(face: Face) -> None:
    answer, requests = in_turn(httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimitedError) as caught:
        driver(face, answer)(fetch(STATE))
    assert caught.value.retry_after == 3600
    assert len(requests) == 1


@faces
def test_traffic_counts_every_request_and_the_bytes_as_they_crossed_the_wire(face: Face) -> None:
    body = json.dumps(FOUND | {"extensions": "x" * 5000}).encode()
    packed = gzip.compress(body)
    answer, requests = in_turn(
        httpx.Response(503, stream=httpx.ByteStream(b"busy")),
        httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed)),
    )
    traffic = Traffic()
    driver(face, answer)(fetch(STATE), traffic=traffic)
    assert traffic.requests == 2
    assert traffic.bytes_sent == 2 * len(requests[0].content)
    assert traffic.bytes_received == len(b"busy") + len(packed)


@faces
def test_requests_that_fail_are_counted_too(face: Face) -> None:
    answer, _ = in_turn(*[httpx.ConnectError("refused")] * 3)
    traffic = Traffic()
    with pytest.raises(ConnectionFailedError):
        driver(face, answer)(fetch(STATE), traffic=traffic)
    assert (traffic.requests, traffic.bytes_received) == (3, 0)


@faces
def test_a_flow_may_catch_an_error_and_go_on(face: Face) -> None:
    def stubborn() -> Flow[str]:
        try:
            yield Send(MUTATION)
        except RequestTimedOutError:
            yield Sleep(0)
        response = yield Download("/files/a")
        assert isinstance(response, Response)
        return response.content.decode()

    answer, _ = in_turn(httpx.ReadTimeout("late"), httpx.Response(200, content=b"then"))
    assert driver(face, answer)(stubborn()) == "then"


@faces
def test_the_flow_is_closed_whatever_happens(face: Face) -> None:
    closed: list[str] = []

    def watched(step: Flow[T], name: str) -> Flow[T]:
        try:
            return (yield from step)
        finally:
            closed.append(name)

    def boom(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    # Held here, so that only the driver can have closed them.
    interrupted = watched(fetch(STATE), "interrupted")
    failed = watched(fetch(STATE), "failed")
    done = watched(sleep(0), "done")
    with pytest.raises(KeyboardInterrupt):
        driver(face, boom)(interrupted)
    with pytest.raises(ServerFailureError):
        driver(face, in_turn(httpx.Response(501))[0])(failed)
    driver(face, None)(done)
    assert closed == ["interrupted", "failed", "done"]


@faces
def test_a_flow_that_asks_for_nothing_sends_nothing(face: Face) -> None:
    def silent() -> Flow[int]:
        effects: list[Effect] = []
        yield from effects
        return 7

    traffic = Traffic()
    assert driver(face, None)(silent(), traffic=traffic) == 7
    assert traffic == Traffic()


@faces
def test_no_log_holds_a_key_a_body_or_a_signature(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="runql")
    answer, requests = in_turn(httpx.Response(503), httpx.ReadError("reset"), httpx.Response(200))
    driver(face, answer)(download(f"{BASE_URL}/files/a?signature=hidden"))
    levels = [record.levelname for record in caplog.records if record.name == "runql.transport"]
    assert levels == ["DEBUG", "WARNING", "DEBUG", "WARNING", "DEBUG"]
    assert all(message.startswith("/files/a: ") for message in caplog.messages)
    for secret in ("hidden", KEY, requests[0].headers["authorization"].split()[1]):
        assert secret not in caplog.text


def test_a_client_shows_its_server_and_not_its_key() -> None:
    shown = [repr(RetryingClient(settings())), repr(AsyncRetryingClient(settings()))]
    assert shown == [f"RetryingClient('{BASE_URL}')", f"AsyncRetryingClient('{BASE_URL}')"]
