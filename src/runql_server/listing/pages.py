"""Pages of lists: combines filter, order and cursor, for runs and for other rows."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runql_server.errors import RequestError
from runql_server.listing import cursors
from runql_server.listing.bindings import Bindings
from runql_server.listing.filters import compile_filters
from runql_server.listing.ordering import Order, parse_order
from runql_server.runs import runs
from runql_server.runs.runs import Run

DEFAULT_FIRST = 50

OF_PROJECT = "runs.project_id = :scope"
"""Scope of a run listing: the runs of one project."""


@dataclass(frozen=True)
class PageInfo:
    """Whether there are more rows, and the cursors of the first and last row."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True)
class RunEdge:
    """A run and its cursor, after which the next page starts."""

    cursor: str
    node: Run


@dataclass(frozen=True)
class RunPage:
    """One page of runs; a resolver counts the total only when a query selects it."""

    edges: list[RunEdge]
    page_info: PageInfo
    number: int
    scope: str
    filters: str | None


@dataclass(frozen=True)
class RowPage:
    """The row numbers of a page and their cursors, in order."""

    cursors: dict[int, str]
    info: PageInfo


def check_first(first: int | None, default: int = DEFAULT_FIRST) -> int:
    """Return the page size to use; refuses a negative one."""
    if first is not None and first < 0:
        raise RequestError(f"first: must not be negative, got {first}")
    return default if first is None else first


def page_info(page_cursors: list[str], *, more: bool, after: str | None) -> PageInfo:
    """Make the page info from the cursors of the rows."""
    start, end = (page_cursors[0], page_cursors[-1]) if page_cursors else (None, None)
    return PageInfo(more, bool(after), start, end)


class Numbered(Protocol):
    """A record with a row number."""

    @property
    def number(self) -> int:
        """Row number."""
        ...


def in_row_order(
    kind: str, found: Sequence[Numbered], size: int, *, after: str | None, **more: object
) -> dict[str, object]:
    """Make a connection over rows in row order; a row beyond ``size`` means that there is another page."""
    marks = [cursors.encode_number(kind, each.number) for each in found[:size]]
    edges = [{"cursor": mark, "node": each} for mark, each in zip(marks, found, strict=False)]
    return {"edges": edges, "page_info": page_info(marks, more=len(found) > size, after=after), **more}


def list_rows(
    connection: sqlite3.Connection,
    source: str,
    bindings: Bindings,
    order: Order,
    *,
    number: str,
    first: int | None,
    after: str | None,
) -> RowPage:
    """List up to ``first`` row numbers after the cursor.

    ``source`` is FROM and WHERE, ``number`` the expression of the row number. The query sorts narrow rows; the caller
    reads the wide columns of the page's rows.
    """
    size = check_first(first)
    beyond = order.beyond(cursors.decode(order.text, after), bindings) if after else "1"
    query = f"""
        SELECT id, sort_key FROM (SELECT {number} AS id, {order.expression} AS sort_key {source})
        WHERE {beyond} ORDER BY {order.clause} LIMIT {bindings.bind(size + 1)}"""
    found = connection.execute(query, bindings).fetchall()
    marks = {
        row["id"]: cursors.encode(order.text, cursors.Position(row["sort_key"], row["id"]))
        for row in found[:size]
    }
    return RowPage(marks, page_info(list(marks.values()), more=len(found) > size, after=after))


def list_runs(
    connection: sqlite3.Connection,
    number: int,
    *,
    filters: str | None,
    order: str | None,
    first: int | None,
    after: str | None,
    crash_before: str,
    scope: str = OF_PROJECT,
) -> RunPage:
    """List up to ``first`` runs after the cursor; ``scope`` is a condition in which ``:scope`` is ``number``."""
    bindings = Bindings(scope=number, crash_before=crash_before)
    wanted = parse_order(order, bindings)
    condition = compile_filters(filters, bindings)
    source = f"{runs.FROM} WHERE {scope} AND {condition}"
    chosen = list_rows(connection, source, bindings, wanted, number="runs.id", first=first, after=after)
    found = runs.by_numbers(connection, list(chosen.cursors), crash_before=crash_before)
    edges = [RunEdge(chosen.cursors[run.number], run) for run in found]
    return RunPage(edges, chosen.info, number, scope, filters)


def count_runs(
    connection: sqlite3.Connection,
    number: int,
    filters: str | None,
    *,
    crash_before: str,
    scope: str = OF_PROJECT,
) -> int:
    """Count the runs of the scope that match the filter."""
    bindings = Bindings(scope=number, crash_before=crash_before)
    condition = compile_filters(filters, bindings)
    query = f"SELECT COUNT(*) {runs.FROM} WHERE {scope} AND {condition}"
    return int(connection.execute(query, bindings).fetchone()[0])
