"""Console lines of a run: parses the lines that the SDK posts, and pages them."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from runql_server.listing import cursors
from runql_server.listing.pages import check_first, page_info
from runql_server.runs import lines

_DEFAULT = 1000
_MOST = 10_000

# "ERROR " marks stderr; then a UTC timestamp (up to nanoseconds), one blank and the line itself.
_PLAIN = re.compile(r"(ERROR )?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)Z? (.*)", re.DOTALL)


@dataclass(frozen=True)
class LogLine:
    """One line; attribute names are those of the schema."""

    number: int
    timestamp: str | None
    level: str
    label: str
    line: str


def parse_line(number: int, text: str) -> LogLine:
    """Parse a posted line; one of another form becomes the content of the line."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return LogLine(number, None, "", "", text)
    mark, moment, line = match.groups()
    return LogLine(number, moment, "error" if mark else "", "", line)


def page(
    connection: sqlite3.Connection, run: int, *, first: int | None, last: int | None, after: str | None
) -> dict[str, object] | None:
    """Return a connection of lines, or ``None`` when the run printed nothing."""
    total = lines.line_count(connection, "log_lines", run)
    if total == 0:
        return None
    start = cursors.decode_number("lines", after, start=-1)
    size = min(check_first(last if last is not None else first, _DEFAULT), _MOST)
    if last is not None:
        start = max(start, total - size - 1)
    query = "SELECT line, text FROM log_lines WHERE run_id = ? AND line > ? ORDER BY line LIMIT ?"
    found = connection.execute(query, (run, start, size + 1)).fetchall()
    marks = [cursors.encode_number("lines", row["line"]) for row in found[:size]]
    edges = [{"node": parse_line(row["line"], row["text"])} for row in found[:size]]
    return {"edges": edges, "page_info": page_info(marks, more=len(found) > size, after=after)}
