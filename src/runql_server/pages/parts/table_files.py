"""The first rows of a table that a run logged, read from its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runql_server import lenient_json
from runql_server.errors import NotFoundError, RequestError
from runql_server.lenient_json import JsonValue
from runql_server.storage import files
from runql_server.storage.files import StoredFile
from runql_server.storage.store import Store

MOST_ROWS: Final = 25
MOST_COLUMNS: Final = 40
MOST_BYTES: Final = 10_000_000
"""Bytes of a table that a page reads; a larger one is a link."""


@dataclass(frozen=True)
class TableRows:
    """Columns and first rows, and the size of the whole; or why there are none."""

    columns: list[str]
    rows: list[list[JsonValue]]
    row_count: int = 0
    column_count: int = 0
    problem: str = ""


def read_table(store: Store, file: StoredFile) -> TableRows:
    """Read the first rows of a table."""
    if file.size_bytes > MOST_BYTES:
        return TableRows([], [], problem="The table is too large to be shown here.")
    try:
        content = files.stored_path(store, file.blob or "").read_bytes()
        document = lenient_json.parse_object(content.decode(), what="the table")
    except (NotFoundError, RequestError, UnicodeDecodeError) as error:
        return TableRows([], [], problem=f"The table cannot be read: {error}")
    columns, rows = document.get("columns"), document.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return TableRows([], [], problem="The table has no columns or no rows.")
    shown = [each[:MOST_COLUMNS] for each in rows[:MOST_ROWS] if isinstance(each, list)]
    names = [each if isinstance(each, str) else lenient_json.dump(each) for each in columns[:MOST_COLUMNS]]
    return TableRows(names, shown, len(rows), len(columns))
