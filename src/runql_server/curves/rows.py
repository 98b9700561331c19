"""Rows to chunks: every number of every row by its path, in columns of one axis."""

# ruff: noqa: S608 - table names come from a closed set; values are always bound

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise

from runql_server import lenient_json
from runql_server.curves import extremes
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.runs.curve_chunks import LINES, LINES_OF_BLOCK, Axis, Chunk

# A row may hold thousands of keys in nested objects; deeper ones are tables and media, no curves.
_MOST_LEVELS = 8


def make(connection: sqlite3.Connection, axis: Axis, number: int) -> list[Chunk]:
    """Read the lines of one chunk, and make the chunks of all keys with numbers."""
    xs: list[float] = []
    columns: dict[str, list[float | None]] = {}
    for row in read(connection, axis, number * LINES, (number + 1) * LINES):
        x = at(row, axis.x)
        if x is None or not math.isfinite(x):
            continue
        for key, value in numbers(row):
            column = columns.setdefault(key, [])
            column.extend([None] * (len(xs) - len(column)))
            column.append(value)
        xs.append(x)
    for ys in columns.values():
        ys.extend([None] * (len(xs) - len(ys)))
    if any(after < before for before, after in pairwise(xs)):
        # In the order of x, a block holds neighbours whatever the order of the rows is.
        order = sorted(range(len(xs)), key=xs.__getitem__)
        xs = [xs[index] for index in order]
        columns = {key: [ys[index] for index in order] for key, ys in columns.items()}
    return [_chunk(key, number, xs, ys) for key, ys in columns.items()]


def read(connection: sqlite3.Connection, axis: Axis, start: int, stop: int) -> Iterator[JsonObject]:
    """Yield the rows of a half-open range of lines."""
    step = "step" if axis.stream == "history" else "NULL AS step"
    query = f"SELECT line, text, {step} FROM {axis.stream} WHERE run_id = ? AND line >= ? AND line < ? ORDER BY line"
    for row in connection.execute(query, (axis.run, start, stop)):
        values = lenient_json.parse_object(row["text"], what="a row")
        # A row without a step has its line as step, which the database knows.
        yield values if row["step"] is None else values | {"_step": row["step"]}


def numbers(row: JsonObject, prefix: str = "", level: int = 0) -> Iterator[tuple[str, float]]:
    """Yield every number of a row by its path; those inside of media and tables are no curves."""
    for key, value in row.items():
        if type(value) is float:
            yield prefix + key, value
        elif isinstance(value, dict):
            if "_type" not in value and level < _MOST_LEVELS:
                yield from numbers(value, f"{prefix}{key}.", level + 1)
        elif (number := _number(value)) is not None:
            yield prefix + key, number


def at(row: JsonObject, key: str) -> float | None:
    """Return the number at a key or a path."""
    if key in row:
        return _number(row[key])
    return next((value for path, value in numbers(row) if path == key), None)


def _number(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _chunk(key: str, number: int, xs: Sequence[float], ys: Sequence[float | None]) -> Chunk:
    fine = extremes.of_blocks(xs, ys, LINES_OF_BLOCK["fine"])
    with_value = [x for x, y in zip(xs, ys, strict=True) if y is not None]
    return Chunk(
        key,
        number,
        min(with_value),
        max(with_value),
        sum(1 for y in ys if y is not None and not math.isfinite(y)),
        extremes.joined(fine, LINES_OF_BLOCK["coarse"] // LINES_OF_BLOCK["fine"]),
        fine,
    )
