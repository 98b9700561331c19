"""Reads that several flows need at the same time: one flow reads, the others wait for it."""

# A flow that finds a running read yields `Join` (see `flow.share_read`), so one code serves both drivers: the synchronous
# one blocks its thread, the asynchronous one suspends its task. The reading flow begins and ends the flight itself, so
# the flight also ends when the flow fails, is cancelled or is interrupted.

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from runql.errors import RunqlError

# One lock for all flights: it is held for a few instructions.
_guard = threading.Lock()
if sys.platform != "win32":
    # A forked child must not inherit the lock from a thread that the child does not have.
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release)


class Flight:
    """One running read.

    Attributes:
        error: why it failed; None while it runs, when it succeeded and when it was cancelled.
        thread: the thread that began it.
    """

    __slots__ = ("_has_ended", "_process", "_wakers", "error", "thread")

    def __init__(self) -> None:
        self.error: RunqlError | None = None
        self.thread: int = threading.get_ident()
        self._process = os.getpid()
        self._has_ended = False
        self._wakers: list[Callable[[], None]] = []

    def when_ended(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when the read has ended, at once if it has ended already."""
        with _guard:
            if not self._has_ended:
                self._wakers.append(wake)
                return
        wake()

    def is_running(self) -> bool:
        """Whether a flow of this process is still reading."""
        return not self._has_ended and self._process == os.getpid()

    def end(self) -> None:
        """End the read, and wake the flows that wait for it."""
        with _guard:
            self._has_ended = True
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()


class SingleFlight:
    """Allows one read of some data at a time."""

    __slots__ = ("_current",)

    def __init__(self) -> None:
        self._current: Flight | None = None

    def begin(self, mine: Flight) -> Flight:
        """Return the running read, which is ``mine`` when there was no other."""
        with _guard:
            if self._current is None or not self._current.is_running():
                self._current = mine
            return self._current
