"""Config and summary flattened to rows, so that SQL can filter and sort by them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Literal, NamedTuple

from runql_server import lenient_json
from runql_server.lenient_json import JsonObject, JsonValue

Prefix = Literal["config", "summary_metrics"]
Kind = Literal["null", "bool", "number", "text", "list", "map", "statistic"]

STATISTICS = ("best", "min", "max", "last", "mean", "first")
"""Members of the object that the SDK stores for a metric with ``define_metric``, in place of the last value."""

_LARGEST = 2**63
_DEEPEST = 32
"""Levels of nesting that are flattened; the stored JSON string alone holds deeper ones."""


class FlatValue(NamedTuple):
    """One row: numbers and bools are in ``number``, strings (and lists as JSON) in ``text``."""

    path: str
    kind: Kind
    number: float | int | None = None
    text: str | None = None


def flatten_config(config: JsonObject) -> Iterator[FlatValue]:
    """Yield the rows of a config; paths omit the ``value`` level that the SDK adds to each entry."""
    for key, entry in config.items():
        yield from flatten(f"config.{key}", unwrap(entry))


def flatten_summary(summary: JsonObject) -> Iterator[FlatValue]:
    """Yield the rows of a summary."""
    for key, value in summary.items():
        yield from flatten(f"summary_metrics.{key}", value)


def unwrap(entry: JsonValue) -> JsonValue:
    """Return the value of a config entry: an object with ``value`` and maybe ``desc``, or a bare value."""
    return entry["value"] if isinstance(entry, dict) and "value" in entry else entry


def flatten(path: str, value: JsonValue, depth: int = 0) -> Iterator[FlatValue]:
    """Yield the rows of a value: itself and, for an object, all nested values."""
    yield flat_value(path, value)
    if isinstance(value, dict) and depth < _DEEPEST:
        is_summarized = _is_summarized(value)
        for key, member in value.items():
            for row in flatten(f"{path}.{key}", member, depth + 1):
                yield row._replace(kind="statistic") if is_summarized else row


def flat_value(path: str, value: JsonValue) -> FlatValue:
    """Return the row of one value, without nested values."""
    match value:
        case None:
            return FlatValue(path, "null")
        case bool():
            return FlatValue(path, "bool", number=int(value))
        case int() | float():
            return FlatValue(path, "number", number=sql_number(value))
        case str():
            return FlatValue(path, "text", text=storable(value))
        case list():
            return FlatValue(path, "list", text=lenient_json.dump(value))
        case dict():
            return FlatValue(path, "map")


def _is_summarized(value: JsonObject) -> bool:
    return bool(value) and all(
        name in STATISTICS and isinstance(member, int | float) and not isinstance(member, bool)
        for name, member in value.items()
    )


def sql_number(value: float) -> float | int:
    """Convert to a number that SQLite can store: integers beyond 64 bits become floats or infinities."""
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value


def storable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def replace(connection: sqlite3.Connection, run: int, prefix: Prefix, text: str) -> None:
    """Replace the rows of a run's config or summary, given as a JSON string. Needs a write transaction."""
    document = lenient_json.parse_object(text, what=prefix)
    values = flatten_config(document) if prefix == "config" else flatten_summary(document)
    # U+10FFFF sorts after every other character, so the range holds exactly the paths with the prefix.
    connection.execute(
        "DELETE FROM run_values WHERE run_id = ? AND path >= ? AND path < ?",
        (run, f"{prefix}.", f"{prefix}.\U0010ffff"),
    )
    # A literal key "a.b" and a nested a: {b} have the same path: the first one wins.
    connection.executemany(
        "INSERT OR IGNORE INTO run_values (run_id, path, kind, number, text) VALUES (?, ?, ?, ?, ?)",
        ((run, storable(value.path), *value[1:]) for value in values),
    )
