"""Connections that do not count themselves: the count comes from beside them, or from reading to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from runql.resources.pages.listing import Edge, Listing, Page, read_page
from runql.transport.flow import Flow
from runql_graphql.fragments import PageFields

N = TypeVar("N")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counted(Generic[N]):
    """A connection with a count that came from elsewhere."""

    total_count: int
    page_info: PageFields
    edges: Sequence[Edge[N]]


def read_counted_page(connection: Counted[N], after: str | None) -> Page[N]:
    """As `read_page`."""
    return read_page(connection, after)


def read_sparse_page(page_info: PageFields, edges: Sequence[Edge[N | None]], after: str | None) -> Page[N]:
    """A page of a connection without a count, whose nodes may be null: those are left out.

    Raises:
        PaginationError: the cursor stands still.
    """
    page = read_page(Counted(0, page_info, edges), after)
    nodes = [node for node in page.nodes if node is not None]
    return Page(nodes, page.after, page.cursor, page.more, page.total)


class UncountedListing(Listing[N, T]):
    """What has been read of a connection without a count."""

    def counted(self) -> Flow[int]:
        """How many there are; reads all pages."""
        yield from self.reach(None)
        return len(self.items)
