"""Cursor pages: read one, read until enough, and a lazy sequence over them for each face."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Protocol, SupportsIndex, TypeVar, overload

from runql.errors import PaginationError
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.flow import Flow, share_read
from runql.transport.lifetime import ForkSafeLock
from runql.transport.single_flight import SingleFlight
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
    from runql_graphql.fragments import PageFields

RUN_PER_PAGE: Final = 100
"""Artifacts of a run that a request asks for."""

N = TypeVar("N")
T = TypeVar("T")
N_co = TypeVar("N_co", covariant=True)


class Edge(Protocol[N_co]):
    """An edge of a generated connection."""

    @property
    def cursor(self) -> str: ...

    @property
    def node(self) -> N_co: ...


class Connection(Protocol[N_co]):
    """A generated connection."""

    @property
    def total_count(self) -> int: ...

    @property
    def page_info(self) -> PageFields: ...

    @property
    def edges(self) -> Sequence[Edge[N_co]]: ...


@dataclass(frozen=True, slots=True)
class Page(Generic[N]):
    """One page of a connection.

    Attributes:
        nodes: in the server's order.
        after: the cursor that this page was asked with, None for the first.
        cursor: what the next page is asked with, None when the page is empty.
        more: whether the server says there is another page.
        total: how many nodes all pages hold.
    """

    nodes: list[N]
    after: str | None
    cursor: str | None
    more: bool
    total: int

    @classmethod
    def empty(cls, after: str | None) -> Page[N]:
        """What a connection that is null holds."""
        return cls([], after, None, more=False, total=0)


def read_page(connection: Connection[N], after: str | None) -> Page[N]:
    """Turn a generated connection into a page; `endCursor` wins, the last edge's cursor stands in.

    Raises:
        PaginationError: the server says there is more, and gives the cursor it was asked with, or none.
    """
    edges = connection.edges
    cursor = connection.page_info.end_cursor or (edges[-1].cursor if edges else None)
    more = connection.page_info.has_next_page
    if more and cursor in (after, None):
        raise PaginationError(
            f"the server says there is another page but its cursor stands still at {cursor!r}: "
            "what was read so far is kept; the server is at fault, try again later or report it there"
        )
    return Page([edge.node for edge in edges], after, cursor, more, connection.total_count)


def refuse_circle(page: Page[N], seen: set[str | None]) -> None:
    """As `refuse_seen`, and note the page's cursor."""
    refuse_seen(page, seen)
    seen.add(page.cursor)


def refuse_seen(page: Page[N], seen: set[str | None]) -> None:
    """Refuse a cursor that came before: such a list would never end.

    Raises:
        PaginationError: there is more, and the cursor was seen.
    """
    if page.more and page.cursor in seen:
        raise PaginationError(f"the server's pages go in a circle: cursor {page.cursor!r} came before")


class Listing(Generic[N, T]):
    """What has been read of a connection so far. Several flows may read it at the same time: each page is fetched once.

    Attributes:
        items: what was read, without repeats: a list that shifts between two pages shows some nodes twice.
        cursor: of the last page read.
        more: whether another page is there; True before the first.
        total: how many the server counts, None before the first page.
        newest: the items of the last page read.
    """

    def __init__(
        self,
        read: Callable[[str | None], Flow[Page[N]]],
        convert: Callable[[Page[N]], list[T]],
        identity: Callable[[T], str],
    ) -> None:
        self.items: list[T] = []
        self.newest: list[T] = []
        self.cursor: str | None = None
        self.more = True
        self.total: int | None = None
        self._read = read
        self._convert = convert
        self._identity = identity
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._pages = SingleFlight()

    def load_page(self) -> Flow[None]:
        """Read the next page, when there is one; one request, none when another flow reads that page meanwhile."""
        before = self.cursor
        yield from self._load_while(lambda: self.more and self.cursor == before)

    def reach(self, count: int | None) -> Flow[None]:
        """Read pages until ``count`` items are there, or all when None."""
        if not self._has(count):
            yield from self._load_while(lambda: not self._has(count))

    def counted(self) -> Flow[int]:
        """The server's count; reads the first page when none was read."""
        yield from self._load_while(lambda: self.total is None)
        return self.total or 0

    def _has(self, count: int | None) -> bool:
        return not self.more or (count is not None and len(self.items) >= count)

    def _load_while(self, is_needed: Callable[[], bool]) -> Flow[None]:
        yield from share_read(self._pages, is_needed, self._load_next)

    def _load_next(self) -> Flow[None]:
        page = yield from self._read(self.cursor)
        refuse_seen(page, self._cursors)
        new = self._new_items(self._convert(page))
        # In this order an interrupt between any two lines loses nothing: at worst the page is read again.
        self.newest = new
        self.items += new
        self.total = page.total
        self.more = page.more
        self.cursor = page.cursor or self.cursor
        self._cursors.add(page.cursor)

    def _new_items(self, items: list[T]) -> list[T]:
        for item in self.items[len(self._seen) :]:
            self._seen.add(self._identity(item))
        new: dict[str, T] = {}
        for item in items:
            new.setdefault(self._identity(item), item)
        return [item for identity, item in new.items() if identity not in self._seen]

    def at(self, index: SupportsIndex) -> Flow[T]:
        """One item; a negative index needs all pages."""
        position = operator.index(index)
        yield from self.reach(position + 1 if position >= 0 else None)
        return self.items[position]

    def between(self, part: slice) -> Flow[list[T]]:
        """A slice; reads no further than its stop, or everything when that is open or counted from the end."""
        if part.step == 0:
            raise ValueError("slice step cannot be zero")
        bounds = [bound for bound in (part.start, part.stop) if bound is not None]
        counted_from_end = any(bound < 0 for bound in bounds) or (part.step or 1) < 0
        yield from self.reach(None if counted_from_end else part.stop)
        return self.items[part]


class LazySequence(SnakeCaseAttributes, Generic[N, T]):
    """Items read page by page as they are looked at.

    Each ``for`` starts with the first item, without asking again for what was read; ``next(items)`` goes on behind the
    item that the last ``next`` returned.
    """

    def __init__(self, client: RetryingClient, listing: Listing[N, T]) -> None:
        self._client = client
        self._listing = listing
        self._returned = 0
        self._turn = ForkSafeLock()

    @property
    def cursor(self) -> str | None:
        """The cursor of the last page read, None before the first."""
        return self._listing.cursor

    @property
    def more(self) -> bool:
        """Whether another page is there; True before the first is read."""
        return self._listing.more

    @property
    def length(self) -> int:
        """How many items the server counts. Sends one request, the first page, when none was read yet."""
        return self._client.run(self._listing.counted())

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[T]:
        index = 0
        while True:
            self._client.run(self._listing.reach(index + 1))
            if index >= len(self._listing.items):
                return
            yield self._listing.items[index]
            index += 1

    def __next__(self) -> T:
        # Threads take turns: each item is returned once. A request that fails returns none, and the next call asks again.
        with self._turn:
            self._client.run(self._listing.reach(self._returned + 1))
            if self._returned >= len(self._listing.items):
                raise StopIteration
            self._returned += 1
            return self._listing.items[self._returned - 1]

    def next(self) -> T:
        """Return the next item, as ``next(items)`` does.

        Raises:
            StopIteration: the last item was returned already.
        """
        return next(self)

    def convert_objects(self) -> list[T]:
        """The items of the last page that was read; empty before the first."""
        return list(self._listing.newest)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> T | list[T]:
        if isinstance(index, slice):
            return self._client.run(self._listing.between(index))
        return self._client.run(self._listing.at(index))


class AsyncLazySequence(SnakeCaseAttributes, Generic[N, T]):
    """As `LazySequence`, awaited: ``async for``, ``await anext(runs)``, ``await runs[3]``, ``await runs.length``."""

    # Without this a forgotten `async` would iterate by index, without end: each index gives an awaitable.
    __iter__: ClassVar[None] = None

    def __init__(self, client: AsyncRetryingClient, listing: Listing[N, T]) -> None:
        self._client = client
        self._listing = listing
        self._returned = 0
        self._turn = ForkSafeLock()

    @property
    def cursor(self) -> str | None:
        """The cursor of the last page read, None before the first."""
        return self._listing.cursor

    @property
    def more(self) -> bool:
        """Whether another page is there; True before the first is read."""
        return self._listing.more

    @property
    async def length(self) -> int:
        """How many items the server counts. Sends one request, the first page, when none was read yet."""
        return await self._client.run(self._listing.counted())

    async def __aiter__(self) -> AsyncIterator[T]:
        index = 0
        while True:
            await self._client.run(self._listing.reach(index + 1))
            if index >= len(self._listing.items):
                return
            yield self._listing.items[index]
            index += 1

    async def __anext__(self) -> T:
        while True:
            await self._client.run(self._listing.reach(self._returned + 1))
            # Tasks, and threads with event loops of their own, return each item once.
            with self._turn:
                is_complete = not self._listing.more
                if self._returned < len(self._listing.items):
                    self._returned += 1
                    return self._listing.items[self._returned - 1]
            if is_complete:
                raise StopAsyncIteration

    async def next(self) -> T:
        """Return the next item, as ``anext(items)`` does.

        Raises:
            StopAsyncIteration: the last item was returned already.
        """
        return await anext(self)

    def convert_objects(self) -> list[T]:
        """As `LazySequence.convert_objects`."""
        return list(self._listing.newest)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Awaitable[T]: ...

    @overload
    def __getitem__(self, index: slice) -> Awaitable[list[T]]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Awaitable[T] | Awaitable[list[T]]:
        if isinstance(index, slice):
            return self._client.run(self._listing.between(index))
        return self._client.run(self._listing.at(index))
