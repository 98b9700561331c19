"""Waiting for a run to end, with a clock in the test's hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.unit.resources.answers import in_project
from tests.unit.transport.stepping import answered, ended, returned, served

from runql.errors import ProjectNotFoundError, RunNotFoundError, RunStillActiveError, ServerFailureError
from runql.paths import RunAddress
from runql.resources.records.run_fields import read_state
from runql.resources.runs.state import POLL_SECONDS, is_active, wait_until_ended
from runql.transport.flow import Effect, Flow, Send, Sleep
from runql.transport.wire import Response
from runql_graphql.operations import get_run_state

RUN = RunAddress("e", "p", "r")
ASKED = Send(get_run_state(entity="e", project="p", run="r"))


class Clock:
    """Time that only passes when a flow sleeps, or a request takes some."""

    def __init__(self, request_seconds: float = 0.0) -> None:
        self.now = 1000.0
        self.request_seconds = request_seconds
        self.slept: list[float] = []
        self.asked = 0

    def answer(self, states: list[str]) -> Any:  # Any: the reply of a driver
        def reply(effect: Effect) -> Response | None:
            if isinstance(effect, Sleep):
                assert effect.seconds > 0
                self.slept.append(effect.seconds)
                self.now += effect.seconds
                return None
            assert effect == ASKED
            self.now += self.request_seconds
            self.asked += 1
            return in_project(run={"state": states.pop(0) if len(states) > 1 else states[0]})

        return reply

    def wait(self, timeout: float | None) -> Flow[str]:
        return wait_until_ended(RUN, timeout=timeout, now=lambda: self.now)


@pytest.mark.parametrize(
    "state", ["finished", "crashed", "failed", "killed", "preempted", "Finished", "archived", "", "not found"]
)
def test_every_other_state_ends_the_waiting(state: str) -> None:
    assert not is_active(state)
    clock = Clock()
    assert served(clock.wait(None), clock.answer([state])) == (state or "not found")
    assert (clock.asked, clock.slept) == (1, [])


@pytest.mark.parametrize("state", ["running", "pending", "preempting", "Running", "PENDING"])
def test_an_active_state_is_asked_for_again_every_five_seconds(state: str) -> None:
    assert is_active(state)
    clock = Clock()
    assert served(clock.wait(None), clock.answer([state, state, state, "finished"])) == "finished"
    assert clock.slept == [POLL_SECONDS] * 3
    assert clock.asked == 4


def test_a_state_that_is_not_told_may_still_log() -> None:
    assert is_active(None)


def test_a_state_that_is_not_told_does_not_leave_the_waiter_waiting() -> None:
    flow = read_state(RUN)
    assert next(flow) == ASKED
    assert ended(flow, in_project(run={"state": None})) == "not found"


@pytest.mark.parametrize(
    ("timeout", "slept"), [(12, [5, 5, 2]), (10, [5, 5]), (5, [5]), (3, [3]), (0.5, [0.5]), (0, [])]
)
def test_a_timeout_is_kept_to_the_second(timeout: float, slept: list[float]) -> None:
    clock = Clock()
    with pytest.raises(RunStillActiveError, match=f"e/p/r is still running after {timeout:g} s"):
        served(clock.wait(timeout), clock.answer(["running"]))
    assert clock.slept == slept
    assert clock.asked == len(slept) + 1


def test_a_run_that_ends_with_the_last_question_has_ended() -> None:
    clock = Clock()
    assert served(clock.wait(5), clock.answer(["running", "finished"])) == "finished"


def test_the_time_that_requests_take_counts() -> None:
    clock = Clock(request_seconds=4)
    with pytest.raises(RunStillActiveError):
        served(clock.wait(10), clock.answer(["running"]))
    assert clock.slept == [5]  # 4 + 5 + 4 are more than 10


def test_an_endless_timeout_is_no_timeout() -> None:
    clock = Clock()
    assert served(clock.wait(math.inf), clock.answer(["running", "finished"])) == "finished"


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan, -math.inf])
def test_a_timeout_that_is_none_is_refused_before_anything_is_sent(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be"):
        returned(wait_until_ended(RUN, timeout=timeout))


@pytest.mark.parametrize(
    ("data", "error"),
    [({"project": None}, ProjectNotFoundError), ({"project": {"run": None}}, RunNotFoundError)],
)
def test_what_is_absent_is_told_apart(data: object, error: type[Exception]) -> None:
    flow = wait_until_ended(RUN, timeout=None)
    next(flow)
    with pytest.raises(error, match="e/p"):
        flow.send(answered(data))


def test_a_failure_while_waiting_is_raised() -> None:
    clock = Clock()
    flow = clock.wait(None)
    next(flow)
    with pytest.raises(ServerFailureError):
        flow.send(Response(503, b""))
