"""How many flows of one call run at once: more while that is faster, fewer when threads wait for each other or the server objects."""

from __future__ import annotations

from typing import Final

AT_FIRST: Final = 8
"""Flows at the same time until their rate is known."""

GROWTH: Final = 1.5
"""Each time so many times as many flows run at once."""

GAIN: Final = 1.15
"""So many times the rate, at least, shows that more flows at once are of use."""

ROUNDS_BETWEEN: Final = 8
"""Rounds until another number is tried again after one was of no use: the network may have changed."""

SATURATED: Final = 0.9
"""Seconds of CPU a second from which threads wait for each other more than for the network: Python runs one at a time."""

SCOUTS: Final = 2
"""Threads that begin alone, where each may keep the others from computing."""

SCOUTING: Final = 0.005
"""Seconds after which the others begin, too, if nothing has ended and the process waits for the network."""

SCOUTING_TIMES: Final = 10
"""After so many times `SCOUTING` they begin in any case."""

LEAST_OF_ROUND: Final = 8
"""Ends of a round, at least: fewer say little about a rate."""


class Concurrency:
    """The number of flows at the same time, as the rate of their ends and the time of their CPU show.

    A round lasts for as many ends as flows run at once, or `LEAST_OF_ROUND`. If it was faster than the last one, the next
    has more flows; if more flows were of no use, their number returns to what it was. Where the flows saturate the CPU,
    the next round has half as many, unless that was slower. An objection of the server halves it.

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
        self._computed = 0.0
        self._objections = objections
        self._last: tuple[int, float] | None = None
        self._rounds_left = 0
        self._is_scouting = True
        self._is_starting = False

    def none_has_ended(self, now: float) -> int:
        """Return how many workers to add because the first flows wait for the network; 0 where one has ended after all."""
        more = min(AT_FIRST, self._most) - self.limit
        if not self._is_scouting or more <= 0:
            return 0
        self.limit += more
        self._running = self.limit
        self._is_starting = True
        self._begin_round(now)
        return more

    def ended(self, now: float, objections: int, computed: float = 0.0) -> int:
        """Note that a flow has ended; return how many workers to add, or -1 where this worker is one too many.

        Args:
            now: seconds of a steady clock.
            objections: as in the constructor.
            computed: seconds of CPU that the flow took in a thread of its own; 0 in an event loop, where no thread waits.
        """
        self._is_scouting = False
        self._ended += 1
        self._computed += computed
        if objections > self._objections:
            self._settle(max(1, self.limit // 2))
        elif self._running == self.limit and self._ended >= max(self.limit, LEAST_OF_ROUND):
            self._end_round(now)
        self._objections = objections
        change = max(self.limit - self._running, -1)
        self._running += change
        if change:
            # Only flows that ran beside as many others tell how fast so many are.
            self._begin_round(now)
        return change

    def _end_round(self, now: float) -> None:
        seconds = max(now - self._began, 1e-6)
        rate = self._ended / seconds
        # Connections, and what a process does once, take CPU and time of this round. Fewer flows would seem no slower.
        is_saturated = not self._is_starting and self._computed >= SATURATED * seconds
        self._is_starting = False
        if self._rounds_left:
            self._rounds_left -= 1
        elif self._last is not None and not self._is_better(rate, *self._last):
            self._settle(self._last[0])
        elif self._has_shrunk or (is_saturated and not self._has_grown):
            if is_saturated and self.limit > 1:
                self._try(self.limit // 2, rate)
            else:
                self._settle(self.limit)
        elif self.limit < self._most:
            more = int(self.limit * GROWTH) + 1
            # The rest of the way would be too short to show a gain.
            self._try(self._most if more * GAIN >= self._most else more, rate)
        self._begin_round(now)

    @property
    def _has_grown(self) -> bool:
        return self._last is not None and self._last[0] < self.limit

    @property
    def _has_shrunk(self) -> bool:
        return self._last is not None and self._last[0] > self.limit

    def _is_better(self, rate: float, last_limit: int, last_rate: float) -> bool:
        """Whether the last change was of use: more flows were faster, or fewer were about as fast."""
        return rate >= (GAIN * last_rate if last_limit < self.limit else last_rate / GAIN)

    def _try(self, limit: int, rate: float) -> None:
        self._last = self.limit, rate
        self.limit = limit

    def _settle(self, limit: int) -> None:
        self.limit, self._last, self._rounds_left = limit, None, ROUNDS_BETWEEN

    def _begin_round(self, now: float) -> None:
        self._began, self._ended, self._computed = now, 0, 0.0
