"""The rate limiter over HTTP: threads share one client, and a front allows so many requests a second.

python -m tests.endurance.limiter --seconds 20
"""

from __future__ import annotations

import argparse
import logging
import threading
import time
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.faults.matrix.front import Exchange, Front, Given, Plan

from runql import Api, RetryPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

Says: TypeAlias = Literal["RateLimit", "Retry-After"]

THREADS: Final = 8
RATE: Final = 10
"""Requests a second that the front allows, counted in windows of a second."""
_PROJECT: Final = "limited"
_POLICY: Final = RetryPolicy(max_attempts=1_000, total_seconds=3_600)


@dataclass
class Limited:
    """What came of a simulation.

    Attributes:
        says: which headers the front sends.
        accepted: requests that were carried out.
        refused: requests with status 429.
        seconds: how long requests are counted.
    """

    says: Says
    seconds: float
    accepted: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """Share of the allowed rate that was used."""
        return self.accepted / (RATE * self.seconds)

    def __str__(self) -> str:
        return (
            f"{self.says} only: {self.accepted} requests in {self.seconds:.1f} s, {self.share:.0%} of the rate, "
            f"{self.refused} x 429"
        )


class _Window:
    """Carries out `RATE` requests in each second, and refuses the others with 429."""

    def __init__(self, found: Limited) -> None:
        self._found = found
        self._guard = threading.Lock()
        self._started = time.monotonic()
        self._window = -1
        self._used = 0

    def __call__(self, exchange: Exchange) -> None:
        with self._guard:
            now = time.monotonic() - self._started
            # What still waits when the time is over does not count.
            counts = now < self._found.seconds
            if int(now) != self._window:
                self._window, self._used = int(now), 0
            is_allowed = self._used < RATE
            self._used += is_allowed
            self._found.accepted += is_allowed and counts
            self._found.refused += not is_allowed and counts
            left, wait = RATE - self._used, self._window + 1 - now
        headers = [("Retry-After", f"{wait:.3f}")] if not is_allowed else []
        if self._found.says == "RateLimit":
            headers = [("RateLimit-Remaining", str(left)), ("RateLimit-Reset", f"{wait:.3f}")]
        if is_allowed:
            given = exchange.forward()
            exchange.respond(Given(given.status, (*given.headers, *headers), given.body))
        else:
            exchange.respond(Given(429, tuple(headers), b"slow down"))


def simulate(says: Says, seconds: float, threads: int = THREADS) -> Limited:
    """Read as often as the client does it, for so long."""
    found = Limited(says, seconds)
    with RunningServer() as server:
        server.seed(_PROJECT, [SeedRun(name="r")])
        with Front(server.url) as front, Api(api_key=server.api_key, base_url=front.url) as whole:
            front.begin(Plan(_Window(found), records=False))
            api = whole.with_options(retries=_POLICY)
            started = time.monotonic()

            def work() -> None:
                while time.monotonic() < started + seconds:
                    assert api.run(f"{server.entity}/{_PROJECT}/r").id == "r"

            workers = [threading.Thread(target=work) for _ in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    return found


def main() -> None:
    """Simulate servers of both kinds, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.limiter", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    logging.getLogger("runql").setLevel(logging.ERROR)
    kinds: tuple[Says, ...] = ("RateLimit", "Retry-After")
    for says in kinds:
        print(simulate(says, options.seconds), flush=True)


if __name__ == "__main__":
    main()
