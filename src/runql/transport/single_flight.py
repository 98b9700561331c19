"""Reads that several flows need at the same time: one of them fetches, the others wait for it."""

# A flow that finds a read under way yields `Join` (see `flow.single`), so it needs no lock of a certain kind: the
# synchronous driver blocks its thread, the asynchronous one suspends its task. The flow that fetches never waits for a
# driver to begin or end, which is why its end also comes when it fails, is cancelled or is interrupted.

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from runql.errors import RunqlError

# Held for a few instructions at a time, so that one serves all flights.
_guard = threading.Lock()
if sys.platform != "win32":
    # A child must not inherit it held by a thread that the child does not have.
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release)


class Flight:
    """One read under way.

    Attributes:
        error: why it failed; None while it is under way, when it succeeded and when it was cancelled.
        thread: where it was begun.
    """

    __slots__ = ("_has_ended", "_process", "_wakers", "error", "thread")

    def __init__(self) -> None:
        self.error: RunqlError | None = None
        self.thread = threading.get_ident()
        self._process = os.getpid()
        self._has_ended = False
        self._wakers: list[Callable[[], None]] = []

    def when_ended(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once the read is over, at once when it is already."""
        with _guard:
            if not self._has_ended:
                self._wakers.append(wake)
                return
        wake()

    def is_under_way(self) -> bool:
        """Whether somebody in this process still fetches."""
        return not self._has_ended and self._process == os.getpid()

    def end(self) -> None:
        """Wake those that wait."""
        with _guard:
            self._has_ended = True
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()


class SingleFlight:
    """Allows one read of something at a time."""

    __slots__ = ("_current",)

    def __init__(self) -> None:
        self._current: Flight | None = None

    def begin(self, mine: Flight) -> Flight:
        """Return the read that is under way, which is ``mine`` when there was no other."""
        with _guard:
            if self._current is None or not self._current.is_under_way():
                self._current = mine
            return self._current
