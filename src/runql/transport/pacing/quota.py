"""The quota of requests that a server announces by its RateLimit headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SLOW_DOWN_BELOW: Final = 50.0
"""Requests are spread over the rest of the window once fewer than this many are left."""

LONGEST_WAIT: Final = 90.0
"""With longer until the reset, requests are sent at once: the server's 429 then reaches the caller."""

SPREAD: Final = 0.75
"""Share of the rest of the window over which requests are spread: one that is late still starts before the end."""

SAME_END: Final = 0.05
"""Seconds between two estimates of one window's end; responses take different times to arrive."""


class Quota:
    """Requests that are left in the server's current window, and when each may start.

    `RateLimit-Remaining` is the number of requests left, `RateLimit-Reset` the seconds until the limit is full again. A
    response does not count the requests that were sent after its own: those are subtracted. A new window is taken to be
    as large as the last one, until its first response says otherwise.

    With a ``share`` below 1 all numbers are of this part alone: processes whose shares add up to 1 send in a window what
    the server allows, and each responds to what the others have used.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self._end = float("-inf")
        self._confirmed_end = float("-inf")
        self._is_guess = False
        self._left = 0.0
        self._size = 0.0
        self._length = 0.0
        self._next = 0.0
        self._started = 0

    def is_known(self, now: float) -> bool:
        """Whether the server announced a window that has not ended long ago."""
        return now < self._end + self._length

    def note(self, headers: Mapping[str, str], number: int, now: float) -> None:
        """Read the headers of a response that came at ``now``, to the request of this number."""
        remaining, reset = _number(headers, "ratelimit-remaining"), _number(headers, "ratelimit-reset")
        if remaining is None or reset is None:
            return
        remaining *= self._share
        end, left = now + reset, remaining - max(0, self._started - number)
        if self._is_guess:
            self._learn_window(end, reset)
            self._size, self._left = remaining + 1, min(self._left, left)
        elif end > self._end + SAME_END:
            self._learn_window(end, reset)
            self._size, self._left = remaining + 1, left
        elif end >= self._end - SAME_END:
            self._end = min(self._end, end)
            self._size, self._left = max(self._size, remaining + 1), min(self._left, left)

    def _learn_window(self, end: float, reset: float) -> None:
        between = end - self._confirmed_end
        # The first response of a window comes a little after its begin.
        self._length = between if reset <= between <= 1.5 * reset else reset
        self._end = self._confirmed_end = end
        self._is_guess = False

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may start; 0 when it may start now."""
        self._roll_over(now)
        time_left = self._end - now
        if not 0 < time_left <= LONGEST_WAIT or self._left >= SLOW_DOWN_BELOW:
            return 0.0
        if self._left < 1:
            return time_left
        return max(0.0, min(self._next - now, time_left))

    def gap(self, now: float) -> float:
        """Seconds between the starts of two requests; 0 where they need not wait."""
        time_left = self._end - now
        if not 0 < time_left <= LONGEST_WAIT or self._left >= SLOW_DOWN_BELOW:
            return 0.0
        return SPREAD * time_left / self._left if self._left >= 1 else self._length / max(self._size, 1.0)

    def start(self, now: float) -> int:
        """Note that a request starts, and return its number."""
        # A start that comes late does not delay those after it.
        gap = self.gap(now)
        self._next = max(self._next, now - gap / 2) + gap
        self._left -= 1
        self._started += 1
        return self._started

    def _roll_over(self, now: float) -> None:
        if now >= self._end and self.is_known(now):
            # The next window, until its first response says otherwise.
            self._end += self._length
            self._left = self._size
            self._next = now
            self._is_guess = True


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
