"""Processes that share one rate limit: each keeps to its part of what the server announces, and none is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from runql.transport.pacing.limiter import Place, RateLimiter, Turn, checked_share
from runql.transport.wire import Response

LIMIT, WINDOW = 400, 60.0


@dataclass
class Project:
    """A server that allows so many requests in a window.

    Attributes:
        left: of the window.
        refused: requests that came when none was left.
        allowed: those that were served, by process.
    """

    left: int = LIMIT
    refused: int = 0
    allowed: dict[int, int] = field(default_factory=dict[int, int])
    _window: int = 0

    def respond(self, process: int, now: float) -> Response:
        """Respond to a request."""
        if int(now // WINDOW) > self._window:
            self._window, self.left = int(now // WINDOW), LIMIT
        is_refused = self.left == 0
        self.refused += is_refused
        self.left -= not is_refused
        self.allowed[process] = self.allowed.get(process, 0) + (not is_refused)
        reset = WINDOW - now % WINDOW
        headers = {"ratelimit-remaining": str(self.left), "ratelimit-reset": str(reset)}
        return Response(429 if is_refused else 200, headers=headers, content=b"{}")


def simulated(shares: list[float], seconds: float, idle: Callable[[int], bool] = lambda _: False) -> Project:
    """Let processes send as much as their limiters allow, each request lasting 20 ms."""
    server, limiters = Project(), [RateLimiter(share) for share in shares]
    places: list[Place | None] = [None] * len(shares)
    under_way: list[tuple[float, int, Turn]] = []
    now = 0.0
    while now < seconds:
        for finished in [each for each in under_way if each[0] <= now]:
            under_way.remove(finished)
            limiters[finished[1]].end(finished[2], now, server.respond(finished[1], now))
        for process, limiter in enumerate(limiters):
            if idle(process) or sum(each[1] == process for each in under_way) >= 8:
                continue
            found = limiter.begin(now, places[process])
            if isinstance(found, Turn):
                places[process] = None
                under_way.append((now + 0.02, process, found))
            else:
                places[process] = found
        now += 0.01
    return server


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_processes_with_shares_are_not_refused_and_use_the_limit(processes: int) -> None:
    server = simulated([1 / processes] * processes, 3 * WINDOW)
    assert server.refused == 0
    assert sum(server.allowed.values()) > 0.75 * 3 * LIMIT
    counts = server.allowed.values()
    assert max(counts) < 2 * min(counts)


def test_processes_without_shares_are_refused() -> None:
    """The shares are what keeps the others from being refused."""
    assert simulated([1.0] * 8, 3 * WINDOW).refused > 0


def test_a_share_that_nobody_uses_is_left_to_the_server() -> None:
    server = simulated([0.25] * 4, 2 * WINDOW, idle=lambda process: process > 0)
    assert server.refused == 0
    assert 0.2 * LIMIT < server.allowed[0] <= 2 * 0.25 * LIMIT + 8


@pytest.mark.parametrize(
    ("share", "error"),
    [(0, ValueError), (-0.5, ValueError), (1.1, ValueError), (float("nan"), ValueError), (True, TypeError)],
)
def test_a_bad_share_is_refused(share: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="share must be"):
        checked_share(share)
