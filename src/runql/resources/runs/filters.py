"""Filters of runs: sent unchanged, but refused when it is known that they match no run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard

from runql.arguments import shown
from runql.values import Filters, JSONValue, checked_json, plain_container, plain_json

_DATES: Final = frozenset(
    {"created_at", "createdAt", "updated_at", "updatedAt", "heartbeat_at", "heartbeatAt"}
)
COLUMNS: Final = _DATES | {
    *("name", "display_name", "displayName", "state", "group", "job_type", "jobType", "host", "notes"),
    *("description", "commit", "sweep", "user", "username", "entity", "project", "duration"),
}
"""The fields of a run that hold one value, in the server's spelling and in ours."""
_OBJECTS: Final = {"config": "config", "summary_metrics": "summary_metrics", "summary": "summary_metrics"}
_TAKE_FILTERS: Final = frozenset({"$and", "$or", "$nor"})
_TAKE_LISTS: Final = frozenset({"$in", "$nin", "$all"})
_TAKE_VALUES: Final = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"})
# Without "in" and "all", which may be keys of a value itself.
_WITHOUT_DOLLAR: Final = frozenset({"eq", "ne", "gt", "gte", "lt", "lte", "nin", "exists", "regex"})
_STARTS_WITH_YEAR: Final = re.compile(r"\s*\d{4}")


def filter_json(filters: Filters | None) -> str:
    """The filter as the JSON string that the server takes; None and an empty filter are ``{}``.

    Raises:
        TypeError: it is no dict.
        ValueError: it is no JSON, or a part of it matches no run; the error names the field and the right form.
    """
    if filters is None:
        return "{}"
    if not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(
            f"filters must be a dict such as {{'state': 'finished'}}, not {type(filters).__name__}"
        )
    encoded = checked_json(dict(filters), "filters", default=plain_container)
    try:
        given = {key: plain_json(value) for key, value in filters.items()}
        _check_keys(given)
        _check(given)
    except RecursionError:
        raise ValueError("filters must be JSON: they are nested too deeply") from None
    return encoded


def _check_keys(value: JSONValue) -> None:
    """Refuse keys that JSON would turn into str: the server would read them as the names of other fields."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
                raise ValueError(f"filters must be JSON: keys are str, not {shown(key)}")  # noqa: TRY004 - as other JSON
            _check_keys(member)
    elif isinstance(value, list):
        for member in value:
            _check_keys(member)


def _check(filters: Mapping[str, JSONValue]) -> None:
    for field, wanted in filters.items():
        if field in _TAKE_FILTERS:
            if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
                raise ValueError(
                    f"filters: {field} needs a list of filters, such as [{{'state': 'finished'}}]"
                )
            for each in wanted:
                if isinstance(each, dict):
                    _check(each)
        elif not field.startswith("$"):
            _check_field(field, wanted)


def _check_field(field: str, wanted: JSONValue) -> None:
    prefix, dot, rest = field.partition(".")
    if prefix == "summary":
        raise ValueError(
            f"filters: {field!r} is no field of a run: write 'summary_metrics.{rest if dot else '<key>'}'"
        )
    if isinstance(wanted, dict) and _has_operators(wanted):
        for operator, operand in wanted.items():
            _check_operand(field, operator, operand)
        return
    if isinstance(wanted, dict):
        _check_object(field, wanted)
    _check_value(field, wanted, "$in")


def _check_object(field: str, wanted: Mapping[str, JSONValue]) -> None:
    keys = list(wanted)
    if field in _OBJECTS and keys:
        raise ValueError(f"filters: {field!r} is no field of a run: write '{_OBJECTS[field]}.{keys[0]}'")
    if field in COLUMNS or field == "tags" or (keys and _WITHOUT_DOLLAR.issuperset(keys)):
        raise ValueError(
            f"filters: {field!r} is compared with an object, which matches no run: operators begin with $, "
            f"such as {{'{field}': {{'$ne': ...}}}}"
        )


def _check_operand(field: str, operator: str, operand: JSONValue) -> None:
    if operator == "$not" and isinstance(operand, dict) and _has_operators(operand):
        for inner, value in operand.items():
            _check_operand(field, inner, value)
    elif operator in _TAKE_LISTS:
        if not isinstance(operand, list):
            raise ValueError(f"filters: {operator} of {field!r} needs a list, not {type(operand).__name__}")
        for value in operand:
            _check_value(field, value, operator)
    elif operator in _TAKE_VALUES:
        _check_value(field, operand, "$nin" if operator == "$ne" else "$in")


def _check_value(field: str, value: JSONValue, operator: str) -> None:
    """Refuse a value that no run has in this field. The error names ``operator``, which takes several values."""
    if isinstance(value, (list, dict)) and (field in COLUMNS or field == "tags"):
        several = "has any of these tags" if field == "tags" else "is one of these"
        raise ValueError(
            f"filters: {field!r} is compared with a {type(value).__name__}, which matches no run: for a run that "
            f"{several} write {{'{field}': {{'{operator}': [...]}}}}"
        )
    if field in _DATES and value is not None and not _is_date(value):
        raise ValueError(
            f"filters: {field!r} is compared as a date: write a str in ISO 8601 such as '2026-01-31T12:00:00' "
            "(UTC without a zone), as datetime.isoformat() returns it"
        )


def _has_operators(value: Mapping[str, JSONValue]) -> bool:
    return any(key.startswith("$") for key in value)


def _is_date(value: JSONValue) -> TypeGuard[str]:
    return isinstance(value, str) and _STARTS_WITH_YEAR.match(value) is not None
