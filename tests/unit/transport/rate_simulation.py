"""Many threads and one server that limits their rate, by a clock of the simulation."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Literal, Protocol, TypeAlias

from runql.transport.pacing.limiter import Place, RateLimiter, Turn
from runql.transport.retry import RetryPolicy
from runql.transport.wire import Request, Response

Said: TypeAlias = Literal["limits", "waits", "whole waits", "nothing"]
"""What the server's headers say: all of its limits, or after a refusal how long to wait, perhaps in whole seconds."""

QUERY = Request("Query", "http://api", b"{}")


class LimitingServer(Protocol):
    """A server that allows some requests, and refuses the others with 429."""

    def answer(self, now: float) -> Response: ...


def response(*, allowed: bool, said: Said, left: float, reset: float, wait: float) -> Response:
    """The response of a limiting server."""
    headers: dict[str, str] = {}
    if said == "limits":
        headers |= {"ratelimit-remaining": f"{left:.0f}", "ratelimit-reset": f"{reset:.3f}"}
    if not allowed and said != "nothing":
        headers["retry-after"] = f"{int(wait) + 1}" if said == "whole waits" else f"{wait:.3f}"
    return Response(200 if allowed else 429, b"{}", headers)


@dataclass
class FixedWindows:
    """Allows ``limit`` requests in each window of ``length`` seconds, the first of which has begun ``phase`` ago."""

    limit: int
    length: float
    said: Said
    phase: float = 0.3
    window: float = -1
    used: int = 0

    def answer(self, now: float) -> Response:
        window = (now + self.phase) // self.length
        if window != self.window:
            self.window, self.used = window, 0
        allowed = self.used < self.limit
        self.used += allowed
        reset = (window + 1) * self.length - now - self.phase
        return response(allowed=allowed, said=self.said, left=self.limit - self.used, reset=reset, wait=reset)


@dataclass
class TokenBucket:
    """Allows ``rate`` requests a second, and as many at once as have not been used, up to ``size``."""

    rate: float
    size: float
    said: Said
    tokens: float = field(init=False)
    then: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.size

    def answer(self, now: float) -> Response:
        self.tokens = min(self.size, self.tokens + (now - self.then) * self.rate)
        self.then = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        full, one = (self.size - self.tokens) / self.rate, max(0.0, 1 - self.tokens) / self.rate
        return response(allowed=allowed, said=self.said, left=self.tokens // 1, reset=full, wait=one)


@dataclass
class AtOnce:
    """Refuses requests beyond so many at the same time."""

    most: int
    takes: float
    ends: list[float] = field(default_factory=list[float])

    def answer(self, now: float) -> Response:
        self.ends = [end for end in self.ends if end > now]
        if len(self.ends) >= self.most:
            return Response(429, b"{}", {"retry-after": "0.1"})
        self.ends.append(now + self.takes)
        return Response(200, b"{}", {})


@dataclass
class Simulation:
    """Threads that send one request after the other.

    Attributes:
        server: the server.
        threads: how many threads.
        latency: seconds of a round trip, on average.
        work: seconds that the server works on a request that it allows: its refusals are quicker.
        allowed: times of the requests that the server allowed.
        refused: times of those that it refused.
        asked: how often the limiter was asked.
    """

    server: LimitingServer
    threads: int = 8
    latency: float = 0.02
    work: float = 0.0
    seed: int = 1
    allowed: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    asked: int = 0

    def __post_init__(self) -> None:
        self.limiter = RateLimiter()
        self._chance = random.Random(self.seed)
        self._policy = RetryPolicy(chance=self._chance.random)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def run(self, seconds: float) -> None:
        """Let the threads run so long."""
        for thread in range(self.threads):
            self._at(thread * 1e-4, partial(self._ask, None))
        while self._events and self._events[0][0] <= seconds:
            now, _, happen = heapq.heappop(self._events)
            happen(now)

    def _at(self, time: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), happen))

    def _ask(self, place: Place | None, now: float) -> None:
        self.asked += 1
        turn = self.limiter.begin(now, place)
        if isinstance(turn, Place):
            late = self._chance.random() * 0.001
            self._at(now + turn.seconds + late, partial(self._ask, turn))
        else:
            way = self.latency * (0.25 + self._chance.random() / 2)
            self._at(now + way, partial(self._arrive, turn, way))

    def _arrive(self, turn: Turn, way: float, now: float) -> None:
        answer = self.server.answer(now)
        (self.allowed if answer.status == 200 else self.refused).append(now)
        work = self.work if answer.status == 200 else 0.0
        self._at(now + way + work, partial(self._end, turn, answer))

    def _end(self, turn: Turn, answer: Response, now: float) -> None:
        self.limiter.end(turn, now, answer)
        wait = 0.0
        if answer.status != 200:
            wait = self._policy.delay(QUERY, answer, attempt=1, spent=0.0) or 0.0
        self._at(now + wait, partial(self._ask, None))


def limit_headers(left: float, reset: float) -> Mapping[str, str]:
    """The headers of a server that announces its limit."""
    return {"ratelimit-remaining": str(left), "ratelimit-reset": str(reset)}
