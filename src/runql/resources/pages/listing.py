"""Cursor pages: reading one or all of them, and the lazy sequences of both clients."""

from __future__ import annotations

import operator
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Protocol, SupportsIndex, TypeVar, overload

from runql.arguments import positive, shown
from runql.bars import checked_progress, reported, reported_in_loop
from runql.errors import NoItemError, PaginationError, SeveralItemsError
from runql.partial_results import allowed_partial
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.pages.iteration import async_items_of, items_of
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.table_formats import RecordTable
from runql.resources.records.tables import MOST_ROWS, Shown, list_table
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, share_read
from runql.transport.lifetime import ForkSafeLock
from runql.transport.single_flight import SingleFlight
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
    from runql_graphql.fragments import PageFields
else:
    globals().update(postponed("AsyncRetryingClient"))

RUN_PER_PAGE: Final = 100
"""Artifacts of a run on one page."""

C = TypeVar("C")
N = TypeVar("N")
T = TypeVar("T")
N_co = TypeVar("N_co", covariant=True)


class Edge(Protocol[N_co]):
    """An edge of a generated connection; the schema lets a server send null in place of most nodes."""

    @property
    def cursor(self) -> str: ...

    @property
    def node(self) -> N_co | None: ...


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
        after: the cursor that the page was requested with, None for the first.
        cursor: the cursor to request the next page with, None when the page is empty.
        more: whether the server reports another page.
        total: how many nodes the server counts over all pages, 0 where it does not count.
        absent: names that were requested and do not exist any more.
    """

    nodes: list[N]
    after: str | None
    cursor: str | None
    more: bool
    total: int
    absent: tuple[str, ...] = ()

    def with_nodes(self, nodes: list[T]) -> Page[T]:
        """The same page with other nodes."""
        return Page(nodes, self.after, self.cursor, self.more, self.total, self.absent)


def read_page(connection: Connection[N], after: str | None) -> Page[N]:
    """Turn a generated connection into a page; see `read_edges`."""
    return read_edges(connection.page_info, connection.edges, after, total=connection.total_count)


def read_edges(info: PageFields, edges: Sequence[Edge[N]], after: str | None, *, total: int = 0) -> Page[N]:
    """Turn the edges of a connection into a page.

    The next cursor is `endCursor`, or the last edge's cursor where the server sends none.

    Raises:
        PaginationError: the server reports more, and sends no cursor or the one that it was asked with, or it sends null
            in place of a node.
    """
    cursor = info.end_cursor or (edges[-1].cursor if edges else None)
    more = info.has_next_page
    if more and cursor in (after, None):
        raise PaginationError(
            f"the server says there is another page but its cursor stands still at {cursor!r}: "
            "what was read so far is kept; the server is at fault, try again later or report it there"
        )
    nodes = [edge.node for edge in edges if edge.node is not None]
    refuse_hidden(len(edges) - len(nodes), "null in place of", after)
    return Page(nodes, after, cursor, more, total)


def require_connection(found: C | None, items: str) -> C:
    """Return the connection of an object that exists; ``items`` says what it lists, such as ``the files of run x``.

    Raises:
        PaginationError: the server sends null in its place, so nobody knows whether there are items.
    """
    if found is None:
        raise PaginationError(
            f"the server sends null in place of {items}: there may be none, or your API key may not see them"
        )
    return found


def refuse_hidden(count: int, what: str, after: str | None) -> None:
    """Refuse a page on which the server hides items; with ``partial="allow"`` the warning reports them.

    Raises:
        PaginationError: there are such items.
    """
    if not count:
        return
    page = "the first page" if after is None else f"the page after cursor {after!r}"
    reason = f"the server sends {what} {count} item(s) on {page} of the list"
    allowed = allowed_partial()
    if allowed is None:
        raise PaginationError(
            f"{reason}: they were deleted, or your API key may not see them; "
            "api.with_options(partial='allow') lists the others"
        )
    allowed.add_parts({f"{count} item(s) on {page}": reason})


def read_all(read: Callable[[str | None], Flow[Page[N]]]) -> Flow[list[N]]:
    """Read every page of a connection, and return all nodes; one request a page.

    Raises:
        PaginationError: the server sends a cursor a second time.
    """
    nodes: list[N] = []
    seen: set[str | None] = set()
    after: str | None = None
    while True:
        page = yield from read(after)
        refuse_circle(page, seen)
        nodes += page.nodes
        if not page.more:
            return nodes
        after = page.cursor


def refuse_circle(page: Page[N], seen: set[str | None]) -> None:
    """Refuse a cursor that the server sent before, and remember this one; see `refuse_seen`."""
    refuse_seen(page, seen)
    seen.add(page.cursor)


def refuse_seen(page: Page[N], seen: set[str | None]) -> None:
    """Refuse a cursor that the server sent before: such a list would never end.

    Raises:
        PaginationError: the server reports another page with a cursor from ``seen``.
    """
    if page.more and page.cursor in seen:
        raise PaginationError(f"the server's pages go in a circle: cursor {page.cursor!r} came before")


class Listing(Generic[N, T]):
    """The pages of a connection that have been read. Several flows may read it at once: each page is requested once.

    A page asks for no more nodes than are needed: up to ``limit``, or for `first` and `one` up to their count. Once a
    page held nodes that are left out, pages are as long as ``per_page`` again, so that few requests find the rest.

    Attributes:
        items: all items read, each once: a list that shifts between two pages shows some nodes twice.
        cursor: the cursor of the last page read.
        more: whether there is another page within the limit; True before the first.
        total: the server's count, whatever the limit; None before the first page.
        newest: the items of the last page read.
    """

    def __init__(
        self,
        read: Callable[[int, str | None], Flow[Page[N]]],
        convert: Callable[[Page[N]], list[T]],
        identity: Callable[[T], str],
        *,
        per_page: int,
        limit: int | None = None,
    ) -> None:
        """Check the sizes.

        Args:
            read: reads the page of this size after this cursor.
            convert: makes the items of a page; it may leave nodes out.
            identity: the same for two items that are the same.
            per_page: nodes a request asks for, at least 1.
            limit: items in all, at least 1; None for all.
        """
        self._per_page = positive("per_page", per_page)
        self._limit = None if limit is None else positive("limit", limit)
        self._leaves_out = False
        self.items: list[T] = []
        self.newest: list[T] = []
        self.cursor: str | None = None
        self.more: bool = True
        self.total: int | None = None
        self._read = read
        self._convert = convert
        self._identity = identity
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._pages = SingleFlight()

    def load_page(self) -> Flow[None]:
        """Read the next page, if there is one; one request, none if another flow reads that page at the same time."""
        before = self.cursor
        yield from self._load_while(lambda: self.more and self.cursor == before)

    def reach(
        self, count: int | None, *, exactly: bool = False, report: Progress | None = None
    ) -> Flow[None]:
        """Read pages until there are ``count`` items, or all pages if None.

        Args:
            count: how many.
            exactly: in pages no longer than needed.
            report: called after each page with the items that were read, and how many there will be.
        """
        if not self._has(count):
            needed = self._reporting(report, count)
            yield from self._load_while(needed, count if exactly else None)

    def _reporting(self, report: Progress | None, count: int | None) -> Callable[[], bool]:
        """Return what says whether another page is needed; it reports first, each page once."""
        reported_items = -1

        def is_needed() -> bool:
            nonlocal reported_items
            if report is not None and self.total is not None and len(self.items) != reported_items:
                reported_items, known = len(self.items), self.known
                report(reported_items, known if count is None or known is None else min(known, count))
            return not self._has(count)

        return is_needed

    def counted(self) -> Flow[int]:
        """Return the server's count, at most the limit; reads the first page if none was read."""
        yield from self._load_while(lambda: self.total is None)
        return min(self.total or 0, self._most)

    @property
    def known(self) -> int | None:
        """How many items there are, as far as what was read shows it; None where it does not."""
        if not self.more:
            return len(self.items)
        return None if self.total is None else min(self.total, self._most)

    def page_end(self, index: int) -> int:
        """Where a page that begins at ``index`` ends, at most the number of items that were read."""
        return min(len(self.items), index + self._per_page)

    def table(self, title: str) -> RecordTable:
        """Return the items of the first page that was read, as a table; reads nothing."""
        first = self.items[: min(self._per_page, MOST_ROWS)]
        return list_table(title, first, read=len(self.items), total=self.known)

    @property
    def _most(self) -> int:
        return sys.maxsize if self._limit is None else self._limit

    def _has(self, count: int | None) -> bool:
        return not self.more or len(self.items) >= min(sys.maxsize if count is None else count, self._most)

    def _load_while(self, is_needed: Callable[[], bool], count: int | None = None) -> Flow[None]:
        yield from share_read(self._pages, is_needed, partial(self._load_next, count))

    def _page_size(self, count: int | None) -> int:
        if self._leaves_out:
            return self._per_page
        missing = min(sys.maxsize if count is None else count, self._most) - len(self.items)
        return min(self._per_page, max(missing, 1))

    def _load_next(self, count: int | None) -> Flow[None]:
        page = yield from self._read(self._page_size(count), self.cursor)
        refuse_seen(page, self._cursors)
        new = self._new_items(self._convert(page))
        self._leaves_out = self._leaves_out or len(new) < len(page.nodes)
        new = new[: self._most - len(self.items)]
        # This order loses nothing if an interrupt comes between two lines: at worst the page is read again.
        self.newest = new
        self.items += new
        self.total = page.total
        self.more = page.more and len(self.items) < self._most
        self.cursor = page.cursor or self.cursor
        self._cursors.add(page.cursor)

    def _new_items(self, items: list[T]) -> list[T]:
        for item in self.items[len(self._seen) :]:
            self._seen.add(self._identity(item))
        new: dict[str, T] = {}
        for item in items:
            new.setdefault(self._identity(item), item)
        return [item for identity, item in new.items() if identity not in self._seen]

    def first(self) -> Flow[T | None]:
        """Return the first item, None if there is none."""
        yield from self.reach(1, exactly=True)
        return self.items[0] if self.items else None

    def one(self, description: str) -> Flow[T]:
        """Return the only item; ``description`` is of the list, for the error.

        Raises:
            NoItemError: there is none.
            SeveralItemsError: there are several.
        """
        yield from self.reach(2, exactly=True)
        if not self.items:
            raise NoItemError(description)
        if len(self.items) > 1:
            raise SeveralItemsError(description)
        return self.items[0]

    def at(self, index: SupportsIndex) -> Flow[T]:
        """Return one item; a negative index reads all pages."""
        position = operator.index(index)
        yield from self.reach(position + 1 if position >= 0 else None)
        return self.items[position]

    def between(self, part: slice, report: Progress | None = None) -> Flow[list[T]]:
        """Return a slice; reads up to its stop, or all pages if the stop is open or negative.

        ``report`` is as in `reach`.
        """
        if part.step == 0:
            raise ValueError("slice step cannot be zero")
        bounds = [bound for bound in (part.start, part.stop) if bound is not None]
        counted_from_end = any(bound < 0 for bound in bounds) or (part.step or 1) < 0
        yield from self.reach(None if counted_from_end else part.stop, report=report)
        return self.items[part]


class UncountedListing(Listing[N, T]):
    """The pages of a connection that the server does not count."""

    @property
    def known(self) -> int | None:
        """As `Listing.known`: the number of items, once all pages are read."""
        return None if self.more else len(self.items)

    def counted(self) -> Flow[int]:
        """Read all pages, and return how many items there are."""
        yield from self.reach(None)
        return len(self.items)


class LazySequence(Shown, SnakeCaseAttributes, Sequence[T], Generic[N, T]):
    """A sequence that reads its pages when an item of them is needed.

    ``in``, `index`, `count` and ``reversed`` work as those of a list, on the items that it returns. Each ``for`` starts
    with the first item and requests no page twice. ``next(items)`` returns the item after the one that the last ``next``
    returned.
    """

    def __init__(
        self, client: RetryingClient, listing: Listing[N, T], progress: Progress | bool | None = None
    ) -> None:
        self._progress = checked_progress(progress)
        self._client = client
        self._listing = listing
        self._prefetch = False
        self._returned = 0
        self._turn = ForkSafeLock()

    def _shown_table(self) -> RecordTable:
        return self._listing.table(repr(self))

    @property
    def cursor(self) -> str | None:
        """The cursor of the last page read, None before the first."""
        return self._listing.cursor

    @property
    def more(self) -> bool:
        """Whether there is another page; True before the first is read."""
        return self._listing.more

    @property
    def length(self) -> int:
        """The server's count of the items, at most the limit. Sends one request, for the first page, if none was read yet."""
        return self._client.run(self._listing.counted())

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[T]:
        listing = self._listing
        with reported_in_loop(self._progress, type(self).__name__, "items", lambda: listing.known) as report:
            yield from items_of(self._client, listing, report, prefetch=self._prefetch)

    def __reversed__(self) -> Iterator[T]:
        # Not by `len`: the server may count more than its pages hold.
        return reversed(self[:])

    def __contains__(self, value: object) -> bool:
        with self._client.call():
            return super().__contains__(value)

    def index(self, value: object, start: int = 0, stop: int = sys.maxsize) -> int:
        """Return the position of the first item that equals ``value``; requests one page after the other until there.

        Raises:
            ValueError: no item from ``start`` until before ``stop`` equals it.
            TypeError: ``start`` or ``stop`` is no int; nothing is sent.
        """
        for name, bound in (("start", start), ("stop", stop)):
            if not hasattr(bound, "__index__"):  # numpy's integers are no int
                raise TypeError(f"{name} must be an int, not {type(bound).__name__}")
        with self._client.call():
            try:
                return super().index(value, start, stop)
            except ValueError as error:
                if error.args:
                    raise
                raise ValueError(f"{shown(value)} is not in the list") from None

    def count(self, value: object) -> int:
        """Return how many items equal ``value``; reads all pages."""
        with self._client.call():
            return super().count(value)

    def __next__(self) -> T:
        # Threads take turns, so that each item is returned once. After a failed request the next call sends it again.
        with self._turn:
            self._client.run(self._listing.reach(self._returned + 1))
            if self._returned >= len(self._listing.items):
                raise StopIteration
            self._returned += 1
            return self._listing.items[self._returned - 1]

    def next(self) -> T:
        """Return the next item, as ``next(items)`` does.

        Raises:
            StopIteration: there is no further item.
        """
        return next(self)

    def first(self) -> T | None:
        """Return the first item, None if there is none.

        Requests: one for a page of one item, if no page was read yet; else none. A list that leaves out a part of what
        the server lists may need more.
        """
        return self._client.run(self._listing.first())

    def one(self) -> T:
        """Return the only item.

        Raises:
            NoItemError: the list is empty.
            SeveralItemsError: it has more than one item.

        Requests: one for a page of two items, if no page was read yet. As `first` otherwise.
        """
        return self._client.run(self._listing.one(repr(self)))

    def convert_objects(self) -> list[T]:
        """Return the items of the last page read; empty before the first."""
        return list(self._listing.newest)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> T | list[T]:
        if isinstance(index, slice):
            with self._bar() as report:
                return self._client.run(self._listing.between(index, report))
        return self._client.run(self._listing.at(index))

    def _bar(self) -> AbstractContextManager[Progress | None]:
        return reported(self._progress, type(self).__name__, "items")


class AsyncLazySequence(Shown, SnakeCaseAttributes, Generic[N, T]):
    """The async twin of `LazySequence`: ``async for``, ``await anext(runs)``, ``await runs[3]``, ``await runs.length``."""

    # Without this, a `for` without `async` would iterate by index and never end: each index gives an awaitable.
    __iter__: ClassVar[None] = None

    def __init__(
        self, client: AsyncRetryingClient, listing: Listing[N, T], progress: Progress | bool | None = None
    ) -> None:
        self._progress = checked_progress(progress)
        self._client = client
        self._listing = listing
        self._prefetch = False
        self._returned = 0
        self._turn = ForkSafeLock()

    def _shown_table(self) -> RecordTable:
        return self._listing.table(repr(self))

    @property
    def cursor(self) -> str | None:
        """The cursor of the last page read, None before the first."""
        return self._listing.cursor

    @property
    def more(self) -> bool:
        """Whether there is another page; True before the first is read."""
        return self._listing.more

    @property
    async def length(self) -> int:
        """The server's count of the items, at most the limit. Sends one request, for the first page, if none
        was read yet.
        """
        return await self._client.run(self._listing.counted())

    async def __aiter__(self) -> AsyncIterator[T]:
        listing = self._listing
        with reported_in_loop(self._progress, type(self).__name__, "items", lambda: listing.known) as report:
            found = async_items_of(self._client, listing, report, prefetch=self._prefetch)
            async with aclosing(found):
                async for item in found:
                    yield item

    async def __anext__(self) -> T:
        while True:
            await self._client.run(self._listing.reach(self._returned + 1))
            # Tasks take turns, and so do threads with their own event loops: each item is returned once.
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
            StopAsyncIteration: there is no further item.
        """
        return await anext(self)

    async def first(self) -> T | None:
        """Return the first item, None if there is none.

        See `LazySequence.first` for its requests and errors.
        """
        return await self._client.run(self._listing.first())

    async def one(self) -> T:
        """Return the only item.

        See `LazySequence.one` for its requests and errors.
        """
        return await self._client.run(self._listing.one(repr(self)))

    def convert_objects(self) -> list[T]:
        """Return the items of the last page read; empty before the first."""
        return list(self._listing.newest)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Awaitable[T]: ...

    @overload
    def __getitem__(self, index: slice) -> Awaitable[list[T]]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Awaitable[T] | Awaitable[list[T]]:
        return self._slice(index) if isinstance(index, slice) else self._client.run(self._listing.at(index))

    async def _slice(self, part: slice) -> list[T]:
        with self._bar() as report:
            return await self._client.run(self._listing.between(part, report))

    def _bar(self) -> AbstractContextManager[Progress | None]:
        return reported(self._progress, type(self).__name__, "items")
