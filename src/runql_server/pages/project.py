"""The page of a project: a table of runs that is searched, filtered, sorted and paged by the address of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.listing import pages
from runql_server.listing.pages import RunEdge
from runql_server.pages.handlers import Visit
from runql_server.pages.overlay import overlay
from runql_server.pages.run import bare_config, leaves, run_path
from runql_server.runs import runs
from runql_server.runs.runs import Run

SIZE: Final = 50
NEWEST: Final = "-created_at"

OPERATORS: Final = {
    "is": "$eq",
    "is not": "$ne",
    "<": "$lt",
    "≤": "$lte",
    ">": "$gt",
    "≥": "$gte",
    "contains": "$regex",
}
"""What the form offers, and what the listing calls it."""

_FIELDS: Final = ("state", "created_at", "duration", "group", "job_type", "sweep", "user", "host", "notes")
_DEFAULT_FIELDS: Final = ("state", "created_at", "duration", "tags")
_SORTABLE: Final = frozenset({"display_name", *_FIELDS})
# A table of all values of all runs would be as wide as a wall.
_VALUES_BY_DEFAULT: Final = 4


@dataclass(frozen=True)
class Condition:
    """One line of the filter, as it was given."""

    field: str
    operator: str
    value: str

    def to_filter(self) -> JsonObject:
        """Return what the listing compiles.

        Raises:
            RequestError: the operator is none of the form.
        """
        if self.operator not in OPERATORS:
            raise RequestError(f"filter: unknown operator {self.operator[:40]!r}: use {', '.join(OPERATORS)}")
        operand: JsonValue = _literal(self.value)
        if self.operator == "contains":
            operand = "(?i)" + re.escape(self.value)
        elif self.field == "duration" and isinstance(operand, str):
            raise RequestError(f"filter: duration is a number of seconds, not {self.value[:40]!r}")
        return {_listed(self.field): {OPERATORS[self.operator]: operand}}


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
    tags: list[str]
    values: JsonObject


@dataclass(frozen=True)
class Wanted:
    """What the address of the page asks for."""

    search: str
    conditions: list[Condition]
    order: str
    columns: list[str]
    after: str | None
    trail: list[str]

    @property
    def sign(self) -> str:
        """``-`` for a descending order, else ``+``."""
        return "-" if self.order.startswith("-") else "+"

    @property
    def field(self) -> str:
        """The field of the order."""
        return self.order.lstrip("+-")

    @classmethod
    def read(cls, query: QueryParams) -> Wanted:
        """Read a query."""
        given = zip(query.getlist("field"), query.getlist("operator"), query.getlist("value"), strict=False)
        return cls(
            search=query.get("search", "").strip(),
            conditions=[Condition(field.strip(), *rest) for field, *rest in given if field.strip()],
            order=query.get("order") or NEWEST,
            columns=list(dict.fromkeys(query.getlist("column"))),
            after=query.get("after"),
            trail=query.getlist("trail"),
        )

    def to_filter(self) -> str:
        """Return the filter as the listing reads it."""
        parts = [condition.to_filter() for condition in self.conditions]
        if self.search:
            pattern = "(?i)" + re.escape(self.search)
            fields = ("display_name", "name", "tags", "notes")
            parts.append({"$or": [{field: {"$regex": pattern}} for field in fields]})
        return lenient_json.dump({"$and": list(parts)}) if parts else ""

    def address(self, **changes: str | Sequence[str] | None) -> str:
        """Return the query of this page with some parts changed."""
        parts: dict[str, str | Sequence[str] | None] = {
            "search": self.search,
            "field": [each.field for each in self.conditions],
            "operator": [each.operator for each in self.conditions],
            "value": [each.value for each in self.conditions],
            "order": "" if self.order == NEWEST else self.order,
            "column": self.columns,
            **changes,
        }
        return "?" + urlencode({name: part for name, part in parts.items() if part}, doseq=True)

    def back(self) -> str:
        """Return the query of the page before: the trail has the cursors on the way here."""
        *trail, last = self.trail or ["-"]
        return self.address(after="" if last == "-" else last, trail=trail)


def project_page(visit: Visit) -> Response:
    """Show the runs of a project, or the curves of those that the address names."""
    chosen = visit.query.getlist("runs")
    if chosen:
        return overlay(visit, chosen)
    project, wanted, crash_before = visit.project, Wanted.read(visit.query), visit.store.crash_before()
    refused, total, edges, following = "", 0, list[RunEdge](), None
    try:
        filters = wanted.to_filter()
        page = pages.list_runs(
            visit.connection,
            project.number,
            filters=filters,
            order=wanted.sign + _listed(wanted.field),
            first=SIZE,
            after=wanted.after,
            crash_before=crash_before,
        )
        total = pages.count_runs(visit.connection, project.number, filters, crash_before=crash_before)
        edges, following = page.edges, page.page_info.end_cursor if page.page_info.has_next_page else None
    except RequestError as error:
        # The form stays as it was given, so that the mistake can be mended.
        refused = str(error)
    lines = [_line(visit, edge.node) for edge in edges]
    fields = list(dict.fromkeys(field for line in lines for field in line.values))
    columns = wanted.columns or [*_DEFAULT_FIELDS, *_first_values(fields, lines)]
    # What the runs are sorted by is worth seeing.
    columns += [field for field in (wanted.field,) if field in {*_FIELDS, *fields} and field not in columns]
    return visit.page(
        "project.html",
        project=project,
        wanted=wanted,
        refused=refused,
        total=total,
        runs=pages.count_runs(visit.connection, project.number, None, crash_before=crash_before),
        operators=list(OPERATORS),
        choices=sorted({*_FIELDS, "tags", *fields, *columns}),
        columns=[_column(field, wanted) for field in columns],
        chosen=columns,
        name_column=_column("display_name", wanted),
        lines=lines,
        start=len(wanted.trail) * SIZE + 1,
        first=wanted.address(),
        previous=wanted.back() if wanted.after else None,
        following=following and wanted.address(after=following, trail=[*wanted.trail, wanted.after or "-"]),
    )


def _line(visit: Visit, run: Run) -> Line:
    config = bare_config(lenient_json.parse_object(run.config_text, what="config"))
    summary = lenient_json.parse_object(run.summary_text, what="summary")
    values = {f"config.{key}": value for key, value in leaves(config)}
    values |= {f"summary.{key}": value for key, value in leaves(summary) if not key.startswith("_")}
    return Line(run, run_path(run), runs.tags(visit.connection, run.number), values)


def _first_values(fields: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """Choose the first config values that differ between the runs, and the first numbers of the summary."""
    differing = [
        field
        for field in fields
        if field.startswith("config.")
        and len({lenient_json.dump(line.values.get(field)) for line in lines}) > 1
    ]
    numbers = [
        field
        for field in fields
        if field.startswith("summary.") and any(_is_number(line.values.get(field)) for line in lines)
    ]
    return differing[:_VALUES_BY_DEFAULT] + numbers[:_VALUES_BY_DEFAULT]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column(field: str, wanted: Wanted) -> Column:
    if field not in _SORTABLE and not field.startswith(("config.", "summary.")):
        return Column(field, None, "none")
    is_current = wanted.field == field
    sign = "+" if is_current and wanted.sign == "-" else "-"
    way = "none" if not is_current else "descending" if wanted.sign == "-" else "ascending"
    return Column(field, wanted.address(order=sign + field), way)


def _listed(field: str) -> str:
    """Return the name of a field in filters and orders."""
    prefix, dot, rest = field.partition(".")
    if not dot:
        return field
    return f"summary_metrics.{rest}" if prefix == "summary" else field


def _literal(text: str) -> JsonValue:
    """Read a value as JSON where it is some, as in 0.1, true and null; else as a string."""
    try:
        return lenient_json.parse(text, what="the value")
    except RequestError:
        return text
