"""What ``next(scan)`` goes on with: one reading of a scan, kept between the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.errors import RunqlError

if TYPE_CHECKING:
    import anyio

T = TypeVar("T")


class NextItem(Generic[T]):
    """The items of an iteration one call at a time; threads take turns, so that each item is returned once.

    A generator that failed looks like one that is exhausted. Here it goes on failing: an end is only ever the end.
    """

    def __init__(self, begin: Callable[[], Iterator[T]]) -> None:
        self._begin = begin
        self._items: Iterator[T] | None = None
        self._failure: BaseException | None = None
        self._turn = Lock()

    def take(self) -> T:
        """Return the next item.

        Raises:
            StopIteration: there is none.
            RunqlError: an earlier call failed or was interrupted.
        """
        with self._turn:
            refuse_after(self._failure)
            self._items = self._items or self._begin()
            try:
                return next(self._items)
            except StopIteration:
                raise
            except BaseException as error:
                self._failure = error
                raise


class AsyncNextItem(Generic[T]):
    """As `NextItem`, awaited; tasks take turns."""

    def __init__(self, begin: Callable[[], AsyncIterator[T]]) -> None:
        self._begin = begin
        self._items: AsyncIterator[T] | None = None
        self._failure: BaseException | None = None
        self._turn: anyio.Lock | None = None

    async def take(self) -> T:
        """Return the next item; as `NextItem.take`, with StopAsyncIteration."""
        import anyio  # noqa: PLC0415 - on the synchronous face nothing needs it

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
