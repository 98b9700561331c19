"""Waiting in tests: for an event, on a machine of any speed. `PATIENCE` ends a hang, and decides no test."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from httpx._config import DEFAULT_TIMEOUT_CONFIG

PATIENCE = 600.0
"""Seconds: more than any event needs at a load of 20, less than pytest's `faulthandler_timeout`."""

ENVIRONMENT = {
    "WANDB_HTTP_TIMEOUT": f"{PATIENCE:.0f}",
    "WANDB_INIT_TIMEOUT": f"{PATIENCE:.0f}",
    "WANDB__SERVICE_WAIT": f"{PATIENCE:.0f}",
}
"""Variables with long timeouts for runql and the official SDK, for environments that a test builds."""


def until(has_happened: Callable[[], bool]) -> None:
    """Wait for an event of another process or thread by polling."""
    hung_at = time.monotonic() + PATIENCE
    while not has_happened():
        assert time.monotonic() < hung_at, "it does not happen"
        time.sleep(0.005)


def be_patient() -> None:
    """Raise the default timeouts of runql, the official SDK and httpx to `PATIENCE`.

    Timeouts that a test passes are unchanged. httpx's default of five seconds is too short for a busy machine. Tests
    of timeouts are not affected, because runql passes a timeout with every request.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    vars(DEFAULT_TIMEOUT_CONFIG).update(dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE))
