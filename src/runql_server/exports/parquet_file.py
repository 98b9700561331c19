"""Writes history lines to a parquet file, one row group at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from runql_server import lenient_json
from runql_server.exports.column_types import RowTypes, as_columns
from runql_server.lenient_json import JsonObject


def write_lines(
    connection: sqlite3.Connection,
    run: int,
    start: int,
    stop: int,
    path: Path,
    *,
    rows_per_group: int,
    is_over: Callable[[], bool],
) -> bool:
    """Write the lines from ``start`` up to, not including, ``stop`` in step order.

    Returns False when a metric's name cannot be a column name, and when ``is_over`` returns true.

    The function reads the rows twice, first for their types, so memory holds at most one row group.
    """
    types = RowTypes()
    for row in _rows(connection, run, start, stop):
        if is_over():
            return False
        types.fold(row)
    if not types.is_exportable:
        return False
    columns = types.columns()
    rows = _rows(connection, run, start, stop)
    with pq.ParquetWriter(path, as_columns([], columns).schema) as writer:
        while group := list(islice(rows, rows_per_group)):
            if is_over():
                return False
            writer.write_table(as_columns(group, columns), row_group_size=rows_per_group)
    return True


def _rows(connection: sqlite3.Connection, run: int, start: int, stop: int) -> Iterator[JsonObject]:
    """Yield the rows with their steps; a row without one has its line number as step."""
    query = (
        """SELECT step, text FROM history WHERE run_id = ? AND line >= ? AND line < ? ORDER BY step, line"""
    )
    for row in connection.execute(query, (run, start, stop)):
        yield {**lenient_json.parse_object(row["text"], what="history"), "_step": row["step"]}
