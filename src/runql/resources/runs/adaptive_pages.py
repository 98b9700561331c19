"""Pages of runs with much in each run: halved where one is too much for the server, down to a run that is passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from runql.errors import QueryError, RequestTimedOutError, ServerFailureError
from runql.resources.pages.listing import Page, refuse_circle
from runql.resources.runs.query import RunQuery, list_light_page
from runql.transport.flow import Flow

if TYPE_CHECKING:
    from runql_graphql.fragments import RunFields

# What a page that is too much for a server looks like from here; anything else is no reason to ask for less.
OVERLOAD = (ServerFailureError, RequestTimedOutError, QueryError)
GOOD_PAGES = 4


class ListedRun(Protocol):
    """A node of a list of runs."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=ListedRun)
Ask: TypeAlias = Callable[[RunQuery, str | None, bool], Flow[Page[N]]]
"""Asks for the page behind a cursor, and gives up at the first failure where the last argument says so."""


class HeavyPages(Generic[N]):
    """The pages of a list, one after the other, each a request.

    A page that is too much (a failure, a timeout or a GraphQL error) is halved at once, down to one run; its size grows
    back only after a few good pages, because each page that is too much may cost a whole timeout. A run that cannot be
    read even alone is passed over, by a request for its id.

    Attributes:
        size: runs that the next page asks for.
        more: whether another page is there.
        has_read: whether any run was read.
        failed: ids of the runs that were passed over.
        reason: why the last of them was.
    """

    def __init__(self, query: RunQuery, ask: Ask[N], size: int | None = None) -> None:
        self.size = query.per_page if size is None else size
        self.more = True
        self.has_read = False
        self.failed: list[str] = []
        self.reason = ""
        self._query = query
        self._ask = ask
        self._after: str | None = None
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._wanted = self.size
        self._good_pages = 0

    def read(self) -> Flow[Page[N] | None]:
        """Ask for the next page; None when runs that cannot be read were the last. `take` goes on behind it."""
        while self.more:
            spares = self.size > 1
            try:
                return (yield from self._ask(self._query.sized(self.size), self._after, spares))
            except OVERLOAD as error:
                if spares:
                    self.size, self._good_pages = (self.size + 1) // 2, 0
                else:
                    self._skip((yield from list_light_page(self._query.sized(1), self._after)), str(error))
        return None

    def take(self, page: Page[N]) -> list[N]:
        """Go on behind a page, and give its runs without those that an earlier one showed.

        Raises:
            PaginationError: the pages go in a circle.
        """
        refuse_circle(page, self._cursors)
        shown = {node.id: node for node in page.nodes if node.id not in self._seen}
        self._seen.update(shown)
        self.has_read = self.has_read or bool(shown)
        self._after, self.more = page.cursor, page.more
        self._good_pages += 1
        if self._good_pages >= GOOD_PAGES:
            self.size, self._good_pages = min(self.size * 2, self._wanted), 0
        return [*shown.values()]

    def aim(self, size: int) -> None:
        """Say how many runs a page should hold; a page that was halved still grows by its own rule."""
        self.size = size if self.size == self._wanted else min(self.size, size)
        self._wanted = size

    def _skip(self, page: Page[RunFields], reason: str) -> None:
        self.failed += [run.name for run in page.nodes]
        self.reason = reason
        self._after, self.more = page.cursor, page.more
