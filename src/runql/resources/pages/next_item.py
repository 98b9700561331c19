"""What ``next(scan)`` goes on with: one reading of a scan, kept between the calls."""

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
    """The items of an iteration one call at a time; threads take turns, so that each item is returned once.

    A generator that failed looks like one that is exhausted. Here it goes on failing: an end is only ever the end.
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
            StopIteration: there is none.
            RunqlError: an earlier call failed or was interrupted.
            UnshareableError: a thread of the process that this one was forked from was in the middle of a call.
        """
        with self._turn:
            refuse_after(self._failure)
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
    """As `NextItem`, awaited; tasks take turns."""

    def __init__(self, begin: Callable[[], AsyncIterator[T]]) -> None:
        self._begin = begin
        self._items: AsyncIterator[T] | None = None
        self._failure: BaseException | None = None
        self._turn: anyio.Lock | None = None
        self._loop: EventLoop | None = None

    async def take(self) -> T:
        """Return the next item; as `NextItem.take`, with StopAsyncIteration.

        Raises:
            UnshareableError: earlier calls were made in another event loop.
        """
        import anyio  # noqa: PLC0415 - on the synchronous face nothing needs it

        from runql.transport.event_loops import current_event_loop  # noqa: PLC0415 - as above

        # An event loop closes its asynchronous generators when it ends: this one would look exhausted.
        self._loop = self._loop or current_event_loop()
        if self._loop is not current_event_loop():
            raise UnshareableError(
                "this scan was begun in another event loop, with which its reading ends: make a new scan"
            )
        # Made when first needed: a scan may be made where no event loop runs.
        self._turn = self._turn or anyio.Lock()
        async with self._turn:
            refuse_after(self._failure)
            self._items = self._items or self._begin()
            try:
                return await anext(self._items)
            except StopAsyncIteration:
                raise
            except BaseException as error:
                self._failure = error
                raise


def refuse_after(failure: BaseException | None) -> None:
    """Raise when an earlier call failed."""
    if failure is not None:
        reason = str(failure) or type(failure).__name__
        raise RunqlError(f"an earlier next() of this scan failed, make a new scan: {reason}") from failure
