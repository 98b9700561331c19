"""When to retry a request, and after which backoff: a pure policy, and the loop that follows it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

from runql.errors import RequestTimedOutError
from runql.escaping import MOST_IN_DETAIL, one_line
from runql.transport.deadlines.call import Call
from runql.transport.observation.request_log import log_request
from runql.transport.wire import Failure, Request, Response

logger: Final = logging.getLogger("runql.transport")

NOT_IMPLEMENTED = 501
TOO_MANY_REQUESTS = 429
MAX_DOUBLINGS = 60

Outcome: TypeAlias = Response | Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to retry a request, and how long to wait between attempts.

    Attributes:
        max_attempts: attempts in all, with the first; an address that seems wrong gets two, and a server whose
            certificate is not trusted gets one.
        total_seconds: no attempt starts later than this after the first.
        first_delay: seconds before the second attempt; the backoff doubles before each further one.
        max_delay: the longest backoff in seconds; the server may ask for a longer wait.
        jitter: share of the backoff that is added at random, at most, so that clients do not retry in step.
        chance: returns random numbers in [0, 1); replaced in tests.
    """

    max_attempts: int = 7
    total_seconds: float = 90.0
    first_delay: float = 0.5
    max_delay: float = 15.0
    jitter: float = 0.25
    chance: Callable[[], float] = random.random

    def with_retries(self, retries: int | RetryPolicy | None) -> RetryPolicy:
        """Return the same policy with so many retries, or another policy; None changes nothing.

        Raises:
            ValueError: a number of retries below 0.
            TypeError: neither a number nor a policy.
        """
        if retries is None:
            return self
        if isinstance(retries, RetryPolicy):
            return retries
        if isinstance(retries, bool) or not isinstance(retries, int):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(
                f"retries must be a number such as 3, or a RetryPolicy, not {type(retries).__name__}"
            )
        if retries < 0:
            raise ValueError(f"retries must be 0 or more, not {retries}: 0 sends each request once")
        return replace(self, max_attempts=retries + 1)

    def most_attempts(self, outcome: Outcome) -> int:
        """Return how many attempts a request with this outcome gets in all."""
        most = outcome.most_attempts if isinstance(outcome, Failure) else None
        return self.max_attempts if most is None else min(most, self.max_attempts)

    def delay(self, request: Request, outcome: Outcome, *, attempt: int, spent: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            request: the request.
            outcome: of the last attempt.
            attempt: number of attempts so far.
            spent: seconds since the first attempt started.
        """
        if attempt >= self.most_attempts(outcome) or not _is_retryable(request, outcome):
            return None
        backoff = min(self.first_delay * 2.0 ** min(attempt - 1, MAX_DOUBLINGS), self.max_delay)
        asked = asked_wait(outcome.headers) if isinstance(outcome, Response) else None
        wait = max(backoff, asked or 0.0) + backoff * self.jitter * self.chance()
        return wait if spent + wait <= self.total_seconds else None


def send_with_retries(
    request: Request, policy: RetryPolicy, call: Call | None = None
) -> Generator[Request | float, Outcome | None, Response]:
    """Send a request until it succeeds or the policy gives up, and return its response.

    The driver that runs this generator gets the request, and sends its outcome back; or it gets seconds to sleep.

    Raises:
        DeadlineExceededError: the next attempt would start after the deadline of the call.
        TransportError: the last attempt got no response.
    """
    call = call or Call()
    attempt, spent = 0, 0.0
    while True:
        outcome = yield request
        if outcome is None:
            raise TypeError("the driver replied None where an outcome was due")
        attempt += 1
        spent += outcome.elapsed
        log_request(request, outcome, attempt)
        delay = policy.delay(request, outcome, attempt=attempt, spent=spent)
        if delay is None:
            break
        reason = f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome.error)
        if not call.allows(delay):
            failed = outcome if isinstance(outcome, Failure) else None
            raise call.wait_refused(
                delay, request.name, reason, attempts=attempt, sent=failed is None or failed.sent
            ) from (None if failed is None else failed.error)
        logger.warning(
            "%s: %s; attempt %d of %d follows in %.1f s",
            one_line(request.name, MOST_IN_DETAIL),
            reason,
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
    """Whether the status means that the server, or a proxy before it, failed or gave up waiting."""
    return status == 408 or status >= 500


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks to wait: by Retry-After (seconds or a date), else by RateLimit-Reset."""
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
    # Counted by the server's clock where it sends the time: ours may be off.
    try:
        start = parsedate_to_datetime(now) if now else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(value) - start).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_retryable(request: Request, outcome: Outcome) -> bool:
    if isinstance(outcome, Failure):
        if request.fail_fast and isinstance(outcome.error, RequestTimedOutError):
            return False
        return request.repeatable or not outcome.sent
    if outcome.status == TOO_MANY_REQUESTS:
        return True
    is_temporary = is_server_failure(outcome.status) and outcome.status != NOT_IMPLEMENTED
    return is_temporary and request.repeatable and not request.fail_fast
