"""Pages of runs that begin after a run, or end before one: links name a run, however long its sort value is."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from runql_server.errors import RequestError
from runql_server.listing.bindings import Bindings
from runql_server.listing.cursors import Position
from runql_server.listing.filters import compile_filters
from runql_server.listing.ordering import Order, parse_order
from runql_server.listing.pages import OF_PROJECT
from runql_server.runs import runs
from runql_server.runs.runs import Run


@dataclass(frozen=True)
class Place:
    """Where a page is: after the run of this id, or before it, or at the start."""

    after: str | None = None
    before: str | None = None


@dataclass(frozen=True)
class Neighbours:
    """The runs of one page; ``ahead`` counts the runs before the first of them."""

    runs: list[Run]
    ahead: int
    has_next: bool


@dataclass(frozen=True)
class RunList:
    """The runs of a project in an order; ``filters`` is the JSON string of a filter."""

    connection: sqlite3.Connection
    project: int
    filters: str
    order: str
    crash_before: str

    def page(self, place: Place, size: int) -> Neighbours:
        """Return the page at a place. Going back never ends on a part of a page: the first one is full.

        Raises:
            RequestError: the order or the filter is not valid, or the run of the place is gone.
        """
        if place.before:
            found = self._rows(
                size + 1, lambda order, bound: order.ahead(self._position(place.before), bound), back=True
            )
            if len(found) <= size:
                return self.page(Place(), size)
            return self._neighbours(found[:size][::-1], has_next=True)
        if place.after:
            found = self._rows(
                size + 1, lambda order, bound: order.beyond(self._position(place.after), bound)
            )
        else:
            found = self._rows(size + 1, lambda _order, _bound: "1")
        return self._neighbours(found[:size], has_next=len(found) > size)

    def _neighbours(self, numbers: list[int], *, has_next: bool) -> Neighbours:
        found = runs.by_numbers(self.connection, numbers, crash_before=self.crash_before)
        ahead = self._count_ahead(found[0].name) if found else 0
        return Neighbours(found, ahead, has_next)

    def _rows(
        self, limit: int, condition: Callable[[Order, Bindings], str], *, back: bool = False
    ) -> list[int]:
        order, bindings, source = self._source()
        clause = order.reversed_clause if back else order.clause
        query = (
            f"SELECT id FROM ({source}) WHERE {condition(order, bindings)} ORDER BY {clause} LIMIT {limit:d}"
        )
        return [row["id"] for row in self.connection.execute(query, bindings)]

    def _count_ahead(self, name: str) -> int:
        order, bindings, source = self._source()
        query = f"SELECT COUNT(*) FROM ({source}) WHERE {order.ahead(self._position(name), bindings)}"
        return int(self.connection.execute(query, bindings).fetchone()[0])

    def _position(self, name: str | None) -> Position:
        bindings = Bindings(scope=self.project, crash_before=self.crash_before)
        order = parse_order(self.order, bindings)
        query = f"""SELECT runs.id, {order.expression} AS sort_key {runs.FROM}
                    WHERE {OF_PROJECT} AND runs.name = {bindings.bind(name)}"""
        row = self.connection.execute(query, bindings).fetchone()
        if row is None:
            raise RequestError(f"the run {str(name)[:140]!r}, where this page begins, is gone")
        return Position(row["sort_key"], row["id"])

    def _source(self) -> tuple[Order, Bindings, str]:
        bindings = Bindings(scope=self.project, crash_before=self.crash_before)
        order = parse_order(self.order, bindings)
        condition = compile_filters(self.filters, bindings)
        source = (
            f"SELECT runs.id, {order.expression} AS sort_key {runs.FROM} WHERE {OF_PROJECT} AND {condition}"
        )
        return order, bindings, source
