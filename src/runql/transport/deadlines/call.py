"""One call of the public interface: when it must end, and how long it may wait between attempts."""

# A call is what the caller waits for: one public method, with all its requests, waits and pages; of an iteration, one
# step. The outermost `one_call` makes the object. Flows inside it, also those that a `Gather` runs in other threads or
# tasks, get the same object.

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from runql.errors import DeadlineExceededError
from runql.transport.deadlines.budget import RetryBudget


class Call:
    """The limits of one call, shared by all its flows.

    Attributes:
        deadline: seconds that the call may take in all; None for no limit.
        budget: what its requests may wait between attempts.
    """

    __slots__ = ("_clock", "_ended", "_started", "budget", "deadline")

    def __init__(
        self,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        budget: RetryBudget | None = None,
    ) -> None:
        """Start the call now, by ``clock``, which returns seconds and never goes back."""
        self.deadline: float | None = deadline
        self.budget: RetryBudget = budget or RetryBudget(float("inf"))
        self._clock = clock
        self._started = clock()
        self._ended = False

    def now(self) -> float:
        """Seconds of the call's clock."""
        return self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock() - self._started

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, 0 or less when it has passed; None without a deadline."""
        return None if self.deadline is None else self.deadline - self.elapsed

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        left = self.remaining
        return left is not None and left <= 0

    @property
    def has_ended(self) -> bool:
        """Whether the public method has returned or raised."""
        return self._ended

    def end(self) -> None:
        """Note that the public method has returned or raised."""
        self._ended = True

    def bound(self, seconds: float | None) -> float | None:
        """Return a timeout that ends with the call, if not before; not below 0."""
        left = self.remaining
        return seconds if left is None else max(0.0, left if seconds is None else min(seconds, left))

    def check(self, name: str, *, sent: bool = False) -> None:
        """Refuse to go on after the deadline.

        Args:
            name: what follows, for the error.
            sent: whether the server may have received it.

        Raises:
            DeadlineExceededError: the deadline has passed.
        """
        if self.is_over:
            raise self.exceeded(name, sent=sent)

    def allows(self, seconds: float) -> bool:
        """Whether a wait would end before the deadline."""
        left = self.remaining
        return left is None or seconds < left

    def check_wait(self, seconds: float, name: str, why: str = "") -> None:
        """Refuse a wait that would end after the deadline: it would help nobody.

        Raises:
            DeadlineExceededError: the deadline has passed, or would pass during the wait.
        """
        if not self.allows(seconds):
            raise self.wait_refused(seconds, name, why, sent=False)

    def wait_refused(
        self, seconds: float, name: str, why: str, *, sent: bool, attempts: int = 1
    ) -> DeadlineExceededError:
        """Return the error of a wait that would end after the deadline."""
        during = f"it would pass during a wait of {seconds:.3g} s{why and ' after '}{why}"
        return self.exceeded(name, during, attempts=attempts, sent=sent)

    def checked(self, chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
        """Yield the chunks of a body while there is time.

        Raises:
            DeadlineExceededError: the deadline passed before the last chunk.
        """
        for chunk in chunks:
            self.check(name, sent=True)
            yield chunk

    def exceeded(
        self, name: str, during: str = "", *, attempts: int = 1, sent: bool = True
    ) -> DeadlineExceededError:
        """Return the error of a call that took too long."""
        spent = during or f"it passed after {self.elapsed:.3g} s"
        error = DeadlineExceededError(
            f"the call does not end within its deadline of {self.deadline:g} s: {spent}. "
            "Raise the deadline (Api(deadline=...) or with_options(deadline=...)), or ask for less",
            operation=name,
            attempts=attempts,
        )
        error.sent = sent
        return error


_CURRENT: Final[ContextVar[tuple[object, Call] | None]] = ContextVar("runql call", default=None)


@contextmanager
def one_call(owner: object, make: Callable[[], Call]) -> Generator[Call]:
    """Let everything that ``owner`` does inside the block count as one call, and return its limits.

    Inside another block of the same owner it is the call of that block. Never suspend a generator inside the block:
    its caller would run in it.
    """
    current = _CURRENT.get()
    # A task or thread that was started inside a call, and outlives it, has a copy of its context.
    if current is not None and current[0] is owner and not current[1].has_ended:
        yield current[1]
        return
    call = make()
    token = _CURRENT.set((owner, call))
    try:
        yield call
    finally:
        _CURRENT.reset(token)
        call.end()
