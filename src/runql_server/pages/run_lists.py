"""Lists that belong to a run and have pages of their own: its files, its console log, and the steps of a medium."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from runql_server.errors import RequestError
from runql_server.pages.handlers import Visit
from runql_server.pages.parts import console, files
from runql_server.pages.parts.media import MediaReader
from runql_server.pages.run import run_of, run_path

_MOST_DIGITS: Final = 15


def files_page(visit: Visit) -> Response:
    """List the files of a run, by name, with a search."""
    run, query = run_of(visit), visit.query
    part = query.get("search", "")
    found = files.some(visit.connection, run, after=query.get("after", ""), part=part, most=files.PAGE)
    return visit.page("run_files.html", run=run, path_here=run_path(run), files=found, part=part)


def console_page(visit: Visit) -> Response:
    """Show a page of the console log: the last lines, or those before a line."""
    run = run_of(visit)
    found = console.before(visit.connection, run.number, _line(visit, "before"), most=console.PAGE)
    return visit.page(
        "run_console.html", run=run, path_here=run_path(run), console=found, page_size=console.PAGE
    )


def media_page(visit: Visit) -> Response:
    """Show the steps of one key that has media, newest first; without a key, list those that have any."""
    run, query = run_of(visit), visit.query
    key = query.get("key", "")
    reader = MediaReader(visit.store, visit.connection, run)
    found, earlier = reader.steps(key, before=_line(visit, "before"))
    return visit.page(
        "run_media.html",
        run=run,
        path_here=run_path(run),
        key=key,
        media=found,
        earlier=earlier,
        is_chosen="key" in query,
        keys=[] if "key" in query else reader.keys(),
    )


def _line(visit: Visit, name: str) -> int | None:
    given = visit.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS):
        raise RequestError(f"{name}: the number of a line, not {given[:80]!r}")
    return int(given)
