"""The iteration that ``next(scan)`` continues from call to call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.errors import RunqlError, UnshareableError
from runql.transport.lifetime import ForkSafeLock

if TYPE_CHECKING:
    import anyio

    from runql.transport.event_loops import EventLoop

T = TypeVar("T")


class NextItem(Generic[T]):
    """Returns the items of an iteration one call at a time. Threads take turns, so that each item is returned once.

    A generator that failed looks exhausted afterwards. This class raises the failure again at each later call.
    """

    def __init__(self, begin: Callable[[], Iterator[T]]) -> None:
        self._begin = begin
        self._items: Iterator[T] | None = None
        self._failure: BaseException | None = None
        self._turn = ForkSafeLock()
        self._is_reading = False

    def take(self) -> T:
        """Return the next item.

        Raises:
            StopIteration: there is no further item.
            RunqlError: an earlier call failed or was interrupted.
            UnshareableError: the process was forked while a thread was in the middle of a call.
        """
        with self._turn:
            raise_earlier_failure(self._failure)
            if self._is_reading:
                raise UnshareableError(
                    "this scan was being read by another thread when the process was forked: make a new scan"
                )
            self._items = self._items or self._begin()
            self._is_reading = True
            try:
                return next(self._items)
            except StopIteration:
                raise
            except BaseException as error:
                self._failure = error
                raise
            finally:
                self._is_reading = False


class AsyncNextItem(Generic[T]):
    """The async twin of `NextItem`; tasks take turns."""

    def __init__(self, begin: Callable[[], AsyncIterator[T]]) -> None:
        self._begin = begin
        self._items: AsyncIterator[T] | None = None
        self._failure: BaseException | None = None
        self._turn: anyio.Lock | None = None
        self._loop: EventLoop | None = None

    async def take(self) -> T:
        """Return the next item; as `NextItem.take`, with StopAsyncIteration.

        Raises:
            UnshareableError: an earlier call was made in another event loop.
        """
        import anyio  # noqa: PLC0415 - the sync client does not need it

        from runql.transport.event_loops import current_event_loop  # noqa: PLC0415 - as above

        # An event loop closes its async generators when it ends: this one would look exhausted.
        self._loop = self._loop or current_event_loop()
        if self._loop is not current_event_loop():
            raise UnshareableError(
                "this scan was begun in another event loop, which ends it: make a new scan"
            )
        # Made at the first call, because a scan may be made where no event loop runs.
        self._turn = self._turn or anyio.Lock()
        async with self._turn:
            raise_earlier_failure(self._failure)
            self._items = self._items or self._begin()
            try:
                return await anext(self._items)
            except StopAsyncIteration:
                raise
            except BaseException as error:
                self._failure = error
                raise


def raise_earlier_failure(failure: BaseException | None) -> None:
    """Raise the failure of an earlier call, if any."""
    if failure is not None:
        reason = str(failure) or type(failure).__name__
        raise RunqlError(f"an earlier next() of this scan failed, make a new scan: {reason}") from failure
