"""Connections of users' operations: what one must have, and reading it page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from runql.errors import PaginationError
from runql.transport.flow import Flow, fetch
from runql.transport.queries.operation import (
    ModelT,
    SupportsOperation,
    checked_operation,
    declared_operations,
)

NodeT = TypeVar("NodeT")
NodeT_co = TypeVar("NodeT_co", covariant=True)


class SupportsPageInfo(Protocol):
    """The ``pageInfo`` of a connection."""

    @property
    def end_cursor(self) -> str | None: ...

    @property
    def has_next_page(self) -> bool: ...


class SupportsEdge(Protocol[NodeT_co]):
    """An edge of a connection."""

    @property
    def node(self) -> NodeT_co: ...


class SupportsConnection(Protocol[NodeT_co]):
    """A connection that a client can follow: ``pageInfo { endCursor hasNextPage }`` and ``edges { node { … } }``."""

    @property
    def page_info(self) -> SupportsPageInfo:
        """The cursor of the next page, and whether there is one."""
        ...

    @property
    def edges(self) -> Sequence[SupportsEdge[NodeT_co]]:
        """The page's edges, each with its ``node``."""
        ...


class PageReader(Generic[ModelT, NodeT]):
    """Reads the pages of a connection in order.

    Attributes:
        more: whether there is another page; True before the first.
    """

    def __init__(
        self,
        operation: SupportsOperation[ModelT],
        connection: Callable[[ModelT], SupportsConnection[NodeT] | None],
        cursor: str,
    ) -> None:
        """Check the arguments.

        Raises:
            TypeError: a part of the operation is absent, or ``connection`` is no function.
            ValueError: the operation is a mutation, or declares no variable of the name ``cursor``.
        """
        self._operation = checked_operation(operation)
        name = self._operation.name
        if self._operation.kind != "query":
            raise ValueError(f"pages are read by queries, and {name} is a {self._operation.kind}")
        declared = declared_operations(self._operation.document)[name].variables
        if cursor not in declared:
            raise ValueError(
                f"{name} declares no variable {cursor!r} for the cursor: write query {name}(…, ${cursor}: String) and "
                f"pass it to the connection, or name another variable by cursor=; it has {sorted(declared)}"
            )
        if not callable(connection):
            raise TypeError(
                f"connection must be a function, not {type(connection).__name__}: connection=lambda data: data.runs"
            )
        self.more: bool = True
        self._connection = connection
        self._cursor = cursor
        self._seen: set[object] = {self._operation.variables.get(cursor)}

    def read(self) -> Flow[list[NodeT]]:
        """Request the next page and return its nodes.

        Raises:
            PaginationError: the connection is null, or the server sends no cursor or one that was used before.
            TypeError: the connection lacks a part.
        """
        data = yield from fetch(self._operation)
        page = self._connection(data)
        if page is None:
            raise PaginationError(
                f"the connection in the response to {self._operation.name} is null, so the list would end too early: "
                "its owner does not exist, or the API key may not see it"
            )
        return self._nodes(self._operation.name, page)

    def _nodes(self, name: str, page: SupportsConnection[NodeT]) -> list[NodeT]:
        try:
            cursor = page.page_info.end_cursor
            self.more = page.page_info.has_next_page
            nodes = [edge.node for edge in page.edges]
        except AttributeError as error:
            raise TypeError(
                f"{name} selects no connection there, it has no {error.name!r}: "
                "select pageInfo { endCursor hasNextPage } and edges { node { … } }"
            ) from error
        if self.more and not cursor:
            raise PaginationError(f"the server says that {name} has another page, and sends no cursor for it")
        if self.more and cursor in self._seen:
            raise PaginationError(
                f"the pages of {name} go in a circle: cursor {cursor!r} came before; "
                f"check that the query passes ${self._cursor} to the connection"
            )
        self._seen.add(cursor)
        variables = {**self._operation.variables, self._cursor: cursor}
        self._operation = replace(self._operation, variables=variables)
        return nodes
