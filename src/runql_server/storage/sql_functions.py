"""Functions for SQL conditions: regular expressions, and lists that are stored as JSON strings."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache

from runql_server import lenient_json
from runql_server.lenient_json import JsonValue

REGEX_OPTIONS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
"""Letters of ``$options``, as in MongoDB."""


def register(connection: sqlite3.Connection) -> None:
    """Register the functions with a connection."""
    connection.create_function("matches", 3, _matches, deterministic=True)
    connection.create_function("holds_all", 2, _holds_all, deterministic=True)
    connection.create_function("list_size", 1, _list_size, deterministic=True)


@lru_cache(maxsize=256)
def compiled(pattern: str, options: str) -> re.Pattern[str]:
    """Compile the pattern with its options; raises ``re.error``."""
    flags = re.RegexFlag(0)
    for letter in options:
        flags |= REGEX_OPTIONS[letter]
    return re.compile(pattern, flags)


def _matches(pattern: str, options: str, text: object) -> bool:
    return isinstance(text, str) and compiled(pattern, options).search(text) is not None


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
