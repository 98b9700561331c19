"""Run filters: the Mongo-like JSON of the API, compiled to one SQL condition with bound parameters."""

from __future__ import annotations

import re
from collections.abc import Callable

from runql_server import jsontext
from runql_server.bindings import Bindings
from runql_server.columns import COLUMNS, value_paths
from runql_server.errors import RequestError
from runql_server.jsontext import JsonObject, JsonValue
from runql_server.subjects import ColumnSubject, Subject, TagsSubject, ValueSubject

_DEEPEST = 50
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_LOGICAL = ("$and", "$or", "$nor")


class FilterError(RequestError):
    """The filter cannot be understood; the text names the key or operator."""


def compile_filters(text: str | None, bindings: Bindings) -> str:
    """Turn the JSON text of a filter into a condition over ``runs``, ``projects`` and ``entities``.

    Several keys in one object mean "and". Values compare with values of their own kind only: a number is never equal
    to, greater or less than a text, a bool is not a number, NaN equals nothing. A missing value (or null) equals null
    only, so ``$ne`` and ``$nin`` hold for it.
    """
    if text is None or not text.strip():
        return "1"
    try:
        document = jsontext.parse_object(text, what="filters")
    except RequestError as error:
        raise FilterError(str(error)) from error
    return _compile(document, bindings, 0)


def _compile(document: JsonObject, bindings: Bindings, depth: int) -> str:
    if depth > _DEEPEST:
        raise FilterError(f"filters: nested more than {_DEEPEST} levels deep")
    parts = [_member(key, value, bindings, depth) for key, value in document.items()]
    return join("AND", parts, empty="1")


def _member(key: str, value: JsonValue, bindings: Bindings, depth: int) -> str:
    if key in _LOGICAL:
        return _logical(key, value, bindings, depth)
    if key.startswith("$"):
        raise FilterError(f"filters: unknown operator {key!r}")
    subject = _subject(key, bindings)
    if isinstance(value, dict):
        parts = [_operator(key, subject, name, operand) for name, operand in value.items()]
        if not parts:
            raise FilterError(f"filters: {key!r} has an empty object where an operator is expected")
        return join("AND", parts, empty="1")
    return subject.equals(value)


def _logical(operator: str, value: JsonValue, bindings: Bindings, depth: int) -> str:
    if not isinstance(value, list):
        raise FilterError(f"filters: {operator} needs a list of objects")
    parts: list[str] = []
    for item in value:
        if not isinstance(item, dict):
            raise FilterError(f"filters: {operator} needs a list of objects")
        parts.append(_compile(item, bindings, depth + 1))
    match operator:
        case "$and":
            return join("AND", parts, empty="1")
        case "$or":
            return join("OR", parts, empty="0")
        case _:
            return f"NOT {join('OR', parts, empty='0')}"


def _subject(key: str, bindings: Bindings) -> Subject:
    if key == "tags":
        return TagsSubject(bindings)
    if key in COLUMNS:
        return ColumnSubject(COLUMNS[key], bindings)
    paths = value_paths(key)
    if paths is None:
        raise FilterError(
            f"filters: unknown key {key!r}: use a column ({', '.join(sorted(COLUMNS))}, tags), config.* or "
            "summary_metrics.*"
        )
    return ValueSubject(paths, bindings)


def _operator(key: str, subject: Subject, name: str, operand: JsonValue) -> str:
    if name in _COMPARISONS:
        if isinstance(operand, bool) or not isinstance(operand, int | float | str):
            raise FilterError(f"filters: {name} of {key!r} needs a number or a text")
        return subject.compares(_COMPARISONS[name], operand)
    handler = _OPERATORS.get(name)
    if handler is None:
        known = ", ".join([*_OPERATORS, *_COMPARISONS])
        raise FilterError(f"filters: unknown operator {name!r} of {key!r}: known are {known}")
    return handler(key, subject, operand)


def _eq(_key: str, subject: Subject, operand: JsonValue) -> str:
    return subject.equals(operand)


def _ne(_key: str, subject: Subject, operand: JsonValue) -> str:
    return f"NOT {subject.equals(operand)}"


def _in(key: str, subject: Subject, operand: JsonValue) -> str:
    if not isinstance(operand, list):
        raise FilterError(f"filters: $in and $nin of {key!r} need a list")
    return subject.is_any_of(operand)


def _nin(key: str, subject: Subject, operand: JsonValue) -> str:
    return f"NOT {_in(key, subject, operand)}"


def _exists(key: str, subject: Subject, operand: JsonValue) -> str:
    if not isinstance(operand, bool):
        raise FilterError(f"filters: $exists of {key!r} needs true or false")
    return subject.exists() if operand else f"NOT {subject.exists()}"


def _regex(key: str, subject: Subject, operand: JsonValue) -> str:
    if not isinstance(operand, str):
        raise FilterError(f"filters: $regex of {key!r} needs a text")
    try:
        re.compile(operand)
    except re.error as error:
        raise FilterError(f"filters: $regex of {key!r} is not a regular expression: {error}") from error
    return subject.matches(operand)


_OPERATORS: dict[str, Callable[[str, Subject, JsonValue], str]] = {
    "$eq": _eq,
    "$ne": _ne,
    "$in": _in,
    "$nin": _nin,
    "$exists": _exists,
    "$regex": _regex,
}


def join(word: str, parts: list[str], *, empty: str) -> str:
    """Join conditions as a balanced tree: SQLite limits the depth of an expression, not its size."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = join(word, parts[:middle], empty=empty), join(word, parts[middle:], empty=empty)
    return f"({left} {word} {right})"
