"""When requests wait: by the limits that a server announces, and after it refused some; simulated thread by thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import httpx
import pytest
from tests.contract.untyped import Untyped
from tests.patience import PATIENCE, until
from tests.unit.transport.driving import BASE_URL, settings
from tests.unit.transport.rate_simulation import (
    AtOnce,
    FixedWindows,
    LimitingServer,
    Said,
    Simulation,
    TokenBucket,
    limit_headers,
)

from runql.errors import DeadlineExceededError
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import fetch
from runql.transport.pacing.congestion import AT_FIRST, FORGOTTEN, RECOVERY, SHORTEST_WINDOW, Congestion
from runql.transport.pacing.limiter import Place, RateLimiter, Turn
from runql.transport.pacing.quota import LONGEST_WAIT, SLOW_DOWN_BELOW, Quota
from runql.transport.retry import RetryPolicy
from runql.transport.sync import RetryingClient
from runql.transport.wire import Response
from runql_graphql.operations import get_run_state

SECONDS = 30.0
STATE = get_run_state(entity="e", project="p", run="r")
FOUND = {"data": {"project": {"name": "p", "entityName": "e", "run": {"name": "r", "state": "finished"}}}}
announcing = pytest.mark.parametrize(
    "server",
    [
        partial(FixedWindows, 10, 1, "limits"),
        partial(FixedWindows, 10, 1, "limits", phase=0.0),
        partial(FixedWindows, 10, 1, "limits", phase=0.95),
        partial(FixedWindows, 100, 10, "limits"),
        partial(TokenBucket, 10, 10, "limits"),
    ],
)
silent = pytest.mark.parametrize("phase", [0.0, 0.3, 0.8])


# -- simulations ----------------------------------------------------------------------------------------------------


@announcing
@pytest.mark.parametrize("latency", [0.002, 0.02])
def test_a_server_that_announces_its_limit_refuses_nothing_and_is_used(
    server: Callable[[], LimitingServer], latency: float
) -> None:
    simulation = Simulation(server(), 8, latency)
    simulation.run(SECONDS)
    assert simulation.refused == []
    assert len(simulation.allowed) >= 0.9 * 10 * SECONDS


@pytest.mark.parametrize("threads", [64, 1000])
def test_many_threads_are_limited_as_well(threads: int) -> None:
    simulation = Simulation(FixedWindows(10, 1, "limits"), threads, 0.02)
    simulation.run(SECONDS)
    assert simulation.refused == []
    assert len(simulation.allowed) >= 0.9 * 10 * SECONDS
    # Each asks about once a second while it waits.
    assert simulation.asked < 2 * threads * SECONDS


@silent
@pytest.mark.parametrize("said", ["waits", "whole waits"])
@pytest.mark.parametrize("latency", [0.002, 0.02])
@pytest.mark.parametrize("work", [0.0, 0.01, 0.1])
def test_a_server_that_only_says_how_long_to_wait_refuses_few(
    said: Said, phase: float, latency: float, work: float
) -> None:
    simulation = Simulation(FixedWindows(10, 1, said, phase), 8, latency, work)
    simulation.run(SECONDS)
    assert len(simulation.refused) <= 8
    assert len(simulation.allowed) >= 0.9 * 10 * SECONDS


@pytest.mark.parametrize("said", ["waits", "whole waits", "nothing"])
def test_a_bucket_refuses_few(said: Said) -> None:
    simulation = Simulation(TokenBucket(10, 10, said), 8)
    simulation.run(SECONDS)
    assert len(simulation.refused) <= 8
    assert len(simulation.allowed) >= 0.9 * 10 * SECONDS


def test_refusals_stay_few_for_long() -> None:
    simulation = Simulation(FixedWindows(10, 1, "waits"), 8)
    simulation.run(600)
    assert len(simulation.refused) <= 8 + 600 / RECOVERY * 2
    assert len(simulation.allowed) >= 0.9 * 10 * 600


def test_the_rate_grows_back_when_the_server_allows_more() -> None:
    server = FixedWindows(10, 1, "waits")
    simulation = Simulation(server, 8, 0.002)
    simulation.run(30)
    server.limit = 10**6
    simulation.run(30 + FORGOTTEN + 10)
    recent = [then for then in simulation.allowed if then > 30 + FORGOTTEN]
    assert len(recent) > 1000 * 10


def test_a_server_that_limits_requests_at_the_same_time_is_asked_for_fewer() -> None:
    simulation = Simulation(AtOnce(4, 0.05), 32, 0.05)
    simulation.run(20)
    assert len(simulation.refused) < 100
    assert len(simulation.allowed) > 60


def test_the_first_requests_are_not_sent_all_at_once() -> None:
    limiter = RateLimiter()
    turns = [limiter.begin(0.0) for _ in range(AT_FIRST + 3)]
    started = [turn for turn in turns if isinstance(turn, Turn)]
    assert len(started) == AT_FIRST
    for turn in started:
        limiter.end(turn, 0.1, Response(200, b"{}"))
    places = [turn for turn in turns if isinstance(turn, Place)]
    assert all(isinstance(limiter.begin(0.2, place), Turn) for place in places)


# -- the quota -------------------------------------------------------------------------------------------------------


def noted(headers: Mapping[str, str]) -> Quota:
    quota = Quota()
    quota.note(headers, quota.start(100.0), 100.0)
    return quota


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
    quota = noted(limit_headers(0, 60))
    assert quota.wait(100.0) == 60
    assert quota.wait(130.0) == 30
    assert quota.wait(160.0) == 0


def test_what_is_left_is_spread_over_the_time_until_the_limit_is_lifted() -> None:
    quota, now, starts = noted(limit_headers(5, 60)), 100.0, list[float]()
    for _ in range(6):
        now += quota.wait(now)
        starts.append(now)
        quota.start(now)
    assert starts == sorted(starts)
    assert len(set(starts)) == 6
    # The fifth starts well before the end, the sixth in the next window.
    assert 130 < starts[4] < 155
    assert starts[5] == 160


def test_requests_that_a_response_does_not_count_are_subtracted() -> None:
    quota = Quota()
    first = quota.start(100.0)
    for _ in range(3):
        quota.start(100.0)
    quota.note(limit_headers(3, 60), first, 100.0)
    assert quota.wait(100.0) == 60


def test_a_response_of_an_earlier_window_changes_nothing() -> None:
    quota = noted(limit_headers(0, 60))
    quota.note(limit_headers(900, 1), 1, 101.0)
    assert quota.wait(101.0) == 59


def test_a_new_window_replaces_the_old_one() -> None:
    quota = noted(limit_headers(0, 60))
    quota.note(limit_headers(900, 60), 1, 101.0)
    assert quota.wait(101.0) == 0


# -- refusals --------------------------------------------------------------------------------------------------------


def test_after_a_refusal_every_request_waits() -> None:
    congestion = Congestion()
    congestion.refuse(10.0, 5.0, started=9.9, at_once=8)
    assert congestion.wait(10.0, at_once=0) == 5
    assert congestion.wait(14.0, at_once=0) == 1
    assert congestion.wait(15.0, at_once=0) == 0


def test_refusals_of_requests_that_were_sent_before_shrink_nothing_more() -> None:
    congestion = Congestion()
    for _ in range(8):
        congestion.refuse(10.0, 5.0, started=9.9, at_once=8)
    assert congestion.wait(15.0, at_once=3) == 0
    assert congestion.wait(15.0, at_once=4) > 0
    congestion.refuse(15.1, 5.0, started=15.0, at_once=4)
    assert congestion.wait(21.0, at_once=2) > 0


def test_successes_let_more_requests_run_at_the_same_time() -> None:
    congestion = Congestion()
    congestion.refuse(10.0, 1.0, started=9.9, at_once=4)
    assert congestion.wait(11.0, at_once=2) > 0
    for _ in range(3):
        congestion.succeed(11.0, started=11.0)
    assert congestion.wait(11.0, at_once=2) == 0


def test_slow_responses_after_the_wait_count_when_the_server_allowed_them() -> None:
    congestion = Congestion()
    for place in range(10):
        congestion.succeed(9.0 + place / 10, started=8.9)
    congestion.refuse(10.0, 1.001, started=9.95, at_once=8)
    for _ in range(8):
        congestion.succeed(11.5, started=9.9)
    # 18 requests in the two seconds up to the end of the wait: 9 a second, of which nine tenths are used.
    assert congestion.gap(11.001) == pytest.approx(1 / (9 * 0.9), rel=0.01)


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "0"}])
def test_a_refusal_without_a_time_waits_a_little(headers: dict[str, str]) -> None:
    limiter = RateLimiter()
    turn = limiter.begin(0.0)
    assert isinstance(turn, Turn)
    limiter.end(turn, 0.1, Response(429, b"", headers))
    assert isinstance(limiter.begin(0.1), Place)


@pytest.mark.parametrize("wait", [0.05, 1, 20])
def test_refusals_for_ever_hold_a_request_back_no_longer_than_the_server_asks(wait: float) -> None:
    limiter, now, longest = RateLimiter(), 0.0, 0.0
    for _ in range(200):
        turn, asked = limiter.begin(now), now
        while isinstance(turn, Place):
            now += turn.seconds
            turn = limiter.begin(now, turn)
        longest = max(longest, now - asked)
        now += 0.01
        limiter.end(turn, now, Response(429, b"", {"retry-after": str(wait)}))
    assert wait <= longest <= 2.1 * max(wait, SHORTEST_WINDOW)


@pytest.mark.parametrize("wait", [0.05, 1, 20, 60, LONGEST_WAIT])
def test_nobody_asks_again_before_the_wait_of_the_server_is_over(wait: float) -> None:
    limiter = RateLimiter()
    turn = limiter.begin(0.0)
    assert isinstance(turn, Turn)
    limiter.end(turn, 0.1, Response(429, b"", {"retry-after": str(wait)}))
    for _ in range(200):
        place = limiter.begin(0.1)
        assert isinstance(place, Place)
        assert place.seconds >= wait - 1e-9


@pytest.mark.parametrize("wait", [LONGEST_WAIT + 1, math.inf])
def test_a_wait_that_is_too_long_reaches_the_caller_and_holds_nobody_back(wait: float) -> None:
    limiter = RateLimiter()
    turn = limiter.begin(0.0)
    assert isinstance(turn, Turn)
    limiter.end(turn, 0.1, Response(429, b"", {"retry-after": str(wait)}))
    assert isinstance(limiter.begin(0.1), Turn)


def test_a_request_that_leaves_holds_nobody_back() -> None:
    limiter = RateLimiter()
    turn = limiter.begin(0.0)
    assert isinstance(turn, Turn)
    limiter.end(turn, 0.1, Response(429, b"", {"retry-after": "1"}))
    first, second = limiter.begin(0.2), limiter.begin(0.2)
    assert isinstance(first, Place)
    assert isinstance(second, Place)
    assert first.seconds < second.seconds
    limiter.leave()
    assert isinstance(limiter.begin(1.2, second), Turn)


def test_a_failed_request_ends_too() -> None:
    limiter = RateLimiter()
    for _ in range(10 * AT_FIRST):
        turn = limiter.begin(0.0)
        assert isinstance(turn, Turn)
        limiter.end(turn, 0.1, None)


def test_a_forked_child_forgets_the_requests_of_the_parent() -> None:
    limiter = RateLimiter()
    for _ in range(AT_FIRST):
        limiter.begin(0.0)
    limiter.begin(0.0)
    limiter.disown()
    assert isinstance(limiter.begin(0.0), Turn)


# -- both drivers ----------------------------------------------------------------------------------------------------


class Refusing:
    """Refuses the first request, and notes when the others come.

    Attributes:
        refused: when the first request came.
        times: when the others came.
    """

    WAIT = 0.3

    def __init__(self) -> None:
        self.refused = 0.0
        self.times: list[float] = []
        self._guard = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._guard:
            if not self.refused:
                self.refused = time.monotonic()
                return httpx.Response(429, headers={"retry-after": str(self.WAIT)}, request=request)
            self.times.append(time.monotonic())
            return httpx.Response(200, json=FOUND, request=request)

    def assert_waited(self, requests: int) -> None:
        assert len(self.times) == requests
        assert all(then >= self.refused + self.WAIT for then in self.times)


def is_held_back(client: Untyped) -> bool:
    limiter: RateLimiter = client._rate_limiter
    turn = limiter.begin(time.monotonic())
    if isinstance(turn, Turn):
        limiter.end(turn, time.monotonic(), None)
        return False
    limiter.leave()
    return True


def test_after_a_refusal_all_threads_wait() -> None:
    answer = Refusing()
    with (
        RetryingClient(settings(BASE_URL), transport=httpx.MockTransport(answer)) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        first = threads.submit(lambda: client.run(fetch(STATE)))
        until(lambda: bool(answer.refused) and (is_held_back(client) or bool(answer.times)))
        others = [threads.submit(lambda: client.run(fetch(STATE))) for _ in range(7)]
        for each in (first, *others):
            each.result(PATIENCE)
    answer.assert_waited(8)


def test_after_a_refusal_all_tasks_wait() -> None:
    answer = Refusing()

    async def main() -> None:
        transport = httpx.MockTransport(answer)
        async with (
            AsyncRetryingClient(settings(BASE_URL), transport=transport) as client,
            anyio.create_task_group() as group,
        ):

            async def read() -> None:
                await client.run(fetch(STATE))

            group.start_soon(read)
            while not answer.refused:
                await anyio.lowlevel.checkpoint()
            for _ in range(7):
                group.start_soon(read)

    anyio.run(main)
    answer.assert_waited(8)


def test_a_wait_for_the_limit_that_is_too_long_for_the_deadline_is_refused_at_once() -> None:
    answer = httpx.Response(200, json=FOUND, headers=limit_headers(0, 60))
    client = RetryingClient(
        settings(BASE_URL),
        retry=RetryPolicy(max_attempts=1),
        deadline=30,
        transport=httpx.MockTransport(lambda _: answer),
    )
    with client:
        client.run(fetch(STATE))
        with pytest.raises(DeadlineExceededError, match="as the server limits their rate") as caught:
            client.run(fetch(STATE))
        assert not caught.value.sent
        assert client.traffic.requests == 1
