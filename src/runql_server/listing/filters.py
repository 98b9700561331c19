"""Filters: compiles the MongoDB-like JSON of the API to one SQL condition with bound parameters."""

from __future__ import annotations

from collections.abc import Callable

from runql_server import lenient_json
from runql_server.errors import FilterError, RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.listing import value_paths
from runql_server.listing.bindings import Bindings
from runql_server.listing.subjects import ColumnSubject, ListSubject, Subject, ValueSubject, join
from runql_server.runs.columns import COLUMNS
from runql_server.storage import regexes
from runql_server.storage.regexes import PatternError

_DEEPEST = 50
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_LOGICAL = ("$and", "$or", "$nor")

SubjectOf = Callable[[str, Bindings], Subject]
"""Returns the subject of a key; raises ``FilterError`` for an unknown key."""


def run_subject(key: str, bindings: Bindings) -> Subject:
    """Return the subject of a key in a run filter, in SQL over ``runs``, ``projects`` and ``entities``."""
    if key == "tags":
        return ListSubject(key, "FROM run_tags WHERE run_tags.run_id = runs.id", "tag", bindings)
    if key in COLUMNS:
        return ColumnSubject(key, COLUMNS[key], bindings)
    paths = value_paths.find(key)
    if paths is None:
        raise unknown_key(
            key, f"use a column ({', '.join(sorted(COLUMNS))}, tags), config.* or summary_metrics.*"
        )
    return ValueSubject(paths, bindings)


def unknown_key(key: str, advice: str) -> FilterError:
    """Make the error for a key without a subject."""
    return FilterError(f"filters: unknown key {key!r}: {advice}")


def compile_filters(text: str | None, bindings: Bindings, subject_of: SubjectOf = run_subject) -> str:
    """Compile the JSON string of a filter to a condition over the subjects of ``subject_of``, by default runs.

    Several keys in one object mean "and". Values compare only with values of their own kind: a number never equals,
    exceeds or precedes a string, a bool is not a number, and NaN equals nothing. A missing value (or null) equals only
    null, so ``$ne``, ``$nin`` and ``$not`` match it. The compiler refuses a value that a column can never hold.
    """
    if text is None or not text.strip():
        return "1"
    try:
        document = lenient_json.parse_object(text, what="filters")
    except RequestError as error:
        raise FilterError(str(error)) from error
    return _Compiler(bindings, subject_of).all_of(document, 0)


class _Compiler:
    """Compiles one filter document, recursively."""

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
            hint = ": it belongs behind a key, or use $nor" if key == "$not" else ""
            raise FilterError(f"filters: unknown operator {key!r}{hint}")
        subject = self._subject_of(key, self._bindings)
        if isinstance(value, dict):
            return _operators(key, subject, value, depth)
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


def _operators(key: str, subject: Subject, document: JsonObject, depth: int) -> str:
    """Compile an object of operators on one subject."""
    if not document:
        raise FilterError(f"filters: {key!r} has an empty object where an operator is expected")
    if depth > _DEEPEST:
        raise FilterError(f"filters: nested more than {_DEEPEST} levels deep")
    options = document.get("$options", "")
    if "$options" in document and "$regex" not in document:
        raise FilterError(f"filters: $options of {key!r} needs a $regex beside it")
    parts: list[str] = []
    for name, operand in document.items():
        if name == "$regex":
            parts.append(_regex(key, subject, operand, options))
        elif name == "$not":
            parts.append(_not(key, subject, operand, depth))
        elif name != "$options":
            parts.append(_operator(key, subject, name, operand))
    return join("AND", parts, empty="1")


def _operator(key: str, subject: Subject, name: str, operand: JsonValue) -> str:
    if name in _COMPARISONS:
        if isinstance(operand, bool) or not isinstance(operand, int | float | str):
            raise FilterError(f"filters: {name} of {key!r} needs a number or a string")
        return subject.compares(_COMPARISONS[name], operand)
    handler = _OPERATORS.get(name)
    if handler is None:
        known = ", ".join([*_OPERATORS, *_COMPARISONS, "$regex", "$options", "$not"])
        raise FilterError(f"filters: unknown operator {name!r} of {key!r}: known are {known}")
    return handler(key, subject, operand)


def _not(key: str, subject: Subject, operand: JsonValue, depth: int) -> str:
    if not isinstance(operand, dict):
        raise FilterError(f"filters: $not of {key!r} needs an object of operators")
    return f"NOT {_operators(key, subject, operand, depth + 1)}"


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


def _all(key: str, subject: Subject, operand: JsonValue) -> str:
    if not isinstance(operand, list):
        raise FilterError(f"filters: $all of {key!r} needs a list")
    # As in MongoDB: $all of an empty list matches nothing.
    return subject.holds_all(operand) if operand else "0"


def _size(key: str, subject: Subject, operand: JsonValue) -> str:
    if isinstance(operand, bool) or not isinstance(operand, int) or operand < 0:
        raise FilterError(f"filters: $size of {key!r} needs a whole number that is not negative")
    return subject.has_size(operand)


def _exists(key: str, subject: Subject, operand: JsonValue) -> str:
    if not isinstance(operand, bool):
        raise FilterError(f"filters: $exists of {key!r} needs true or false")
    return subject.exists() if operand else f"NOT {subject.exists()}"


def _regex(key: str, subject: Subject, operand: JsonValue, options: JsonValue) -> str:
    if not isinstance(operand, str):
        raise FilterError(f"filters: $regex of {key!r} needs a string")
    if not isinstance(options, str) or not set(options) <= set(regexes.OPTIONS):
        letters = ", ".join(regexes.OPTIONS)
        raise FilterError(f"filters: $options of {key!r} needs letters out of {letters}")
    try:
        regexes.compiled(operand, options)
    except PatternError as error:
        raise FilterError(f"filters: $regex of {key!r} is not a regular expression: {error}") from error
    return subject.matches(operand, options)


_OPERATORS: dict[str, Callable[[str, Subject, JsonValue], str]] = {
    "$eq": _eq,
    "$ne": _ne,
    "$in": _in,
    "$nin": _nin,
    "$all": _all,
    "$size": _size,
    "$exists": _exists,
}
