"""The states of a run: which of them may still change, and waiting until one does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from runql.arguments import shown
from runql.errors import RunStillActiveError
from runql.paths import RunAddress
from runql.resources.records.run_fields import read_state
from runql.transport.flow import Flow, sleep

# Every other state ends a run: finished, crashed, failed, killed, preempted, and any that a newer server adds.
ACTIVE_STATES = frozenset({"running", "pending", "preempting"})
POLL_SECONDS = 5.0


def is_active(state: str | None) -> bool:
    """Whether a run in this state may still log; a run whose state the server does not return may."""
    return state is None or state.lower() in ACTIVE_STATES


def wait_until_ended(
    run: RunAddress, *, timeout: float | None, now: Callable[[], float] = time.monotonic
) -> Flow[str]:
    """Poll the state every five seconds until it is terminal, and return it; one request a poll.

    Raises:
        RunStillActiveError: ``timeout`` seconds have passed.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(
            f"timeout must be None or a number of seconds that is not negative, not {shown(timeout)}"
        )
    started = now()
    while True:
        state = yield from read_state(run)
        if not is_active(state):
            return state
        left = None if timeout is None else timeout - (now() - started)
        if left is not None and left <= 0:
            raise RunStillActiveError(
                f"run {run.entity}/{run.project}/{run.run_id} is still {state} after {timeout:g} s"
            )
        yield from sleep(POLL_SECONDS if left is None else min(POLL_SECONDS, left))
