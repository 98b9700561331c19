"""Filters: the Mongo-like JSON of the API, compiled to one SQL condition with bound parameters."""

from __future__ import annotations

import re
from collections.abc import Callable

from runql_server import jsontext
from runql_server.bindings import Bindings
from runql_server.columns import COLUMNS, value_paths
from runql_server.errors import RequestError
from runql_server.jsontext import JsonObject, JsonValue
from runql_server.subjects import ColumnSubject, ListSubject, Subject, ValueSubject

_DEEPEST = 50
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_LOGICAL = ("$and", "$or", "$nor")

SubjectOf = Callable[[str, Bindings], Subject]
"""Finds what a key is about; raises ``FilterError`` for an unknown one."""


class FilterError(RequestError):
    """The filter cannot be understood; the text names the key or operator."""


def run_subject(key: str, bindings: Bindings) -> Subject:
    """What a key of a run filter is about: SQL over ``runs``, ``projects`` and ``entities``."""
    if key == "tags":
        return ListSubject("FROM run_tags WHERE run_tags.run_id = runs.id", "tag", bindings)
    if key in COLUMNS:
        return ColumnSubject(COLUMNS[key], bindings)
    paths = value_paths(key)
    if paths is None:
        raise unknown_key(
            key, f"use a column ({', '.join(sorted(COLUMNS))}, tags), config.* or summary_metrics.*"
        )
    return ValueSubject(paths, bindings)


def unknown_key(key: str, advice: str) -> FilterError:
    """The error for a key that no subject stands behind."""
    return FilterError(f"filters: unknown key {key!r}: {advice}")


def compile_filters(text: str | None, bindings: Bindings, subject_of: SubjectOf = run_subject) -> str:
    """Turn the JSON text of a filter into a condition over what ``subject_of`` speaks of: runs if nothing is said.

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
    return _Compiler(bindings, subject_of).all_of(document, 0)


class _Compiler:
    """Walks one filter document."""

    def __init__(self, bindings: Bindings, subject_of: SubjectOf) -> None:
        self._bindings = bindings
        self._subject_of = subject_of

    def all_of(self, document: JsonObject, depth: int) -> str:
        if depth > _DEEPEST:
            raise FilterError(f"filters: nested more than {_DEEPEST} levels deep")
        parts = [self._member(key, value, depth) for key, value in document.items()]
        return join("AND", parts, empty="1")

    def _member(self, key: str, value: JsonValue, depth: int) -> str:
        if key in _LOGICAL:
            return self._logical(key, value, depth)
        if key.startswith("$"):
            raise FilterError(f"filters: unknown operator {key!r}")
        subject = self._subject_of(key, self._bindings)
        if isinstance(value, dict):
            parts = [_operator(key, subject, name, operand) for name, operand in value.items()]
            if not parts:
                raise FilterError(f"filters: {key!r} has an empty object where an operator is expected")
            return join("AND", parts, empty="1")
        return subject.equals(value)

    def _logical(self, operator: str, value: JsonValue, depth: int) -> str:
        if not isinstance(value, list):
            raise FilterError(f"filters: {operator} needs a list of objects")
        parts: list[str] = []
        for item in value:
            if not isinstance(item, dict):
                raise FilterError(f"filters: {operator} needs a list of objects")
            parts.append(self.all_of(item, depth + 1))
        match operator:
            case "$and":
                return join("AND", parts, empty="1")
            case "$or":
                return join("OR", parts, empty="0")
            case _:
                return f"NOT {join('OR', parts, empty='0')}"


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
