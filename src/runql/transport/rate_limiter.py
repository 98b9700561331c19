"""How fast requests may follow each other, by what the server's rate-limit headers tell, so that no 429 comes."""

from __future__ import annotations

from collections.abc import Mapping

from runql.transport.lifetime import ForkSafeLock

SLOW_DOWN_BELOW = 50.0
"""With more than this left of the limit, requests are sent as they come."""

LONGEST_WAIT = 90.0
"""A limit that is lifted later than this is not waited for: the server's 429 tells the caller."""


class RateLimiter:
    """Spreads requests over the time until the limit is lifted, once little is left of it.

    `RateLimit-Remaining` is what is left, `RateLimit-Reset` the seconds until it is whole again. May be shared between
    threads.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._left = SLOW_DOWN_BELOW
        self._lifted = 0.0
        self._next = 0.0

    def note(self, headers: Mapping[str, str], now: float) -> None:
        """Look at the headers of an answer that came at ``now``, in seconds of any steady clock."""
        left, wait = _number(headers, "ratelimit-remaining"), _number(headers, "ratelimit-reset")
        if left is None or wait is None:
            return
        with self._lock:
            self._left, self._lifted = left, now + wait

    def wait(self, now: float) -> float:
        """Seconds to wait before the next request; the time after that is taken by it."""
        with self._lock:
            time_left = self._lifted - now
            if self._left >= SLOW_DOWN_BELOW or not 0 < time_left <= LONGEST_WAIT:
                return 0.0
            gap = time_left / (self._left + 1)
            start = min(max(now, self._next) if self._left >= 1 else self._lifted, self._lifted)
            self._next = start + gap
            return start - now


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
