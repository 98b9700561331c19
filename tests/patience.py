"""How long tests wait: for the event, however slow the machine is. `PATIENCE` ends a hang, and decides no test."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from httpx._config import DEFAULT_TIMEOUT_CONFIG

PATIENCE = 600.0
"""Seconds. Longer than anything takes on a machine with a load of 20, shorter than pytest's `faulthandler_timeout`."""

ENVIRONMENT = {
    "WANDB_HTTP_TIMEOUT": f"{PATIENCE:.0f}",
    "WANDB_INIT_TIMEOUT": f"{PATIENCE:.0f}",
    "WANDB__SERVICE_WAIT": f"{PATIENCE:.0f}",
}
"""What makes runql and the official SDK patient, for environments that a test puts together itself."""


def until(has_happened: Callable[[], bool]) -> None:
    """Wait for an event of another process or thread that nothing announces."""
    hung_at = time.monotonic() + PATIENCE
    while not has_happened():
        assert time.monotonic() < hung_at, "it does not happen"
        time.sleep(0.005)


def be_patient() -> None:
    """Make runql, the official SDK and httpx wait for a response of a loopback server until it comes.

    Timeouts that a test passes itself count as before. httpx's own default of five seconds is shorter than a busy
    machine may need; runql passes a timeout with every request, so this is not what the tests of timeouts look at.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    vars(DEFAULT_TIMEOUT_CONFIG).update(dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE))
