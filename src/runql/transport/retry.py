"""When to try again, and after how long: a pure policy, and the loop around one request that follows it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from runql.errors import RequestTimedOutError
from runql.transport.wire import Failure, Request, Response

logger = logging.getLogger("runql.transport")

NOT_IMPLEMENTED = 501
MAX_DOUBLINGS = 60

Outcome: TypeAlias = Response | Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to keep trying.

    Attributes:
        max_attempts: how often a request is sent at most, the first time included; twice to an address that seems wrong,
            and once to a server whose certificate is not trusted.
        total_seconds: no further attempt starts when it would begin later than this after the first.
        first_delay: seconds before the second attempt; doubled before each further one.
        max_delay: no delay of our own is longer; a wait that the server asks for may be.
        jitter: up to this share of our own delay is added at random, so that clients do not come back in step.
        chance: gives numbers in [0, 1); replaced in tests.
    """

    max_attempts: int = 7
    total_seconds: float = 90.0
    first_delay: float = 0.5
    max_delay: float = 15.0
    jitter: float = 0.25
    chance: Callable[[], float] = random.random

    def most_attempts(self, outcome: Outcome) -> int:
        """How often a request is sent at most that came to this."""
        most = outcome.most_attempts if isinstance(outcome, Failure) else None
        return self.max_attempts if most is None else min(most, self.max_attempts)

    def delay(self, request: Request, outcome: Outcome, *, attempt: int, spent: float) -> float | None:
        """Seconds to wait before sending again, or None to give up.

        Args:
            request: what was sent.
            outcome: what became of it.
            attempt: how many times it was sent.
            spent: seconds since the first attempt began.
        """
        if attempt >= self.most_attempts(outcome) or not _worth_repeating(request, outcome):
            return None
        backoff = min(self.first_delay * 2.0 ** min(attempt - 1, MAX_DOUBLINGS), self.max_delay)
        asked = asked_wait(outcome.headers) if isinstance(outcome, Response) else None
        wait = max(backoff, asked or 0.0) + backoff * self.jitter * self.chance()
        return wait if spent + wait <= self.total_seconds else None


def send_with_retries(
    request: Request, policy: RetryPolicy
) -> Generator[Request | float, Outcome | None, Response]:
    """Send ``request`` until it is answered or the policy gives up.

    Yields the request to be sent (reply: its outcome) and seconds to be slept (reply: None).
    """
    attempt, spent = 0, 0.0
    while True:
        outcome = yield request
        if outcome is None:
            raise TypeError("the driver replied None where an outcome was due")
        attempt += 1
        spent += outcome.elapsed
        delay = policy.delay(request, outcome, attempt=attempt, spent=spent)
        if delay is None:
            break
        what = f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome.error)
        logger.warning(
            "%s: %s; attempt %d of %d follows in %.1f s",
            request.name,
            what,
            attempt + 1,
            policy.most_attempts(outcome),
            delay,
        )
        yield delay
        spent += delay
    if isinstance(outcome, Failure):
        outcome.error.attempts = attempt
        raise outcome.error
    return replace(outcome, attempts=attempt)


def is_server_failure(status: int) -> bool:
    """Whether the status says that the server, or a proxy before it, failed or gave up waiting."""
    return status == 408 or status >= 500


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: Retry-After (seconds or an HTTP date), else RateLimit-Reset (seconds)."""
    for name in ("retry-after", "ratelimit-reset"):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value))
        except ValueError:
            pass
        wait = _until(value, headers.get("date"))
        if wait is not None:
            return wait
    return None


def _until(value: str, now: str | None) -> float | None:
    # Counted from the server's own clock where it tells: ours may be off.
    try:
        start = parsedate_to_datetime(now) if now else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(value) - start).total_seconds())
    except (ValueError, TypeError):
        return None


def _worth_repeating(request: Request, outcome: Outcome) -> bool:
    if isinstance(outcome, Failure):
        if request.fail_fast and isinstance(outcome.error, RequestTimedOutError):
            return False
        return request.repeatable or not outcome.sent
    if outcome.status == 429:
        return True
    passing = is_server_failure(outcome.status) and outcome.status != NOT_IMPLEMENTED
    return passing and request.repeatable and not request.fail_fast
