"""The retry budget of a call: flaky servers never exhaust it, and one that fails for ever does so soon."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest
from tests.unit.transport.patient_driver import PatientDriver
from tests.unit.transport.stepping import answered

from runql.errors import ConnectionFailedError, RateLimitedError, RequestTimedOutError, ServerFailureError
from runql.transport.deadlines.budget import REFUND, RetryBudget
from runql.transport.flow import Flow, download, fetch, gather
from runql.transport.retry import RetryPolicy
from runql.transport.wire import Response
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
FOUND = answered({"project": {"run": {"state": "finished"}}})
BUSY = Response(503, b"busy")


def test_waits_use_it_up_and_successes_refill_it() -> None:
    budget = RetryBudget(10)
    assert budget.spend(now=0, wait=7)
    assert budget.left == 3
    assert budget.spend(now=7, wait=5)
    assert budget.left == -2
    assert not budget.spend(now=12, wait=1)
    for _ in range(11):
        budget.refill()
    assert budget.left == pytest.approx(0.2)
    assert budget.spend(now=12, wait=1)
    for _ in range(1000):
        budget.refill()
    assert budget.left == 10


def test_waits_at_the_same_time_count_once() -> None:
    budget = RetryBudget(10)
    for _ in range(8):
        assert budget.spend(now=0, wait=2)
    assert budget.left == 8
    assert budget.spend(now=1, wait=2)
    assert budget.left == 7
    assert budget.spend(now=20, wait=2)
    assert budget.left == 5


def test_what_was_lost_by_a_timeout_counts() -> None:
    budget = RetryBudget(30)
    assert budget.spend(now=20, wait=1, lost=20)
    assert budget.left == 9


def test_a_policy_without_waits_needs_no_budget() -> None:
    budget = RetryPolicy(max_attempts=3, first_delay=0).new_budget()
    assert all(budget.spend(now, 0) for now in range(1000))


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        (RetryPolicy(), (0.5 + 1 + 2 + 4 + 8 + 15) * 1.25),
        (RetryPolicy(max_attempts=1), 0),
        (RetryPolicy(max_attempts=3, first_delay=1, jitter=0), 3),
        (RetryPolicy(max_attempts=10**9, max_delay=1, jitter=0), 90),
        (RetryPolicy(max_attempts=10**6, max_delay=1e300, total_seconds=1e9), 1e9),
        (RetryPolicy(call_seconds=500), 500),
    ],
)
def test_by_default_it_is_the_waits_of_one_request(policy: RetryPolicy, seconds: float) -> None:
    assert policy.new_budget().left == pytest.approx(seconds)


def test_threads_share_it() -> None:
    budget = RetryBudget(50)
    allowed: list[bool] = []

    def spend(first: int) -> None:
        allowed.extend(budget.spend(now=now, wait=1) for now in range(first, 200, 4))

    threads = [threading.Thread(target=spend, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 200
    assert budget.left >= -1


# -- whole calls, by a clock of the test ---------------------------------------------------------------------------


def reads(count: int) -> Flow[int]:
    """Send so many queries, and return how many failed."""
    failed = 0
    for _ in range(count):
        try:
            yield from fetch(STATE)
        except ServerFailureError:
            failed += 1
    return failed


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_flaky_server_never_exhausts_it(share: float) -> None:
    chance = random.Random(7)
    driver = PatientDriver(lambda _: BUSY if chance.random() < share else FOUND)
    assert driver.run(reads(5000)) == 0
    assert len(driver.sent) > 5000


def test_a_server_that_restarts_is_waited_for() -> None:
    driver = PatientDriver(lambda _: BUSY if 10 < driver.now < 35 else FOUND)
    assert driver.run(reads(1000)) == 0


def test_one_that_fails_for_ever_costs_the_waits_of_one_request() -> None:
    driver = PatientDriver(lambda _: BUSY)
    assert driver.run(reads(200)) == 200
    assert driver.now < 45 + 200 * driver.took
    assert len(driver.sent) < 220


def test_a_part_that_fails_for_ever_costs_little_more() -> None:
    failing: list[int] = []
    driver = PatientDriver(lambda _: BUSY if failing[-1] % 2 == 0 else FOUND)

    def mixed() -> Flow[None]:
        for number in range(200):
            failing.append(number)
            with contextlib.suppress(ServerFailureError):
                yield from fetch(STATE)

    driver.run(mixed())
    assert driver.now < 45 + 100 * (REFUND + 4)


def test_waits_that_the_server_asks_for_do_not_count() -> None:
    turn = iter(range(10**6))
    limited = Response(429, b"", {"retry-after": "10"})
    driver = PatientDriver(lambda _: limited if next(turn) % 2 == 0 else FOUND)
    assert driver.run(reads(50)) == 0
    assert driver.now > 500


def test_a_server_that_only_limits_is_given_up_after_the_time_of_a_request() -> None:
    driver = PatientDriver(lambda _: Response(429, b"", {"retry-after": "10"}))
    with pytest.raises(RateLimitedError) as caught:
        driver.run(fetch(STATE))
    assert caught.value.attempts == 7
    assert 60 < caught.value.waited < caught.value.seconds < 90


def test_a_server_that_hangs_gets_few_attempts() -> None:
    driver = PatientDriver(lambda _: RequestTimedOutError("late"))
    with pytest.raises(RequestTimedOutError, match=r"after 3 attempts in 61\.7 s, 1\.69 s of them waiting"):
        driver.run(fetch(STATE))
    assert driver.now < 62
    with pytest.raises(RequestTimedOutError):
        PatientDriver(lambda _: RequestTimedOutError("late"), policy=RetryPolicy(max_attempts=1)).run(
            fetch(STATE)
        )


def test_a_download_that_is_limited_to_two_attempts_gets_two() -> None:
    driver = PatientDriver(lambda _: BUSY)
    with pytest.raises(ServerFailureError) as caught:
        driver.run(download("http://api/file.parquet", most_attempts=2))
    assert caught.value.attempts == len(driver.sent) == 2


def test_gathered_flows_share_it() -> None:
    driver = PatientDriver(lambda _: ConnectionFailedError("down"), timeout=0.1)

    def attempt() -> Flow[bool]:
        try:
            yield from fetch(STATE)
        except ConnectionFailedError:
            return False
        return True

    assert driver.run(gather([attempt() for _ in range(50)], limit=8)) == [False] * 50
    assert len(driver.sent) < 70
