"""When requests may start: one limiter for all threads and tasks of a client."""

from __future__ import annotations

from typing import Final

from runql.quick_dataclasses import dataclass
from runql.transport.lifetime import ForkSafeLock, disown_in_children
from runql.transport.pacing.congestion import Congestion
from runql.transport.pacing.quota import LONGEST_WAIT, Quota
from runql.transport.retry import TOO_MANY_REQUESTS, asked_wait
from runql.transport.wire import Response

UNSAID_WAIT: Final = 1.0
"""Seconds to wait after a refusal that does not say how long."""

SHORTEST_WAIT: Final = 0.001
ASK_AGAIN: Final = 1.0
"""Seconds that a request waits for those before it until it asks again: meanwhile the server may allow more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that was allowed to start.

    Attributes:
        number: counts the client's requests.
        started: when it did.
    """

    number: int
    started: float


@dataclass(frozen=True, slots=True)
class Place:
    """A request that has to wait.

    Attributes:
        number: its place in the queue.
        seconds: how long to wait before asking again.
    """

    number: int
    seconds: float


class RateLimiter:
    """Decides when requests may start, so that the server refuses few of them (429).

    By the headers of the server's responses, where it sends them (`Quota`), else by its refusals (`Congestion`). Threads
    may share it. It reads no clock: ``now`` is in seconds of any steady one. With a ``share`` below 1 it leaves the rest
    of what the server allows to other processes, whose limiters have the other shares.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._lock = ForkSafeLock()
        self._quota = Quota(share)
        self._congestion = Congestion(share)
        self._at_once: int = 0
        self._joined: int = 0
        self._served: int = 0
        disown_in_children(self)

    def disown(self) -> object:
        """In a forked child, forget the requests of the parent's threads; see `lifetime.Forkable`."""
        self._at_once, self._joined, self._served = 0, 0, 0
        return None

    def begin(self, now: float, place: Place | None = None) -> Turn | Place:
        """Let a request start, or return its place in the queue: to ask again with, or to `leave`."""
        with self._lock:
            is_announced = self._quota.is_known(now)
            by_quota = self._quota.wait(now)
            by_refusals = self._congestion.wait(now, at_once=self._at_once)
            wait = max(by_quota, by_refusals)
            if wait <= 0 and (place is not None or self._joined == self._served):
                if not is_announced:
                    self._congestion.start(now)
                if place is not None:
                    self._served += 1
                self._at_once += 1
                return Turn(self._quota.start(now), now)
            if place is None:
                self._joined += 1
            number = self._joined if place is None else place.number
            gap = self._quota.gap(now) if by_quota >= by_refusals else self._congestion.gap(now)
            before = max(0, number - self._served - 1)
            return Place(number, max(wait, SHORTEST_WAIT) + min(before * gap, ASK_AGAIN))

    def leave(self) -> None:
        """Note that a request that has to wait is not sent."""
        with self._lock:
            self._served += 1

    def end(self, turn: Turn, now: float, response: Response | None) -> None:
        """Note the end of a request, and its response if one came."""
        with self._lock:
            at_once, self._at_once = self._at_once, max(0, self._at_once - 1)
            if response is None:
                return
            self._quota.note(response.headers, turn.number, now)
            if response.status != TOO_MANY_REQUESTS:
                self._congestion.succeed(now, started=turn.started)
                return
            asked = asked_wait(response.headers)
            wait = UNSAID_WAIT if asked is None else asked
            if wait <= LONGEST_WAIT:
                self._congestion.refuse(now, wait, started=turn.started, at_once=at_once)


def checked_share(share: float) -> float:
    """Return a client's share of the rate limit.

    Raises:
        ValueError: it is not above 0, or above 1.
        TypeError: it is no number.
    """
    if isinstance(share, bool) or not isinstance(share, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"share must be a number such as 0.25, not {type(share).__name__}")
    if not 0 < share <= 1:  # NaN fails this too
        raise ValueError(
            f"share must be above 0 and at most 1, not {share!r:.40}: 0.25 in each of four processes"
        )
    return float(share)
