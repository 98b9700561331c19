"""Writing history lines to one parquet file, a row group at a time."""

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
    """Write the lines from ``start`` up to ``stop`` in step order.

    Gives False when a metric's name cannot be a column's, and when ``is_over`` says that nobody wants the file any more.

    The rows are read twice, first for their types, so that no more than a row group of them is in memory.
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
    """The rows with the step that they are placed at, which a row without one gets from its line."""
    query = (
        """SELECT step, text FROM history WHERE run_id = ? AND line >= ? AND line < ? ORDER BY step, line"""
    )
    for row in connection.execute(query, (run, start, stop)):
        yield {**lenient_json.parse_object(row["text"], what="history"), "_step": row["step"]}
