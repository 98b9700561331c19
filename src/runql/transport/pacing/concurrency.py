"""How many flows of one call run at the same time: more while that makes them faster, fewer when the server objects."""

from __future__ import annotations

from typing import Final

AT_FIRST: Final = 8
"""Flows at the same time until their rate is known."""

GROWTH: Final = 1.5
"""Each time so many times as many flows run at once."""

GAIN: Final = 1.15
"""So many times the rate, at least, shows that more flows at once are of use."""

ROUNDS_BETWEEN: Final = 8
"""Rounds until more flows at once are tried again after they were of no use: the network may have changed."""


class Concurrency:
    """The number of flows at the same time, as the rate of their ends shows.

    A round lasts for as many ends as flows run at once. If it was faster than the last one, the next has more flows;
    if more flows were of no use, their number returns to what it was. An objection of the server halves it.

    Attributes:
        limit: flows that may run now, at least 1.
    """

    def __init__(self, most: int, now: float, objections: int = 0, at_first: int = AT_FIRST) -> None:
        """Start with a few flows.

        Args:
            most: flows at the same time at most.
            now: seconds of a steady clock.
            objections: how often a server has refused or failed since the client was made.
            at_first: flows at the same time until their rate is known.
        """
        self.limit: int = min(at_first, most)
        self._most = most
        self._running = self.limit
        self._began = now
        self._ended = 0
        self._objections = objections
        self._last: tuple[int, float] | None = None
        self._rounds_left = 0

    def ended(self, now: float, objections: int) -> int:
        """Note that a flow has ended; return how many workers to add, or -1 where this worker is one too many.

        Args:
            now: seconds of a steady clock.
            objections: as in the constructor.
        """
        self._ended += 1
        if objections > self._objections:
            self._shrink(now)
        elif self._ended >= self.limit:
            self._end_round(now)
        self._objections = objections
        if self._running > self.limit:
            self._running -= 1
            return -1
        added, self._running = self.limit - self._running, self.limit
        return added

    def _shrink(self, now: float) -> None:
        self.limit = max(1, self.limit // 2)
        self._last = None
        self._rounds_left = ROUNDS_BETWEEN
        self._begin_round(now)

    def _end_round(self, now: float) -> None:
        rate = self._ended / max(now - self._began, 1e-6)
        if self._rounds_left:
            self._rounds_left -= 1
            self._last = None
        elif self._last is not None and rate < GAIN * self._last[1]:
            self.limit, self._last, self._rounds_left = self._last[0], None, ROUNDS_BETWEEN
        elif self.limit < self._most:
            self._last = self.limit, rate
            self.limit = min(self._most, int(self.limit * GROWTH) + 1)
        self._begin_round(now)

    def _begin_round(self, now: float) -> None:
        self._began, self._ended = now, 0
