"""Pages of runs: filter, order and cursor put together."""

# ruff: noqa: S608 - the SQL put together is our own text: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import cursors, runs
from runql_server.bindings import Bindings
from runql_server.errors import RequestError
from runql_server.filters import compile_filters
from runql_server.ordering import parse_order
from runql_server.runs import Run

DEFAULT_FIRST = 50


@dataclass(frozen=True)
class PageInfo:
    """Whether there is more, and the cursors at both ends."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True)
class RunEdge:
    """A run and the cursor that points behind it."""

    cursor: str
    node: Run


@dataclass(frozen=True)
class RunPage:
    """One page of a project's runs; the total is counted only when it is asked for."""

    edges: list[RunEdge]
    page_info: PageInfo
    project: int
    filters: str | None


def check_first(first: int | None, default: int = DEFAULT_FIRST) -> int:
    """The page size to use; a negative one is refused."""
    if first is not None and first < 0:
        raise RequestError(f"first: must not be negative, got {first}")
    return default if first is None else first


def page_info(page_cursors: list[str], *, more: bool, after: str | None) -> PageInfo:
    """Describe a page by the cursors of its rows."""
    start, end = (page_cursors[0], page_cursors[-1]) if page_cursors else (None, None)
    return PageInfo(more, bool(after), start, end)


def page(
    connection: sqlite3.Connection,
    project: int,
    *,
    filters: str | None,
    order: str | None,
    first: int | None,
    after: str | None,
    crash_before: str,
) -> RunPage:
    """Up to ``first`` runs behind the cursor."""
    size = check_first(first)
    bindings = Bindings(project=project, crash_before=crash_before)
    wanted = parse_order(order, bindings)
    condition = compile_filters(filters, bindings)
    beyond = wanted.beyond(cursors.decode(wanted.text, after), bindings) if after else "1"
    # Sort narrow rows only: the wide texts of the page's runs are read afterwards.
    query = f"""
        SELECT id, sort_key FROM (
            SELECT runs.id AS id, {wanted.expression} AS sort_key {runs.FROM}
            WHERE runs.project_id = :project AND {condition}
        ) WHERE {beyond} ORDER BY {wanted.clause} LIMIT {bindings.bind(size + 1)}"""
    rows = connection.execute(query, bindings).fetchall()
    keys = {
        row["id"]: cursors.encode(wanted.text, cursors.Position(row["sort_key"], row["id"]))
        for row in rows[:size]
    }
    found = runs.by_numbers(connection, list(keys), crash_before=crash_before)
    edges = [RunEdge(keys[run.number], run) for run in found]
    info = page_info([edge.cursor for edge in edges], more=len(rows) > size, after=after)
    return RunPage(edges, info, project, filters)


def count(connection: sqlite3.Connection, project: int, filters: str | None, *, crash_before: str) -> int:
    """How many runs of the project the filter lets through."""
    bindings = Bindings(project=project, crash_before=crash_before)
    condition = compile_filters(filters, bindings)
    query = f"SELECT COUNT(*) {runs.FROM} WHERE runs.project_id = :project AND {condition}"
    return int(connection.execute(query, bindings).fetchone()[0])
