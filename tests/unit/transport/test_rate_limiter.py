"""When requests wait, by the server's rate-limit headers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runql.transport.rate_limiter import LONGEST_WAIT, SLOW_DOWN_BELOW, RateLimiter


def limit_headers(left: float, reset: float) -> dict[str, str]:
    return {"ratelimit-remaining": str(left), "ratelimit-reset": str(reset)}


def noted(headers: Mapping[str, str]) -> RateLimiter:
    limiter = RateLimiter()
    limiter.note(headers, 100.0)
    return limiter


@pytest.mark.parametrize(
    "headers",
    [
        {},
        limit_headers(SLOW_DOWN_BELOW, 60),
        limit_headers(1000, 60),
        limit_headers(0, 0),
        limit_headers(0, LONGEST_WAIT + 1),
        limit_headers(-1, 60),
        limit_headers(float("nan"), 60),
        limit_headers(0, float("inf")),
        {"ratelimit-remaining": "none", "ratelimit-reset": "60"},
        {"ratelimit-remaining": "0"},
        {"ratelimit-reset": "60"},
    ],
)
def test_nothing_waits_where_enough_is_left_or_the_server_sends_no_limit(headers: dict[str, str]) -> None:
    assert noted(headers).wait(100.0) == 0


def test_nothing_left_waits_until_the_limit_is_lifted() -> None:
    limiter = noted(limit_headers(0, 60))
    assert limiter.wait(100.0) == 60
    assert limiter.wait(130.0) == 30
    assert limiter.wait(160.0) == 0


def test_what_is_left_is_spread_over_the_time_until_the_limit_is_lifted() -> None:
    limiter = noted(limit_headers(5, 60))
    assert [limiter.wait(100.0) for _ in range(8)] == [0, 10, 20, 30, 40, 50, 60, 60]


def test_a_new_response_replaces_the_limit() -> None:
    limiter = noted(limit_headers(0, 60))
    limiter.note(limit_headers(900, 60), 101.0)
    assert limiter.wait(101.0) == 0


@given(st.floats(0, SLOW_DOWN_BELOW), st.floats(0, LONGEST_WAIT), st.lists(st.floats(0, 5), max_size=30))
def test_no_request_waits_longer_than_the_limit_lasts(left: float, reset: float, pauses: list[float]) -> None:
    limiter, now = noted(limit_headers(left, reset)), 100.0
    for pause in pauses:
        now += pause
        assert 0 <= limiter.wait(now) <= max(0.0, 100.0 + reset - now) + 1e-6
