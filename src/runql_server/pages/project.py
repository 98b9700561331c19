"""The page of a project: a table of runs that is searched, filtered, sorted and paged by the address of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from starlette.responses import Response

from runql_server import lenient_json
from runql_server.access import accounts
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.listing import pages, value_paths
from runql_server.listing.neighbours import Neighbours, Place, RunList
from runql_server.pages.handlers import Visit
from runql_server.pages.overlay import overlay
from runql_server.pages.rendering import LONGEST, compact
from runql_server.pages.run import bare_config, leaves, run_path
from runql_server.pages.wanted import NEWEST, OPERATORS, Wanted, listed
from runql_server.runs import runs
from runql_server.runs.runs import Run

SIZE: Final = 50
"""Runs of a page."""

MOST_CHOICES: Final = 200
"""Columns that the form offers by a box; others are written."""

MOST_COLUMNS: Final = 100

_SORTABLE: Final = (
    "state", "created_at", "heartbeat_at", "duration", "group", "job_type", "sweep", "user", "host", "commit",
    "notes", "name",
)  # fmt: skip
_FIELDS: Final = (*_SORTABLE, "tags")
_DEFAULT_FIELDS: Final = ("state", "created_at", "duration", "tags")
# A table of all values of all runs would be as wide as a wall.
_VALUES_BY_DEFAULT: Final = 4


@dataclass(frozen=True)
class Column:
    """One column; ``sort`` is the address of the same page in its order, ``sorted`` as in ``aria-sort``."""

    field: str
    sort: str | None
    sorted: str


@dataclass(frozen=True)
class Line:
    """One run of the table."""

    run: Run
    path: str
    user: str
    tags: list[str]
    values: JsonObject


def project_page(visit: Visit) -> Response:
    """Show the runs of a project, or the curves of those that the address names."""
    chosen = [part for part in visit.query.getlist("runs") if part.strip(",")]
    if chosen:
        return overlay(visit, chosen)
    asked = Wanted.read(visit.query)
    # The form stays as it was given, so that a mistake can be mended; an order or a place that is none is left out.
    attempts = (asked, asked.first, replace(asked.first, order=NEWEST))
    problems: list[str] = []
    wanted, found, total = asked.first, Neighbours([], 0, has_next=False), 0
    for attempt in attempts:
        try:
            found, total = _list(visit, attempt), _count(visit, attempt.to_filter())
            wanted = attempt
            break
        except RequestError as error:
            problems.append(str(error))
    if "compare" in visit.query:
        problems.append("Choose the runs to compare first.")
    lines = [_line(visit, run) for run in found.runs]
    fields = _fields(lines)
    columns = [field for field in wanted.columns if field != "display_name"]
    columns = columns or _default_columns(visit, wanted, lines)
    if len(columns) > MOST_COLUMNS:
        problems.append(
            f"{len(columns) - MOST_COLUMNS:,} columns are left out: a table has {MOST_COLUMNS} at most."
        )
    columns = columns[:MOST_COLUMNS]
    # What the runs are sorted by is worth seeing.
    if wanted.order != NEWEST and wanted.field not in {"display_name", *columns}:
        columns = [*columns, wanted.field]
    choices = list(dict.fromkeys([*columns, *_FIELDS, *fields]))
    return visit.page(
        "project.html",
        project=visit.project,
        wanted=wanted,
        problems=list(dict.fromkeys(problems)),
        total=total,
        runs=_count(visit, ""),
        operators=list(OPERATORS),
        choices=choices[:MOST_CHOICES],
        more_choices=len(choices[MOST_CHOICES:]),
        columns=[_column(field, wanted) for field in columns],
        name_column=_column("display_name", wanted),
        lines=lines,
        start=found.ahead + 1,
        previous=_at(wanted, Place(before=lines[0].run.name)) if lines and found.ahead else None,
        following=_at(wanted, Place(after=lines[-1].run.name)) if found.has_next else None,
    )


def _list(visit: Visit, wanted: Wanted) -> Neighbours:
    listing = RunList(
        visit.connection,
        visit.project.number,
        wanted.to_filter(),
        wanted.listed_order,
        visit.store.crash_before(),
    )
    return listing.page(wanted.place, SIZE)


def _count(visit: Visit, filters: str) -> int:
    return pages.count_runs(
        visit.connection, visit.project.number, filters, crash_before=visit.store.crash_before()
    )


def _at(wanted: Wanted, place: Place) -> str:
    return replace(wanted, place=place).address()


def _line(visit: Visit, run: Run) -> Line:
    config = bare_config(lenient_json.parse_object(run.config_text, what="config"))
    summary = lenient_json.parse_object(run.summary_text, what="summary")
    values = {f"config.{key}": value for key, value in leaves(config)}
    values |= {f"summary.{key}": value for key, value in leaves(summary) if not key.startswith("_")}
    user = accounts.user_by_number(visit.connection, run.user_number).username
    return Line(run, run_path(run), user, runs.tags(visit.connection, run.number), values)


def _fields(lines: Sequence[Line]) -> list[str]:
    """Return the fields of values, but for keys that are whole documents: no table has room for one."""
    found = dict.fromkeys(field for line in lines for field in line.values)
    return [field for field in found if len(field) <= LONGEST]


def _default_columns(visit: Visit, wanted: Wanted, lines: Sequence[Line]) -> list[str]:
    """Choose columns by the newest runs that match, so that neither order nor place changes them."""
    newest = replace(wanted.first, order=NEWEST)
    if wanted != newest and lines:
        lines = [_line(visit, run) for run in _list(visit, newest).runs]
    return [*_DEFAULT_FIELDS, *_first_values(lines)]


def _first_values(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the first config values that differ between the runs, and the first numbers of the summary."""
    fields = _fields(lines)
    differing = (
        field
        for field in fields
        if field.startswith("config.") and len({compact(line.values.get(field)) for line in lines}) > 1
    )
    numbers = (
        field
        for field in fields
        if field.startswith("summary.") and any(_is_number(line.values.get(field)) for line in lines)
    )
    yield from islice(differing, _VALUES_BY_DEFAULT)
    yield from islice(numbers, _VALUES_BY_DEFAULT)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column(field: str, wanted: Wanted) -> Column:
    if field not in {"display_name", *_SORTABLE} and value_paths.find(listed(field)) is None:
        return Column(field, None, "none")
    is_current = wanted.field == field
    sign = "+" if is_current and wanted.sign == "-" else "-"
    way = "none" if not is_current else "descending" if wanted.sign == "-" else "ascending"
    return Column(field, replace(wanted.first, order=sign + field).address(), way)
