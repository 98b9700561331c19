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
from runql.limits import JSONTooDeepError
from runql.transport.deadlines.budget import RetryBudget
from runql.transport.deadlines.call import Call
from runql.transport.observation.request_log import log_request
from runql.transport.wire import Failure, Request, Response
from runql.values import parse_json

logger: Final = logging.getLogger("runql.transport")

CONFLICT: Final = 409
TOO_EARLY: Final = 425
TOO_MANY_REQUESTS: Final = 429
NOT_IMPLEMENTED: Final = 501
MAX_DOUBLINGS: Final = 60

AFTER_TIMEOUT: Final = 3
"""Attempts after a timeout or a response that was cut off: more would seldom help, and each takes long."""

BLANKS: Final = 64
"""Bytes at each end of a body that may be blanks."""

PARSED_AT_ONCE: Final = 1 << 12
"""Bytes of a body that are parsed to find out whether it is whole."""

Outcome: TypeAlias = Response | Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to retry a request, and how long to wait between attempts.

    Attributes:
        max_attempts: attempts in all, with the first. Where another attempt cannot help, there are fewer: see
            docs/reliability.md.
        total_seconds: no attempt starts later than this after the first.
        first_delay: seconds before the second attempt; the backoff doubles before each further one.
        max_delay: the longest backoff in seconds; the server may ask for a longer wait.
        jitter: share of the backoff that is added at random, at most, so that clients do not retry in step.
        call_seconds: seconds that all requests of a call together may lose by waits between attempts and by timeouts;
            successful requests give some back. None for the waits of one request. Waits after a 429 do not count.
        chance: returns random numbers in [0, 1); replaced in tests.
    """

    max_attempts: int = 7
    total_seconds: float = 90.0
    first_delay: float = 0.5
    max_delay: float = 15.0
    jitter: float = 0.25
    call_seconds: float | None = None
    chance: Callable[[], float] = random.random

    def __reduce__(self) -> tuple[object, ...]:
        # A pickle of `chance` would hold the state of this process's random numbers: processes would retry in step.
        kept = (self.max_attempts, self.total_seconds, self.first_delay, self.max_delay, self.jitter)
        return RetryPolicy, (*kept, self.call_seconds)

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

    def new_budget(self) -> RetryBudget:
        """Return the budget of a new call; see ``call_seconds``."""
        if self.call_seconds is not None:
            return RetryBudget(self.call_seconds)
        retries, waits = self.max_attempts - 1, 0.0
        doublings = min(retries, MAX_DOUBLINGS)
        for doubling in range(doublings):
            waits += min(self.first_delay * 2.0**doubling, self.max_delay)
        waits += (retries - doublings) * min(self.first_delay * 2.0**MAX_DOUBLINGS, self.max_delay)
        return RetryBudget(min(waits * (1.0 + self.jitter), self.total_seconds))

    def most_attempts(self, request: Request, outcome: Outcome) -> int:
        """Return how many attempts a request with this outcome gets in all."""
        limits = [self.max_attempts, request.most_attempts, outcome_limit(request, outcome)]
        return min(limit for limit in limits if limit is not None)

    def delay(self, request: Request, outcome: Outcome, *, attempt: int, spent: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            request: the request.
            outcome: of the last attempt.
            attempt: number of attempts so far.
            spent: seconds since the first attempt started.
        """
        if attempt >= self.most_attempts(request, outcome) or not _is_retryable(request, outcome):
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
    call = call or Call(budget=policy.new_budget())
    attempt, spent, waited = 0, 0.0, 0.0
    while True:
        outcome = yield request
        if outcome is None:
            raise TypeError("the driver replied None where an outcome was due")
        attempt += 1
        spent += outcome.elapsed
        log_request(request, outcome, attempt)
        if not _has_failed(request, outcome):
            call.budget.refill()
            break
        delay = policy.delay(request, outcome, attempt=attempt, spent=spent)
        if delay is None:
            break
        reason = f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome.error)
        if not call.allows(delay):
            failed = outcome if isinstance(outcome, Failure) else None
            raise call.wait_refused(
                delay, request.name, reason, attempts=attempt, sent=failed is None or failed.sent
            ) from (None if failed is None else failed.error)
        if not _is_asked_to_wait(outcome) and not call.budget.spend(
            call.now(), delay, _lost_seconds(outcome)
        ):
            name = one_line(request.name, MOST_IN_DETAIL)
            logger.warning("%s: %s; the call has no retries left", name, reason)
            break
        logger.warning(
            "%s: %s; attempt %d of %d follows in %.1f s",
            one_line(request.name, MOST_IN_DETAIL),
            reason,
            attempt + 1,
            policy.most_attempts(request, outcome),
            delay,
        )
        yield delay
        spent += delay
        waited += delay
    if isinstance(outcome, Failure):
        error = outcome.error
        error.attempts, error.seconds, error.waited = attempt, spent, waited
        raise error
    return replace(outcome, attempts=attempt, seconds=spent, waited=waited)


def is_server_failure(status: int) -> bool:
    """Whether the status means that the server, or a proxy before it, failed, was not ready or gave up waiting."""
    return status in {408, TOO_EARLY} or status >= 500


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


def is_cut_off(content: bytes) -> bool:
    """Whether a body with status 200 is empty, or JSON that ends too early; an HTML page is neither.

    A large body is not parsed for it, as the flow will do so: its ends decide.
    """
    start = content[:BLANKS].lstrip()
    if not start or start.startswith(b"<"):
        return not start
    if len(content) > PARSED_AT_ONCE:
        return not (start.startswith(b"{") and content[-BLANKS:].rstrip().endswith(b"}"))
    try:
        parse_json(content)
    except JSONTooDeepError:
        return False
    except ValueError:
        return True
    return False


def outcome_limit(request: Request, outcome: Outcome) -> int | None:
    """Return the most attempts that make sense after this outcome; None where the policy decides."""
    if isinstance(outcome, Failure):
        if outcome.most_attempts is None and isinstance(outcome.error, RequestTimedOutError):
            return AFTER_TIMEOUT
        return outcome.most_attempts
    if outcome.status == 200:
        # The flow asks for less when this does not help.
        return AFTER_TIMEOUT - 1 if request.fail_fast else AFTER_TIMEOUT
    return None


def _has_failed(request: Request, outcome: Outcome) -> bool:
    """Whether the outcome is a failure of the server or the network, or a refusal that may pass."""
    if isinstance(outcome, Failure):
        return True
    if outcome.status == 200:
        return request.is_operation and is_cut_off(outcome.content)
    return outcome.status in {429, CONFLICT} or is_server_failure(outcome.status)


def _lost_seconds(outcome: Outcome) -> float:
    is_late = isinstance(outcome, Failure) and isinstance(outcome.error, RequestTimedOutError)
    return outcome.elapsed if is_late else 0.0


def _is_asked_to_wait(outcome: Outcome) -> bool:
    return isinstance(outcome, Response) and outcome.status == 429


def _is_retryable(request: Request, outcome: Outcome) -> bool:
    """Whether another attempt may succeed, and cannot do harm; the outcome is one that has failed."""
    if isinstance(outcome, Failure):
        if request.fail_fast and isinstance(outcome.error, RequestTimedOutError):
            return False
        return request.repeatable or not outcome.sent
    # The server refused before it did anything.
    if outcome.status in {TOO_MANY_REQUESTS, TOO_EARLY}:
        return True
    if outcome.status == CONFLICT:
        return request.repeats_conflicts
    if outcome.status == 200:
        return request.repeatable and request.is_operation and is_cut_off(outcome.content)
    is_temporary = is_server_failure(outcome.status) and outcome.status != NOT_IMPLEMENTED
    return is_temporary and request.repeatable and not request.fail_fast
