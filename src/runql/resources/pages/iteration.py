"""Iteration over lists of pages: page after page, or with the next one requested while the caller works on this one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from runql.errors import RunqlError
from runql.postponed import postponed
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, Send

if TYPE_CHECKING:
    import asyncio

    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient RetryingClient"))

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pages(Protocol[T_co]):
    """A `Listing` as an iteration reads it."""

    @property
    def items(self) -> Sequence[T_co]: ...

    @property
    def more(self) -> bool: ...

    @property
    def known(self) -> int | None: ...

    def page_end(self, index: int) -> int:
        """Where a page that begins at ``index`` ends, at most the number of items that were read."""
        ...

    def load_page(self) -> Flow[None]:
        """Read the next page, if there is one."""
        ...

    def reach(self, count: int | None, *, report: Progress | None = None) -> Flow[None]:
        """Read pages until there are ``count`` items."""
        ...


def items_of(
    client: RetryingClient, pages: Pages[T], report: Progress | None, *, prefetch: bool
) -> Iterator[T]:
    """Yield the items of a list. Pages are requested when they are reached; with ``prefetch`` one page earlier.

    The end of the iteration waits for a request that is under way.
    """
    ahead = PageAhead(client, pages.load_page)
    end = 0
    try:
        for index in itertools.count():
            if index >= len(pages.items) or (prefetch and index >= end):
                was_read = ahead.wait()
                if was_read and report is not None and index < len(pages.items):
                    report(len(pages.items), pages.known)
                if index >= len(pages.items):
                    client.run(pages.reach(index + 1, report=report))
                if index >= len(pages.items):
                    return
                end = pages.page_end(index)
                if prefetch and pages.more and end == len(pages.items):
                    ahead.begin()
            yield pages.items[index]
    finally:
        ahead.wait()


async def async_items_of(
    client: AsyncRetryingClient, pages: Pages[T], report: Progress | None, *, prefetch: bool
) -> AsyncGenerator[T]:
    """As `items_of`. The end of the iteration cancels a request that is under way."""
    ahead = AsyncPageAhead(client, pages.load_page)
    end = 0
    try:
        for index in itertools.count():
            if index >= len(pages.items) or (prefetch and index >= end):
                was_read = await ahead.wait()
                if was_read and report is not None and index < len(pages.items):
                    report(len(pages.items), pages.known)
                if index >= len(pages.items):
                    await client.run(pages.reach(index + 1, report=report))
                if index >= len(pages.items):
                    return
                end = pages.page_end(index)
                if prefetch and pages.more and end == len(pages.items):
                    ahead.begin()
            yield pages.items[index]
    finally:
        await ahead.stop()


def impatient(flow: Flow[T]) -> Flow[T]:
    """Return the flow with requests that are not sent again where the server fails."""
    try:
        effect = next(flow)
        while True:
            try:
                reply = yield replace(effect, fail_fast=True) if isinstance(effect, Send) else effect
            except RunqlError as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()


class PageAhead:
    """Reads one page in a thread of its own; the iteration requests the page again where the read failed."""

    def __init__(self, client: RetryingClient, load: Callable[[], Flow[None]]) -> None:
        self._client = client
        self._load = load
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to read; `wait` comes before the next `begin`."""
        # A daemon: an interrupted program need not wait for the page.
        thread = threading.Thread(
            target=copy_context().run, args=(self._read,), name="runql next page", daemon=True
        )
        thread.start()
        self._thread = thread

    def wait(self) -> bool:
        """Wait until the page is here, or its request has failed; return whether one was under way."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        return thread is not None

    def _read(self) -> None:
        with suppress(RunqlError):
            self._client.run(impatient(self._load()))


class AsyncPageAhead:
    """The async twin of `PageAhead`, with a task; only in asyncio, because a task of trio needs a nursery of the caller."""

    def __init__(self, client: AsyncRetryingClient, load: Callable[[], Flow[None]]) -> None:
        self._client = client
        self._load = load
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to read; `wait` comes before the next `begin`."""
        import asyncio  # noqa: PLC0415 - the sync client does not need it

        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._read(), name="runql next page")

    async def wait(self) -> bool:
        """Wait until the page is here, or its request has failed; return whether one was under way."""
        task = self._task
        if task is not None:
            # Cancelled where the caller is.
            await task
            self._task = None
        return task is not None

    async def stop(self) -> None:
        """End the read."""
        import asyncio  # noqa: PLC0415 - as above

        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _read(self) -> None:
        with suppress(RunqlError):
            await self._client.run(impatient(self._load()))
