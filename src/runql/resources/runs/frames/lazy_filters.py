"""Server filters for predicates on the columns of runs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from runql.frames.asked_types import AskedType
from runql.frames.lazy.predicates import Comparison, Literal
from runql.values import JSONValue

_FIELDS: Final = {
    "id": "name",
    "name": "display_name",
    "state": "state",
    "group": "group",
    "job_type": "job_type",
    "user": "username",
    "sweep_name": "sweep",
}
"""Columns that a filter compares as the frame shows them, and their names in filters."""

_PARTS: Final = {"config.": "config.", "summary.": "summary_metrics."}
_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*")
_OPPOSITES: Final = {"Lt": "$gte", "LtEq": "$gt", "Gt": "$lte", "GtEq": "$lt"}
_NUMBERS: Final = frozenset({"Int64", "Float64"})
_MOST_EXACT: Final = 2**53


def run_filter(found: Sequence[Comparison], types: Mapping[str, AskedType]) -> dict[str, JSONValue] | None:
    """Return a filter that matches every run for which the comparisons hold; None where there is none.

    It may match more runs: polars compares again. ``types`` are those of the columns of config and summary.
    """
    parts = [part for each in found if (part := _part(each, types)) is not None]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"$and": [*parts]}


def both(filters: Mapping[str, JSONValue], more: Mapping[str, JSONValue] | None) -> dict[str, JSONValue]:
    """Return the filter that matches what both match."""
    if more is None or not filters:
        return dict(filters if more is None else more)
    return {"$and": [dict(filters), dict(more)]}


def _part(each: Comparison, types: Mapping[str, AskedType]) -> dict[str, JSONValue] | None:
    if each.column == "tags":
        (tag, *others) = each.values
        is_tag = each.operator == "Contains" and not others and isinstance(tag, str)
        return {"tags": tag} if is_tag else None
    if each.operator == "Contains":
        return None
    field = _FIELDS.get(each.column)
    if field is not None:
        return (
            _one_of(field, each) if all(isinstance(value, str) and value for value in each.values) else None
        )
    asked = types.get(each.column)
    for prefix, own in _PARTS.items():
        key = each.column.removeprefix(prefix)
        # A key with dots is a path, too; `value` is a level of stored configs.
        if key != each.column and asked is not None and _SIMPLE.fullmatch(key) and key != "value":
            return _of_value(own + key, each, asked)
    return None


def _of_value(field: str, each: Comparison, asked: AskedType) -> dict[str, JSONValue] | None:
    if asked.name == "String":
        # The frame has other values as their JSON, which a filter does not compare.
        is_plain = all(isinstance(value, str) and value and not _is_json(value) for value in each.values)
        return _one_of(field, each) if is_plain else None
    if asked.name not in _NUMBERS or not all(_is_number(value) for value in each.values):
        return None
    if each.operator not in _OPPOSITES:
        # True and False are 1 and 0 in the frame, and no numbers in a filter.
        return _one_of(field, each) if not {*each.values} & {0, 1} else None
    # The opposite: the server orders no NaN, infinity or bool.
    opposite: dict[str, JSONValue] = {field: {_OPPOSITES[each.operator]: each.values[0]}}
    return {"$and": [{field: {"$exists": True}}, {"$nor": [opposite]}]}


def _one_of(field: str, each: Comparison) -> dict[str, JSONValue] | None:
    if each.operator not in ("Eq", "In"):
        return None
    return {field: each.values[0] if len(each.values) == 1 else {"$in": [*each.values]}}


def _is_number(value: Literal) -> bool:
    if isinstance(value, (bool, str)):
        return False
    return math.isfinite(value) and abs(value) < _MOST_EXACT


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
