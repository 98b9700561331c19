"""What the address of a project's page asks for: a search, conditions, an order, columns and a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.listing.neighbours import Place
from runql_server.runs.columns import COLUMNS

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

_LISTS: Final = {"is": "$in", "is not": "$nin"}
_SEARCHED: Final = ("display_name", "name", "tags", "notes")
_SUMMARY: Final = ("summary_metrics.", "summaryMetrics.")


@dataclass(frozen=True)
class Condition:
    """One line of the filter, as it was given."""

    field: str
    operator: str
    value: str

    def to_filter(self) -> JsonObject:
        """Return what the listing compiles.

        Raises:
            RequestError: the operator is none of the form, or the value none that the field can have.
        """
        if self.operator not in OPERATORS:
            raise RequestError(
                f"filter: unknown comparison {self.operator[:40]!r}: use {', '.join(OPERATORS)}"
            )
        return {listed(self.field): self._compared()}

    @property
    def _kind(self) -> str:
        column = COLUMNS.get(self.field)
        return "list" if self.field == "tags" else "any" if column is None else column.kind

    def _compared(self) -> JsonObject:
        if self.operator == "contains":
            return {"$regex": "(?i)" + re.escape(self.value)}
        if not self.value and self.operator in _LISTS:
            # An empty form field asks for runs without a value.
            empty: list[JsonValue] = [None, ""] if self._kind in {"list", "any", "text"} else [None]
            return {_LISTS[self.operator]: empty}
        operand = self._operand()
        if self.operator not in _LISTS and (
            isinstance(operand, bool) or not isinstance(operand, int | float | str)
        ):
            raise RequestError(f"filter: {self.operator} needs a number or a string, not {self.value[:40]!r}")
        return {OPERATORS[self.operator]: operand}

    def _operand(self) -> JsonValue:
        """Read the value as JSON where the field may hold any, else as what the field holds."""
        try:
            literal = lenient_json.parse(self.value, what="the value")
        except RequestError:
            literal = self.value
        match self._kind:
            case "list" | "text" | "time":
                # A group may be called 2024; in quotes, also null.
                return literal if literal is None or isinstance(literal, str) else self.value
            case "number" if literal is not None and (
                isinstance(literal, bool) or not isinstance(literal, int | float)
            ):
                raise RequestError(f"filter: {self.field} is a number, not {self.value[:40]!r}")
            case _:
                return literal


@dataclass(frozen=True)
class Wanted:
    """What an address asks for."""

    search: str
    conditions: list[Condition]
    order: str
    columns: list[str]
    place: Place
    framed: bool

    @property
    def sign(self) -> str:
        """``-`` for a descending order, else ``+``."""
        return "-" if self.order.startswith("-") else "+"

    @property
    def field(self) -> str:
        """The field of the order."""
        return self.order[1:] if self.order[:1] in {"+", "-"} else self.order

    @property
    def listed_order(self) -> str:
        """The order, as the listing reads it."""
        return self.sign + listed(self.field)

    @property
    def first(self) -> Wanted:
        """The same at the start of the list."""
        return replace(self, place=Place())

    @classmethod
    def read(cls, query: QueryParams) -> Wanted:
        """Read a query."""
        fields, operators, values = (query.getlist(name) for name in ("field", "operator", "value"))
        given = zip_longest(fields, operators[: len(fields)], values[: len(fields)])
        order = query.get("order", "").strip() or NEWEST
        return cls(
            search=query.get("search", "").strip(),
            conditions=[
                Condition(_own(field.strip()), operator or "is", value or "")
                for field, operator, value in given
                if field.strip()
            ],
            order=order[:1] + _own(order[1:]) if order[0] in "+-" else f"+{_own(order)}",
            columns=list(
                dict.fromkeys(_own(each.strip()) for each in query.getlist("column") if each.strip())
            ),
            place=Place(query.get("after"), query.get("before")),
            framed=query.get("jupyter") == "true",
        )

    def to_filter(self) -> str:
        """Return the filter as the listing reads it."""
        parts: list[JsonValue] = [condition.to_filter() for condition in self.conditions]
        if self.search:
            pattern = "(?i)" + re.escape(self.search)
            parts.append({"$or": [{field: {"$regex": pattern}} for field in _SEARCHED]})
        return lenient_json.dump({"$and": parts}) if parts else ""

    def pairs(self) -> list[tuple[str, str]]:
        """Return names and values of the query, without those that say nothing."""
        several: Sequence[tuple[str, str]] = [
            pair
            for each in self.conditions
            for pair in (("field", each.field), ("operator", each.operator), ("value", each.value))
        ]
        single = {
            "order": "" if self.order == NEWEST else self.order,
            "after": self.place.after,
            "before": self.place.before,
            "jupyter": "true" if self.framed else "",
        }
        return [
            *([("search", self.search)] if self.search else []),
            *several,
            *(("column", column) for column in self.columns),
            *((name, value) for name, value in single.items() if value),
        ]

    def address(self, *more: tuple[str, str]) -> str:
        """Return the query of a link."""
        return "?" + urlencode([*self.pairs(), *more], errors="replace")


def listed(field: str) -> str:
    """Return the name that filters and orders have for a field."""
    return f"summary_metrics.{field.removeprefix('summary.')}" if field.startswith("summary.") else field


def _own(field: str) -> str:
    """Return the name that this page has for a field; users also copy those of filters."""
    prefix = next((each for each in _SUMMARY if field.startswith(each)), None)
    return field if prefix is None else f"summary.{field.removeprefix(prefix)}"
