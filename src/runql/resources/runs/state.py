"""The states of a run: which of them may still change, and waiting until one does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from runql.arguments import shown
from runql.errors import RunStillActiveError
from runql.resources.records.run_fields import read_state
from runql.transport.flow import Flow, sleep

# Everything else ends a run: finished, crashed, failed, killed, preempted, and whatever a newer server may add.
ACTIVE_STATES = frozenset({"running", "pending", "preempting"})
POLL_SECONDS = 5.0


def is_active(state: str | None) -> bool:
    """Whether a run in this state may still log; a state that is not told may."""
    return state is None or state.lower() in ACTIVE_STATES


def wait_until_ended(
    entity: str,
    project: str,
    run: str,
    *,
    timeout: float | None,
    now: Callable[[], float] = time.monotonic,
) -> Flow[str]:
    """Ask for the state every five seconds until it is terminal, and return it; one request each time.

    Raises:
        RunStillActiveError: ``timeout`` seconds have passed.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(
            f"timeout must be a number of seconds that is not negative, or None, not {shown(timeout)}"
        )
    started = now()
    while True:
        state = yield from read_state(entity, project, run)
        if not is_active(state):
            return state
        left = None if timeout is None else timeout - (now() - started)
        if left is not None and left <= 0:
            raise RunStillActiveError(f"run {entity}/{project}/{run} is still {state} after {timeout:g} s")
        yield from sleep(POLL_SECONDS if left is None else min(POLL_SECONDS, left))
