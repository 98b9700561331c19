"""The loop around one request, stepped by hand: what is sent, how long is slept, what comes out, what is logged."""

from __future__ import annotations

import logging

import pytest
from tests.unit.transport.stepping import ended

from runql.errors import ConnectionFailedError, RequestTimedOutError
from runql.transport.retry import RetryPolicy, send_with_retries
from runql.transport.wire import Failure, Request, Response

QUERY = Request("GetRun", "http://api/graphql", b"{}")
MUTATION = Request("UpsertRun", "http://api/graphql", b"{}", repeatable=False)
FILE = Request("/files/a.json", "http://api/files/a.json?signature=hidden")
POLICY = RetryPolicy(max_attempts=3, first_delay=1, jitter=0)
OK = Response(200, b"{}")


def test_a_good_answer_is_returned_with_one_attempt() -> None:
    tries = send_with_retries(QUERY, POLICY)
    assert next(tries) is QUERY
    assert ended(tries, OK) == Response(200, b"{}", attempts=1)


def test_the_same_request_is_sent_again_after_each_delay() -> None:
    tries = send_with_retries(QUERY, POLICY)
    assert next(tries) is QUERY
    assert tries.send(Response(503, b"")) == 1
    assert next(tries) is QUERY
    assert tries.send(Failure(ConnectionFailedError("reset"))) == 2
    assert next(tries) is QUERY
    assert ended(tries, OK).attempts == 3


def test_the_last_answer_is_returned_when_the_attempts_are_used_up() -> None:
    tries = send_with_retries(QUERY, POLICY)
    next(tries)
    tries.send(Response(500, b"first"))
    next(tries)
    tries.send(Response(502, b"second"))
    next(tries)
    assert ended(tries, Response(503, b"last")) == Response(503, b"last", attempts=3, seconds=3, waited=3)


def test_the_last_failure_is_raised_and_knows_the_attempts() -> None:
    tries = send_with_retries(QUERY, POLICY)
    next(tries)
    tries.send(Response(500, b""))
    next(tries)
    tries.send(Failure(RequestTimedOutError("late")))
    next(tries)
    error = ConnectionFailedError("refused", operation="GetRun")
    with pytest.raises(
        ConnectionFailedError, match=r"refused \[GetRun\] \(after 3 attempts in 3 s, 3 s of them waiting\)"
    ) as caught:
        tries.send(Failure(error))
    assert caught.value is error
    assert caught.value.attempts == 3


def test_time_spent_sending_and_sleeping_both_count() -> None:
    policy = RetryPolicy(max_attempts=99, total_seconds=10, first_delay=2, max_delay=2, jitter=0)
    tries = send_with_retries(QUERY, policy)
    next(tries)
    assert tries.send(Response(503, b"", elapsed=3)) == 2  # 3 + 2 = 5
    next(tries)
    assert tries.send(Response(503, b"", elapsed=3)) == 2  # 8 + 2 = 10
    next(tries)
    assert ended(tries, Response(503, b"", elapsed=0.5)).attempts == 3


def test_the_budget_holds_whatever_the_server_asks_for() -> None:
    policy = RetryPolicy(max_attempts=99, total_seconds=10, first_delay=1, jitter=0)
    tries = send_with_retries(QUERY, policy)
    next(tries)
    assert tries.send(Response(429, b"", {"retry-after": "6"})) == 6
    next(tries)
    answer = ended(tries, Response(429, b"", {"retry-after": "6"}))
    assert (answer.status, answer.attempts) == (429, 2)


def test_a_mutation_that_may_have_arrived_is_sent_once() -> None:
    tries = send_with_retries(MUTATION, POLICY)
    next(tries)
    assert ended(tries, Response(503, b"")).attempts == 1
    tries = send_with_retries(MUTATION, POLICY)
    next(tries)
    with pytest.raises(RequestTimedOutError):
        tries.send(Failure(RequestTimedOutError("late")))


def test_a_mutation_that_did_not_leave_is_sent_again() -> None:
    tries = send_with_retries(MUTATION, POLICY)
    next(tries)
    assert tries.send(Failure(ConnectionFailedError("refused"), sent=False)) == 1
    assert next(tries) is MUTATION


def test_a_reply_of_none_is_the_drivers_mistake() -> None:
    tries = send_with_retries(QUERY, POLICY)
    next(tries)
    with pytest.raises(TypeError, match="driver"):
        tries.send(None)


def test_each_retry_is_logged_with_the_operation_the_cause_and_the_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="runql.transport")
    tries = send_with_retries(QUERY, POLICY)
    next(tries)
    tries.send(Response(503, b"body of the answer"))
    next(tries)
    tries.send(Failure(ConnectionFailedError("no answer from api", operation="GetRun")))
    next(tries)
    ended(tries, OK)
    assert caplog.messages == [
        "GetRun: status 503; attempt 2 of 3 follows in 1.0 s",
        "GetRun: no answer from api [GetRun]; attempt 3 of 3 follows in 2.0 s",
    ]


def test_the_log_holds_no_query_of_a_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tries = send_with_retries(FILE, POLICY)
    next(tries)
    tries.send(Response(503, b""))
    assert caplog.messages == [
        "/files/a.json: status 503, 0 bytes, 0.0 ms, attempt 1, request id -",
        "/files/a.json: status 503; attempt 2 of 3 follows in 1.0 s",
    ]
    assert "hidden" not in caplog.text


def test_no_warning_is_logged_where_nothing_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for outcome in (OK, Response(404, b""), Response(501, b"")):
        tries = send_with_retries(QUERY, POLICY)
        next(tries)
        ended(tries, outcome)
    assert caplog.messages == []
