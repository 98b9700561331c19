"""What the retry policy decides, as a table of outcomes, counts and clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from runql.errors import ConnectionFailedError, RequestTimedOutError
from runql.transport.retry import Outcome, RetryPolicy, asked_wait, is_cut_off, is_server_failure
from runql.transport.wire import Failure, Request, Response

QUERY = Request("Query", "http://api/graphql", b"{}")
FAILING_FAST = Request("Query", "http://api/graphql", b"{}", fail_fast=True)
MUTATION = Request("Mutation", "http://api/graphql", b"{}", repeatable=False)
FILE = Request("/file", "http://api/file")

NO_HOST = Failure(ConnectionFailedError("no host"), sent=False)
HUNG_UP = Failure(ConnectionFailedError("hung up"), sent=True)
NO_CONNECTION_IN_TIME = Failure(RequestTimedOutError("late"), sent=False)
NO_ANSWER_IN_TIME = Failure(RequestTimedOutError("late"), sent=True)

STEADY = RetryPolicy(jitter=0)
NOON = "Wed, 01 Jul 2026 12:00:00 GMT"


def delay(
    request: Request,
    outcome: Outcome,
    *,
    attempt: int = 1,
    spent: float = 0.0,
    policy: RetryPolicy = STEADY,
) -> float | None:
    return policy.delay(request, outcome, attempt=attempt, spent=spent)


def status(code: int, **headers: str) -> Response:
    return Response(code, b"{}", {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("outcome", "query", "fail_fast", "mutation"),
    [
        (NO_HOST, True, True, True),
        (HUNG_UP, True, True, False),
        (NO_CONNECTION_IN_TIME, True, False, True),
        (NO_ANSWER_IN_TIME, True, False, False),
        (status(429), True, True, True),
        (status(408), True, False, False),
        (status(425), True, True, True),
        (status(500), True, False, False),
        (status(502), True, False, False),
        (status(503), True, False, False),
        (status(504), True, False, False),
        (status(599), True, False, False),
        (status(501), False, False, False),
        (status(200), False, False, False),
        (status(302), False, False, False),
        (status(400), False, False, False),
        (status(401), False, False, False),
        (status(403), False, False, False),
        (status(404), False, False, False),
        (status(409), False, False, False),
        (status(410), False, False, False),
        (status(422), False, False, False),
    ],
)
def test_what_is_sent_again(outcome: Outcome, *, query: bool, fail_fast: bool, mutation: bool) -> None:
    assert (delay(QUERY, outcome) is not None) is query
    assert (delay(FILE, outcome) is not None) is query
    assert (delay(FAILING_FAST, outcome) is not None) is fail_fast
    assert (delay(MUTATION, outcome) is not None) is mutation


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        (b"", True),
        (b" \n", True),
        (b'{"data": {"project"', True),
        (b'{"data": {"project": {}}', True),
        (b"upstream error", True),
        (b'{"data": "\xff"}', True),
        (b'{"data": null}', False),
        (b'{"data": [NaN, Infinity]}', False),
        (b"<!doctype html>", False),
        (b"\n  <html>", False),
        (b'{"data": "' + b"x" * 10_000, True),
        (b'{"data": {"rows": ["' + b"x" * 10_000 + b'"]}}\n', False),
        (b"\n" + b"x" * 10_000 + b"}", True),
    ],
)
def test_a_response_that_was_cut_off_is_asked_for_again(content: bytes, *, cut: bool) -> None:
    outcome = Response(200, content)
    assert is_cut_off(content) is cut
    assert (delay(QUERY, outcome) is not None) is cut
    assert (delay(QUERY, outcome, attempt=3) is not None) is False
    assert (delay(FAILING_FAST, outcome) is not None) is cut
    assert (delay(FAILING_FAST, outcome, attempt=2) is not None) is False
    assert delay(MUTATION, outcome) is None
    assert delay(FILE, outcome) is None


def test_conflicts_pass_for_files_and_for_writes_that_are_idempotent() -> None:
    assert delay(replace(FILE, repeats_conflicts=True), status(409)) is not None
    assert delay(replace(MUTATION, repeatable=True, repeats_conflicts=True), status(409)) is not None
    assert delay(QUERY, status(409)) is None


def test_a_timeout_gets_few_attempts() -> None:
    assert delay(QUERY, NO_ANSWER_IN_TIME, attempt=2) is not None
    assert delay(QUERY, NO_ANSWER_IN_TIME, attempt=3) is None


def test_a_request_may_have_fewer_attempts_than_the_policy() -> None:
    twice = replace(FILE, most_attempts=2)
    assert delay(twice, status(500)) is not None
    assert delay(twice, status(500), attempt=2) is None


def test_delays_double_up_to_the_longest() -> None:
    policy = RetryPolicy(max_attempts=9, first_delay=0.5, max_delay=6, jitter=0)
    delays = [delay(QUERY, status(503), attempt=attempt, policy=policy) for attempt in range(1, 10)]
    assert delays == [0.5, 1, 2, 4, 6, 6, 6, 6, None]


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_attempts_are_bounded_in_number(attempts: int) -> None:
    policy = RetryPolicy(max_attempts=attempts, jitter=0)
    assert delay(QUERY, status(503), attempt=attempts, policy=policy) is None
    if attempts > 1:
        assert delay(QUERY, status(503), attempt=attempts - 1, policy=policy) is not None


def test_attempts_are_bounded_in_total_time() -> None:
    policy = RetryPolicy(first_delay=2, total_seconds=10, jitter=0)
    assert delay(QUERY, status(503), spent=8, policy=policy) == 2
    assert delay(QUERY, status(503), spent=8.01, policy=policy) is None
    assert delay(QUERY, NO_ANSWER_IN_TIME, spent=30, policy=policy) is None


def test_a_very_patient_policy_does_not_overflow() -> None:
    policy = RetryPolicy(max_attempts=10_000, total_seconds=1e9, jitter=0)
    assert delay(QUERY, status(503), attempt=5_000, policy=policy) == policy.max_delay


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_jitter_only_lengthens_and_by_no_more_than_its_share(chance: float) -> None:
    policy = RetryPolicy(first_delay=4, jitter=0.25, chance=lambda: chance)
    assert delay(QUERY, status(503), policy=policy) == pytest.approx(4 * (1 + 0.25 * chance))
    assert delay(QUERY, status(429, retry_after="8"), policy=policy) == pytest.approx(8 + 4 * 0.25 * chance)


def test_the_default_jitter_differs_between_clients() -> None:
    policy = RetryPolicy()
    delays = {delay(QUERY, status(503), policy=policy) for _ in range(20)}
    assert len(delays) > 1
    assert all(wait is not None and 0.5 <= wait < 0.5 * 1.25 for wait in delays)


@pytest.mark.parametrize("code", [429, 503])
def test_the_server_may_ask_for_more_than_our_longest_delay_but_not_for_less_than_our_own(code: int) -> None:
    policy = RetryPolicy(first_delay=2, max_delay=4, jitter=0)
    assert delay(QUERY, status(code, retry_after="20"), policy=policy) == 20
    assert delay(QUERY, status(code, retry_after="0"), policy=policy) == 2


def test_jitter_leaves_a_usual_wait_within_the_budget() -> None:
    policy = RetryPolicy(chance=lambda: 0.999)
    wait = delay(QUERY, status(429, retry_after="60"), spent=1, policy=policy)
    assert wait is not None
    assert 60 <= wait < 61


@pytest.mark.parametrize("asked", ["61", "100000", "1e300", "inf"])
@pytest.mark.parametrize("header", ["retry_after", "ratelimit_reset"])
def test_a_wait_beyond_the_budget_is_given_up_at_once(asked: str, header: str) -> None:
    policy = RetryPolicy(total_seconds=60, jitter=0)
    assert delay(QUERY, status(429, **{header: asked}), policy=policy) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "Wed, 01 Jul 2026 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Wed, 01 Jul 2026 11:59:30 GMT", "date": NOON}, 0.0),
        ({"retry-after": "Wed, 01 Jul 2026 14:00:30 +0200", "date": NOON}, 30.0),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"ratelimit-reset": "12", "retry-after": "7"}, 7.0),
        ({"ratelimit-reset": "12", "retry-after": "soon"}, 12.0),
        ({"ratelimit-remaining": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Wed, 01 Jul 2026 12:00:30 GMT", "date": "noon"}, None),
    ],
)
def test_how_long_the_server_asks_to_wait(headers: Mapping[str, str], wait: float | None) -> None:
    assert asked_wait(headers) == wait


def test_a_date_without_the_servers_clock_is_counted_from_ours() -> None:
    assert asked_wait({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}) == 0
    far = asked_wait({"retry-after": "Sat, 01 Jan 2950 00:00:00 GMT"})
    assert far is not None
    assert far > 1e9


@pytest.mark.parametrize("date", [NOON, None])
def test_a_date_without_a_zone_does_not_break_the_wait(date: str | None) -> None:
    headers = {"retry-after": "Sat, 01 Jan 2000 00:00:00"} | ({} if date is None else {"date": date})
    assert asked_wait(headers) in {0.0, None}


@pytest.mark.parametrize(
    ("code", "failed"),
    [(200, False), (404, False), (429, False), (408, True), (425, True), (500, True), (599, True)],
)
def test_which_statuses_are_the_servers_failure(code: int, *, failed: bool) -> None:
    assert is_server_failure(code) is failed
