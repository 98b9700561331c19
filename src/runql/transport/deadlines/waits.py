"""Waits of the synchronous driver that Ctrl-C ends on every system."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from threading import Event
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from concurrent.futures import Future

SLICE: Final[float | None] = None if os.name == "posix" else 0.2
"""Seconds. Windows raises no KeyboardInterrupt within a wait for a lock, so that there a long one is many short ones."""


def wait_for_all(futures: Collection[Future[None]]) -> None:
    """Wait until all of them are done, whether or not they failed."""
    from concurrent.futures import wait  # noqa: PLC0415 - most calls need no threads

    while wait(futures, timeout=SLICE).not_done:
        pass


def wait_for(event: Event, seconds: float | None) -> bool:
    """Wait for an event, at most so long; say whether it has come."""
    if SLICE is None:
        return event.wait(seconds)
    ends = None if seconds is None else time.monotonic() + seconds
    while not event.wait(SLICE if ends is None else max(min(SLICE, ends - time.monotonic()), 0)):
        if ends is not None and time.monotonic() >= ends:
            return False
    return True
