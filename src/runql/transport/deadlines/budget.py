"""The retry budget of a call: how long all its requests together may wait between attempts."""

from __future__ import annotations

import threading
from typing import Final

REFUND: Final = 0.2
"""Seconds that a successful request gives back: with a server that fails one request in five, a call never runs out."""

_NOTHING: Final = 1e-9
"""Less than any wait: what rounding leaves."""


class RetryBudget:
    """Seconds that a call may spend on waits between attempts; the same for all its threads or tasks.

    Waits at the same time count once. Successful requests refill the budget, at most to what it began with. So a call
    of a thousand requests survives a server that is flaky, and one whose requests all fail gives up after the waits of
    one request.
    """

    __slots__ = ("_guard", "_left", "_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds
        self._until = float("-inf")
        self._guard = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 when the last wait was longer than what was left."""
        return self._left

    def spend(self, now: float, wait: float, lost: float = 0.0) -> bool:
        """Take a wait out of the budget; False, and nothing is taken, when the budget is used up.

        Args:
            now: seconds of a steady clock.
            wait: seconds from now on.
            lost: seconds up to now that were waits, too: for a response that did not come.
        """
        if wait + lost <= 0:
            return True
        with self._guard:
            if self._left <= _NOTHING:
                return False
            self._left -= max(0.0, now + wait - max(now - lost, self._until))
            self._until = max(self._until, now + wait)
            return True

    def refill(self) -> None:
        """Note a request that succeeded."""
        with self._guard:
            self._left = min(self._left + REFUND, self._seconds)
