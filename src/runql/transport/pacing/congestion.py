"""How a client slows down after the server refused requests (429), and speeds up again."""

from __future__ import annotations

from collections import deque
from typing import Final

from runql.quick_dataclasses import dataclass

FIRST_SHARE: Final = 0.9
"""Share of the rate that the server allowed, with which requests go on after a refusal."""

SLOWER: Final = 0.7
"""Share of the last rate that is left at least after one more refusal."""

RECOVERY: Final = 45.0
"""Seconds after a refusal until requests go on with the rate that the server allowed; beyond, the rate rises."""

FORGOTTEN: Final = 180.0
"""Seconds without a refusal after which there is no limit."""

LOOKED_BACK: Final = 10.0
"""Seconds before the first refusal that show what the server allows."""

SHORTEST_WINDOW: Final = 1.0
"""Seconds over which a rate is counted at least: a burst says nothing about what the server allows for long."""

SHORTEST_WAIT: Final = 0.05

AT_FIRST: Final = 8
"""Requests at the same time before the first response; each response that is no refusal allows one more."""

POLL: Final = 0.02
"""Seconds until a request that waits for another to end asks again."""


class Congestion:
    """What the server allows, as its refusals show.

    After a refusal every request waits as long as the server asks. Then requests go on at nearly the rate that the
    server allowed before the refusal. The rate rises slowly near that value, and fast once it is passed (a cubic
    function of the time). The number of requests at the same time is halved, and grows by one for as many successes.
    """

    def __init__(self, share: float = 1.0) -> None:
        """Begin; ``share`` is the part of the server's limit that is meant for this client."""
        self._blocked_until = float("-inf")
        self._refused_at = float("-inf")
        self._rate: float | None = None
        self._next = 0.0
        self._most_at_once = max(1.0, AT_FIRST * share)
        self._successes: deque[float] = deque(maxlen=1000)
        self._refusal: _Refusal | None = None

    def succeed(self, now: float, *, started: float) -> None:
        """Note a response that is no refusal, to a request that was sent at ``started``."""
        self._most_at_once += 1 if self._rate is None else 1 / self._most_at_once
        refusal = self._refusal
        if refusal is None or started >= refusal.came:
            self._successes.append(now)
            return
        # A refusal is quick: it overtakes requests that the server allowed before it.
        refusal.successes.append(refusal.came)
        self._rate = max(self._rate or 0.0, refusal.allowed_rate())

    def refuse(self, now: float, wait: float, *, started: float, at_once: int) -> None:
        """Note a refusal.

        Args:
            now: when it came.
            wait: seconds that the server asks to wait.
            started: when its request was sent.
            at_once: requests in flight, with this one.
        """
        until = now + max(wait, SHORTEST_WAIT)
        is_first = started >= self._refused_at and started >= self._blocked_until
        self._blocked_until = max(self._blocked_until, until)
        if not is_first:
            # It was sent before the others were held back.
            return
        # Whole seconds are rounded up, half a second on average.
        end = until - (0.5 if wait >= 1 and wait == int(wait) else 0.0)
        oldest = float("-inf") if self._rate is not None else now - LOOKED_BACK
        self._refusal = _Refusal(now, end, [then for then in self._successes if then > oldest])
        # Shortly after another refusal there are too few successes to count.
        least = 0.0 if self._rate is None else self._rate * SLOWER
        self._rate = max(self._refusal.allowed_rate(), least)
        self._most_at_once = max(1.0, at_once / 2)
        self._successes.clear()
        self._refused_at = now

    def wait(self, now: float, *, at_once: int) -> float:
        """Return the seconds until the next request may start; 0 when it may start now.

        Args:
            now: seconds of a steady clock.
            at_once: requests in flight.
        """
        if now < self._blocked_until:
            return self._blocked_until - now
        if now > self._blocked_until + FORGOTTEN:
            self._rate = None
        if at_once >= self._most_at_once:
            return POLL
        return 0.0 if self._rate is None else max(0.0, self._next - now)

    def gap(self, now: float) -> float:
        """Seconds between the starts of two requests that have to wait."""
        if self._rate is None:
            return POLL / self._most_at_once
        # Requests that wait for the end of a refusal go on with the rate that follows it.
        since = max(0.0, now - self._blocked_until)
        distance = (since - RECOVERY) / RECOVERY
        return 1 / (self._rate * (1 + (1 - FIRST_SHARE) * distance**3))

    def start(self, now: float) -> None:
        """Note that a request starts."""
        # A start that comes late does not delay those after it.
        gap = 0.0 if self._rate is None else self.gap(now)
        self._next = max(self._next, now - gap / 2) + gap


@dataclass(slots=True)
class _Refusal:
    """The first refusal of several, which shows what the server allowed until then.

    Attributes:
        came: when it came.
        end: when the server allows requests again.
        successes: when the responses came to requests that were sent before it; ``came`` for those that came later.
    """

    came: float
    end: float
    successes: list[float]

    def allowed_rate(self) -> float:
        """The highest rate, over any time up to the end of the wait, at which the server allowed requests.

        Never below one request for each wait, or a second: the server itself asks for that one.
        """
        rates = (
            count / max(self.end - then, SHORTEST_WINDOW)
            for count, then in enumerate(reversed(self.successes), start=1)
        )
        return max(*rates, 1 / max(self.end - self.came, SHORTEST_WINDOW), 0.0)
