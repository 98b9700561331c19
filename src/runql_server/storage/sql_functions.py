"""Functions for SQL conditions: regular expressions, and lists that are stored as JSON strings."""

from __future__ import annotations

import sqlite3

from runql_server import lenient_json
from runql_server.lenient_json import JsonValue
from runql_server.storage import regexes


def register(connection: sqlite3.Connection) -> None:
    """Register the functions with a connection."""
    connection.create_function("matches", 3, _matches, deterministic=True)
    connection.create_function("holds_all", 2, _holds_all, deterministic=True)
    connection.create_function("list_size", 1, _list_size, deterministic=True)


def _matches(pattern: str, options: str, text: object) -> bool:
    return isinstance(text, str) and regexes.compiled(pattern, options).is_in(text)


def _holds_all(text: str, wanted: str) -> bool:
    """Check that the list contains each of the wanted values."""
    items = [_comparable(item) for item in _items(text)]
    return all(_comparable(value) in items for value in _items(wanted))


def _list_size(text: str) -> int:
    return len(_items(text))


def _items(text: str) -> list[JsonValue]:
    document = lenient_json.parse(text, what="list")
    return document if isinstance(document, list) else []


def _comparable(value: JsonValue) -> tuple[str, object]:
    """Convert to a form that compares by kind: a bool equals no number, and NaN equals nothing."""
    match value:
        case bool():
            return "bool", value
        case int() | float():
            return "number", value if value == value else object()  # noqa: PLR0124 - only NaN differs from itself
        case str():
            return "text", value
        case _:
            return "json", lenient_json.dump(value)
