"""Rows in a file, exactly as they were read, before the types of their columns are known; needs pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runql.frames.batches import Batch, ColumnBatch
from runql.frames.columns import Cells
from runql.frames.dtypes import INT64_MAX, INT64_MIN, escape_surrogates
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue, dump_json, parse_json

if TYPE_CHECKING:
    import pyarrow as pa

_NOTE = b"runql"


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """Rows that were read from a file.

    Attributes:
        columns: name to values, None or null where missing.
        height: how many rows.
    """

    columns: Mapping[str, Cells]
    height: int

    def between(self, start: int, stop: int) -> StoredBatch:
        """Some of the rows, by their places, without columns that have no value in them."""
        if (start, stop) == (0, self.height):
            return self
        parts = {name: cells[start:stop] for name, cells in self.columns.items()}
        return StoredBatch({name: cells for name, cells in parts.items() if _has_values(cells)}, stop - start)


def store_batch(path: Path, batch: Batch | None, note: JSONValue) -> None:
    """Write rows and a note about them, atomically.

    A column of one scalar type is stored as that type. Any other value is stored as its JSON, so that an integer stays an
    integer although another row has a float.

    Raises:
        OSError: the file cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415 - optional: the callers require it
    from pyarrow import ipc  # noqa: PLC0415 - as above

    columns: Mapping[str, Cells] = columns_of(batch) if batch is not None else {}
    arrays = {name: _array(cells) for name, cells in columns.items()}
    head = {
        "names": list(arrays),
        "json": [is_json for _, is_json in arrays.values()],
        "height": 0 if batch is None else batch.height,
        "note": note,
    }
    # The name of a metric may be a string that Arrow cannot write.
    fields = [pa.field(str(place), array.type) for place, (array, _) in enumerate(arrays.values())]
    schema = pa.schema(fields, metadata={_NOTE: json.dumps(head).encode()})
    table = pa.Table.from_arrays([array for array, _ in arrays.values()], schema=schema)
    part = path.with_suffix(".part")
    with pa.OSFile(str(part), "wb") as file, ipc.new_file(file, schema) as writer:
        writer.write_table(table)
    os.replace(part, path)  # noqa: PTH105 - the name says what it does on every system


def load_note(path: Path) -> JSONValue:
    """The note of a file, without reading its rows.

    Raises:
        OSError: the file cannot be read.
        ValueError: it was not written by `store_batch`.
    """
    import pyarrow as pa  # noqa: PLC0415 - as in `store_batch`
    from pyarrow import ipc  # noqa: PLC0415 - as above

    with pa.OSFile(str(path), "rb") as file, ipc.open_file(file) as reader:
        return _head(reader.schema)["note"]


def load_batch(path: Path) -> StoredBatch:
    """The rows of a file; raises as `load_note` does."""
    import pyarrow as pa  # noqa: PLC0415 - as in `store_batch`
    from pyarrow import ipc  # noqa: PLC0415 - as above

    with pa.OSFile(str(path), "rb") as file, ipc.open_file(file) as reader:
        head, table = _head(reader.schema), reader.read_all()
        names, are_json, height = head["names"], head["json"], head["height"]
        if not (isinstance(names, list) and isinstance(are_json, list) and isinstance(height, int)):
            raise ValueError(f"{path} holds no stored rows")  # noqa: TRY004 - as in `runql.values.parse_object`
        return StoredBatch(
            {
                str(name): _json_cells(column) if is_json else _plain_cells(column)
                for name, is_json, column in zip(names, are_json, table.columns, strict=True)
            },
            height,
        )


def _has_values(cells: Cells) -> bool:
    if isinstance(cells, Sequence):
        return any(value is not None for value in cells)
    return cells.null_count() < len(cells)


def _head(schema: pa.Schema) -> dict[str, JSONValue]:
    head = parse_json((schema.metadata or {}).get(_NOTE, b"null"))
    if not isinstance(head, dict):
        raise ValueError("the file has no note of stored rows")  # noqa: TRY004 - as in `runql.values.parse_object`
    return head


def columns_of(batch: Batch) -> Mapping[str, Cells]:
    """The columns of a batch, None or null where a row has no value."""
    if isinstance(batch, ColumnBatch):
        return batch.columns
    columns: dict[str, list[JSONValue]] = {}
    for place, row in enumerate(batch.rows):
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (place - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (batch.height - len(column)))
    return columns


def _array(cells: Cells) -> tuple[pa.Array[Any], bool]:  # Any: what it holds is known at run time only
    """The cells as an Arrow array, and whether they are JSON."""
    import pyarrow as pa  # noqa: PLC0415 - as in `store_batch`

    if not isinstance(cells, Sequence):
        kept = {"Boolean": pa.bool_(), "Int64": pa.int64(), "Float64": pa.float64()}
        return cells.to_arrow().cast(kept.get(str(cells.dtype), pa.large_string())), False
    kinds = set(map(type, cells)) - {type(None)}
    if kinds == {bool}:
        return pa.array(cells, pa.bool_()), False
    if kinds == {float}:
        return pa.array(cells, pa.float64(), from_pandas=False), False
    if kinds == {int} and all(INT64_MIN <= value <= INT64_MAX for value in cells if isinstance(value, int)):
        return pa.array(cells, pa.int64()), False
    if kinds == {str} and all(escape_surrogates(value) is value for value in cells if isinstance(value, str)):
        return pa.array(cells, pa.string()), False
    strings = [None if value is None else dump_json(value) for value in cells]
    return pa.array(strings, pa.large_string()), True


def _json_cells(column: pa.ChunkedArray[Any]) -> list[JSONValue]:  # Any: as in `_array`
    strings: list[str | None] = column.to_pylist()
    return [None if string is None else parse_json(string) for string in strings]


def _plain_cells(column: pa.ChunkedArray[Any]) -> Cells:  # Any: as in `_array`
    if find_spec("polars") is None:
        values: list[JSONValue] = column.to_pylist()
        return values
    import polars as pl  # noqa: PLC0415 - optional: it needs no Python object for each value

    return pl.Series(column)
