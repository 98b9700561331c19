"""The console output of a run: `ConsoleLogs`, `AsyncConsoleLogs`, and one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from runql.arguments import positive
from runql.errors import PaginationError
from runql.paths import RunAddress
from runql.postponed import postponed
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, Listing, Page, require_connection
from runql.resources.records.identity import require_run
from runql.resources.records.tables import described
from runql.times import parse_time
from runql.transport.flow import Flow, fetch
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import LogLineFields
from runql_graphql.operations import get_last_log_lines, list_log_lines

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
    from runql_graphql.list_log_lines import ListLogLinesProjectRun
else:
    globals().update(postponed("AsyncRetryingClient"))

LINES_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ConsoleLogLine:
    """A line of a run's console output.

    Attributes:
        number: its place in the log, from 0.
        timestamp: when it was written, in UTC; None where the server returns none.
        level: ``error`` for the standard error stream, else empty.
        label: the process that wrote it, where several write to one run; else empty.
        content: the line, without its end.
    """

    number: int
    timestamp: datetime | None
    level: str
    label: str
    content: str


class ConsoleLogs(LazySequence[ConsoleLogLine, ConsoleLogLine]):
    """The console output of a run, oldest line first, as a lazy list; see `Run.console_logs`."""

    def __init__(
        self,
        client: RetryingClient,
        run: RunAddress,
        per_page: int = LINES_PER_PAGE,
        last: int | None = None,
    ) -> None:
        self._run = run
        super().__init__(client, LogListing(LogQuery.checked(run, per_page, last)))

    def __repr__(self) -> str:
        return described("ConsoleLogs", self._run)


class AsyncConsoleLogs(AsyncLazySequence[ConsoleLogLine, ConsoleLogLine]):
    """The async twin of `ConsoleLogs`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        run: RunAddress,
        per_page: int = LINES_PER_PAGE,
        last: int | None = None,
    ) -> None:
        self._run = run
        super().__init__(client, LogListing(LogQuery.checked(run, per_page, last)))

    def __repr__(self) -> str:
        return described("AsyncConsoleLogs", self._run)


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A checked query for console lines.

    Attributes:
        run: the run that wrote them.
        per_page: lines a request.
        last: only so many of the newest lines; None for all.
    """

    run: RunAddress
    per_page: int
    last: int | None = None

    @classmethod
    def checked(cls, run: RunAddress, per_page: int, last: int | None) -> LogQuery:
        """Check what a caller gave.

        Raises:
            ValueError: ``per_page`` or ``last`` below 1.
            TypeError: one of them is no int.
        """
        return cls(run, positive("per_page", per_page), None if last is None else positive("last", last))


class LogListing(Listing[ConsoleLogLine, ConsoleLogLine]):
    """The lines of a log that were read so far."""

    def __init__(self, query: LogQuery) -> None:
        self._query = query
        super().__init__(
            self._page,
            lambda page: page.nodes,
            lambda line: f"{line.label}/{line.number}",
            per_page=query.per_page,
        )

    def counted(self) -> Flow[int]:
        """The number of lines. Reads the first page when none was read, and all pages where the server does not count."""
        if self.total is None:
            yield from self.load_page()
        if (self.total or 0) < 0:
            yield from self.reach(None)
        return (self.total or 0) if self.more else len(self.items)

    def _page(self, size: int, after: str | None) -> Flow[Page[ConsoleLogLine]]:
        if self._query.last is None:
            return (yield from self._following(replace(self._query, per_page=size), after))
        return (yield from self._tail(self._query.last))

    def _following(self, query: LogQuery, after: str | None) -> Flow[Page[ConsoleLogLine]]:
        """The page after a cursor; read again, once, when it is empty and the server counts more lines."""
        start = self.items[-1].number + 1 if self.items else 0
        page = yield from page_after(query, after, start)
        missing = page.total - start
        if page.nodes or page.more or missing <= 0:
            return page
        page = yield from page_after(query, after, start)
        if not page.nodes:
            raise PaginationError(
                f"the server returned {start} of {page.total} console lines of run {query.run}: "
                f"{missing} are missing; what was read so far is kept"
            )
        return page

    def _tail(self, last: int) -> Flow[Page[ConsoleLogLine]]:
        """The newest lines. Where the server returns fewer than requested, pages from the start give the rest."""
        lines, count = yield from last_lines(self._query.run, last)
        wanted = count - last
        if lines and count >= 0 and lines[0].number > max(wanted, 0):
            lines = [*(yield from self._lines_between(max(wanted, 0), lines[0].number)), *lines]
        return Page(lines, None, None, more=False, total=len(lines))

    def _lines_between(self, start: int, stop: int) -> Flow[list[ConsoleLogLine]]:
        earlier = LogListing(replace(self._query, last=None))
        while earlier.more and not (earlier.items and earlier.items[-1].number >= stop - 1):
            yield from earlier.load_page()
        return [line for line in earlier.items if start <= line.number < stop]


def page_after(query: LogQuery, after: str | None, start: int) -> Flow[Page[ConsoleLogLine]]:
    """A page of lines; one request. The first has the number ``start`` where the server does not number them.

    Its total is -1 where the server does not count. There is another page when the server says so, or counts more lines:
    some servers end a page early and do not report another.
    """
    run = query.run
    response = yield from fetch(
        list_log_lines(
            entity=run.entity, project=run.project, run=run.run_id, first=query.per_page, after=after
        )
    )
    found: ListLogLinesProjectRun = require_run(response.project, run.entity, run.project, run.run_id)
    if found.log_lines is None and found.log_line_count == 0:
        return Page([], after, None, more=False, total=0)
    connection = require_connection(found.log_lines, f"the console lines of run {run}")
    lines = numbered([edge.node for edge in connection.edges], start)
    count = -1 if found.log_line_count is None else found.log_line_count
    cursor = connection.page_info.end_cursor
    ends_early = bool(lines) and lines[-1].number + 1 < count
    more = connection.page_info.has_next_page or ends_early
    if more and cursor in (after, None):
        read = lines[-1].number + 1 if lines else start
        raise PaginationError(
            f"the server's cursor stands still at {cursor!r} after {read} of {count} console lines of run {run}: "
            "what was read so far is kept"
        )
    return Page(lines, after, cursor, more, count)


def last_lines(run: RunAddress, last: int) -> Flow[tuple[list[ConsoleLogLine], int]]:
    """The newest lines, at most ``last``, and how many the server counts (-1 when it does not); one request."""
    response = yield from fetch(
        get_last_log_lines(entity=run.entity, project=run.project, run=run.run_id, last=last)
    )
    found = require_run(response.project, run.entity, run.project, run.run_id)
    count = -1 if found.log_line_count is None else found.log_line_count
    if found.log_lines is None and count == 0:
        return [], 0
    edges = require_connection(found.log_lines, f"the console lines of run {run}").edges
    nodes = [edge.node for edge in edges]
    return numbered(nodes, max(count - len(nodes), 0)), count


def numbered(nodes: Sequence[LogLineFields], start: int) -> list[ConsoleLogLine]:
    """The lines. One without a number gets the number after the previous line."""
    lines: list[ConsoleLogLine] = []
    for fields in nodes:
        number = start if fields.number is None else fields.number
        start = number + 1
        lines.append(
            ConsoleLogLine(
                number, utc_time(fields.timestamp), fields.level or "", fields.label or "", fields.line or ""
            )
        )
    return lines


def utc_time(timestamp: str | None) -> datetime | None:
    """A timestamp of the server in UTC: without a zone it is UTC, and digits beyond microseconds are dropped."""
    if not timestamp:
        return None
    try:
        return parse_time(timestamp)
    except ValueError:
        return None
