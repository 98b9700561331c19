"""Client-side rate limiting by the server's headers, so that the server does not send 429."""

from __future__ import annotations

from collections.abc import Mapping

from runql.transport.lifetime import ForkSafeLock

SLOW_DOWN_BELOW = 50.0
"""Requests are delayed once fewer than this many remain."""

LONGEST_WAIT = 90.0
"""With longer until the reset, requests are sent at once: the server's 429 then reaches the caller."""


class RateLimiter:
    """Spreads the remaining requests over the time until the limit resets.

    `RateLimit-Remaining` is the number of requests left, `RateLimit-Reset` the seconds until the limit is full again.
    Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._remaining = SLOW_DOWN_BELOW
        self._reset = 0.0
        self._next = 0.0

    def note(self, headers: Mapping[str, str], now: float) -> None:
        """Read the headers of a response that came at ``now``, in seconds of any steady clock."""
        remaining, wait = _number(headers, "ratelimit-remaining"), _number(headers, "ratelimit-reset")
        if remaining is None or wait is None:
            return
        with self._lock:
            self._remaining, self._reset = remaining, now + wait

    def wait(self, now: float) -> float:
        """Reserve a time for the next request, and return the seconds until then."""
        with self._lock:
            time_left = self._reset - now
            if self._remaining >= SLOW_DOWN_BELOW or not 0 < time_left <= LONGEST_WAIT:
                return 0.0
            gap = time_left / (self._remaining + 1)
            start = min(max(now, self._next) if self._remaining >= 1 else self._reset, self._reset)
            self._next = start + gap
            return start - now


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
