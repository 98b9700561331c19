"""Finding the best run of a sweep: the first run in order that has a value to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from runql.resources.pages.listing import refuse_circle
from runql.resources.runs.order import is_by_value, is_rankable, ordered_value
from runql.resources.runs.query import RunQuery, list_full_page
from runql.transport.flow import Flow
from runql.values import JSONValue
from runql_graphql.fragments import FullRunFields

PER_PAGE: Final = 50
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "+": ("best", "min", "last", "mean", "max", "first"),
    "-": ("best", "max", "last", "mean", "min", "first"),
}
"""The members that `define_metric(summary=...)` makes of a metric, by the order's sign; the first one present counts."""


def find_best(query: RunQuery) -> Flow[FullRunFields | None]:
    """The first run that has a finite value of what the query is ordered by; None where no run has one.

    One request where the first run has it. Otherwise pages of 50 are read until a run has it. Where the value is an
    object, such as ``{"max": 0.3}``, the search starts again, ordered by its member.
    """
    seen: set[str | None] = set()
    page = yield from list_full_page(query.sized(1), None)
    while True:
        for fields in page.nodes:
            value = ordered_value(query.order, fields) if is_by_value(query.order) else ""
            if is_rankable(value):
                return fields
            if member := _member(value, query.order[0]):
                return (yield from find_best(replace(query, order=f"{query.order}.{member}")))
        if not page.more:
            return None
        refuse_circle(page, seen)
        page = yield from list_full_page(query.sized(PER_PAGE), page.cursor)


def _member(value: JSONValue, sign: str) -> str | None:
    if not isinstance(value, dict):
        return None
    return next((name for name in MEMBERS[sign] if name in value and is_rankable(value[name])), None)
