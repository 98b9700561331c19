"""Calls: their deadline by a clock of the test, and which requests count as one call."""

from __future__ import annotations

import contextvars
import math
import threading

import anyio
import httpx
import pytest
from tests.unit.transport.driving import BASE_URL, Face, settings

from runql.config import checked_deadline
from runql.errors import ConfigurationError, ConnectionFailedError, DeadlineExceededError
from runql.transport.aio import AsyncRetryingClient
from runql.transport.deadlines.call import Call, one_call
from runql.transport.flow import Flow, Sleep, gather, sleep
from runql.transport.retry import RetryPolicy, send_with_retries
from runql.transport.sync import RetryingClient
from runql.transport.wire import Failure, Request, Response

QUERY = Request("GetRun", "http://api/graphql", b"{}")
POLICY = RetryPolicy(max_attempts=5, first_delay=2, jitter=0)


class Clock:
    """Shows the seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_deadline_nothing_is_bounded(clock: Clock) -> None:
    call = Call(None, clock)
    clock.now += 1e9
    assert (call.remaining, call.is_over, call.bound(5), call.bound(None)) == (None, False, 5, None)
    call.check("GetRun")
    call.check_wait(1e9, "GetRun")


def test_timeouts_shrink_to_what_is_left(clock: Clock) -> None:
    call = Call(10, clock)
    assert (call.bound(4), call.bound(None), call.remaining) == (4, 10, 10)
    clock.now += 7
    assert (call.bound(4), call.bound(None), call.remaining) == (3, 3, 3)
    clock.now += 3
    assert (call.bound(4), call.is_over) == (0, True)
    with pytest.raises(DeadlineExceededError, match="deadline of 10 s: it passed after 10 s") as caught:
        call.check("GetRun")
    assert (caught.value.operation, caught.value.sent) == ("GetRun", False)


def test_a_wait_that_would_end_after_the_deadline_is_refused_at_once(clock: Clock) -> None:
    call = Call(10, clock)
    call.check_wait(9.9, "GetRun")
    with pytest.raises(DeadlineExceededError, match="it would pass during a wait of 10 s after a refusal"):
        call.check_wait(10, "GetRun", "a refusal")


def test_chunks_are_passed_on_while_there_is_time(clock: Clock) -> None:
    chunks = Call(10, clock).checked(iter([b"a", b"b", b"c"]), "/file")
    assert next(chunks) == b"a"
    clock.now += 9
    assert next(chunks) == b"b"
    clock.now += 2
    with pytest.raises(DeadlineExceededError):
        next(chunks)


def test_no_attempt_is_waited_for_beyond_the_deadline(clock: Clock) -> None:
    tries = send_with_retries(QUERY, POLICY, Call(5, clock))
    next(tries)
    clock.now += 1
    assert tries.send(Response(503, b"", elapsed=1)) == 2
    clock.now += 2
    next(tries)
    with pytest.raises(DeadlineExceededError, match=r"during a wait of 4 s after status 503") as caught:
        tries.send(Response(503, b""))
    assert (caught.value.attempts, caught.value.sent, caught.value.__cause__) == (2, True, None)


@pytest.mark.parametrize("sent", [True, False])
def test_the_last_failure_is_the_cause(clock: Clock, *, sent: bool) -> None:
    tries = send_with_retries(QUERY, POLICY, Call(1, clock))
    next(tries)
    failure = ConnectionFailedError("reset")
    with pytest.raises(DeadlineExceededError, match="after reset") as caught:
        tries.send(Failure(failure, sent=sent))
    assert caught.value.__cause__ is failure
    assert caught.value.sent is sent


def test_the_last_outcome_is_returned_when_no_wait_follows(clock: Clock) -> None:
    tries = send_with_retries(QUERY, POLICY, Call(1, clock))
    next(tries)
    with pytest.raises(StopIteration) as stop:
        tries.send(Response(404, b""))
    assert stop.value.value.status == 404


@pytest.mark.parametrize(("given", "read"), [(None, None), (math.inf, None), (3, 3.0), (10**400, None)])
def test_deadlines_that_are_read(given: float | None, read: float | None) -> None:
    assert checked_deadline(given) == read


@pytest.mark.parametrize("given", [0, -1, math.nan])
def test_deadlines_that_are_refused(given: float) -> None:
    with pytest.raises(ConfigurationError, match=r"the argument deadline is .*: give a positive number"):
        checked_deadline(given)


@pytest.mark.parametrize("given", ["5", True, [5]])
def test_deadlines_that_are_no_numbers(given: object) -> None:
    with pytest.raises(TypeError, match="deadline must be a number of seconds"):
        checked_deadline(given)


# -- which requests are one call ----------------------------------------------------------------------------------


def test_what_is_inside_another_block_is_the_same_call() -> None:
    owner, other = object(), object()
    with one_call(owner, Call) as outer:
        with one_call(owner, Call) as inner:
            assert inner is outer
        assert not outer.has_ended
        with one_call(other, Call) as foreign:
            assert foreign is not outer
            with one_call(owner, Call) as again:
                assert again is not foreign
    assert outer.has_ended
    with one_call(owner, Call) as later:
        assert later is not outer


def test_a_thread_that_outlives_a_call_is_not_bounded_by_it() -> None:
    owner = object()
    with one_call(owner, Call) as call:
        context = contextvars.copy_context()

    def later() -> bool:
        with one_call(owner, Call) as own:
            return own is not call

    assert context.run(later)


def test_a_call_ends_when_its_block_raises() -> None:
    call = Call()
    with pytest.raises(ValueError, match="boom"), one_call(object(), lambda: call):
        raise ValueError("boom")
    assert call.has_ended


faces = pytest.mark.parametrize("face", ["sync", "async"])


def performed(face: Face, flow: Flow[object], deadline: float | None) -> object:
    """Run a flow by one of the drivers."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is sent here")

    transport = httpx.MockTransport(refuse)
    if face == "sync":
        with RetryingClient(settings(BASE_URL), deadline=deadline, transport=transport) as client:
            return client.run(flow)

    async def run() -> object:
        async with AsyncRetryingClient(settings(BASE_URL), deadline=deadline, transport=transport) as client:
            return await client.run(flow)

    return anyio.run(run)


@faces
def test_flows_get_the_error_and_decide(face: Face) -> None:
    def flow() -> Flow[object]:
        try:
            yield Sleep(1e6)
        except DeadlineExceededError as error:
            return f"caught: {error.operation!r}"
        return "slept"

    assert performed(face, flow(), 60) == "caught: ''"


@faces
@pytest.mark.parametrize("limit", [1, 3])
def test_gathered_flows_share_the_deadline(face: Face, limit: int) -> None:
    refused: list[int] = []

    def flow(number: int) -> Flow[None]:
        try:
            yield from sleep(1e6)
        except DeadlineExceededError:
            refused.append(number)

    def all_flows() -> Flow[object]:
        return (yield from gather([flow(number) for number in range(3)], limit=limit))

    performed(face, all_flows(), 60)
    assert sorted(refused) == [0, 1, 2]


def test_a_nested_run_of_a_client_is_the_same_call() -> None:
    with RetryingClient(settings(BASE_URL), deadline=60) as client:
        with client.call() as outer, client.call() as inner:
            assert inner is outer
            found: list[bool] = []

            def in_thread() -> None:
                with client.call() as own:
                    found.append(own is outer)

            thread = threading.Thread(target=in_thread)
            thread.start()
            thread.join()
            assert found == [False]
        assert outer.deadline == 60
        with client.with_options(deadline=5).call() as call:
            assert call.deadline == 5
        with client.with_options(retries=1).call() as call:
            assert call.deadline == 60
        with client.with_options(deadline=math.inf).call() as call:
            assert call.deadline is None
