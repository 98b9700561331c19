"""Parquet types of metrics, inferred value by value; a metric without a single type is stored as JSON in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from runql_server import lenient_json
from runql_server.lenient_json import JsonObject, JsonValue

EXACT_IN_FLOAT = 2**53
INT64 = range(-(2**63), 2**63)
MOST_MEMBERS = 256
DEEPEST = 16


@dataclass
class ColumnType:
    """Types seen in one metric, in a member of its objects, or in the items of its lists."""

    kinds: set[type] = field(default_factory=set[type])
    members: dict[str, ColumnType] = field(default_factory=dict[str, "ColumnType"])
    items: ColumnType | None = None
    exact_as_float: bool = True
    storable: bool = True

    def fold(self, value: JsonValue) -> None:
        """Update with another value; ignores null."""
        if value is None:
            return
        self.kinds.add(type(value))
        match value:
            case bool() | float():
                pass
            case int():
                self.exact_as_float = self.exact_as_float and -EXACT_IN_FLOAT <= value <= EXACT_IN_FLOAT
                self.storable = self.storable and value in INT64
            case str():
                self.storable = self.storable and _is_encodable(value)
            case list():
                self.items = self.items or ColumnType()
                for item in value:
                    self.items.fold(item)
            case dict():
                # A parquet struct does not distinguish a null member from a missing one.
                self.storable = self.storable and None not in value.values()
                for name, member in value.items():
                    self.members.setdefault(name, ColumnType()).fold(member)

    def arrow(self, depth: int = 0) -> pa.DataType | None:
        """Return the Arrow type that holds every value without loss, or ``None``."""
        if not self.storable or depth > DEEPEST:
            return None
        if self.kinds == {bool}:
            return pa.bool_()
        if self.kinds == {int}:
            return pa.int64()
        if self.kinds == {float} or (self.kinds == {int, float} and self.exact_as_float):
            return pa.float64()
        if self.kinds == {str}:
            return pa.string()
        if self.kinds == {list} and self.items is not None:
            item = self.items.arrow(depth + 1)
            return None if item is None else pa.list_(item)
        return self._struct(depth) if self.kinds == {dict} else None

    def _struct(self, depth: int) -> pa.DataType | None:
        fields: list[pa.Field[pa.DataType]] = []
        for name, member in self.members.items():
            kind = member.arrow(depth + 1)
            if kind is None or not _is_encodable(name):
                return None
            fields.append(pa.field(name, kind))
        return pa.struct(fields) if 0 < len(fields) <= MOST_MEMBERS else None


class RowTypes:
    """Columns of one file: ``_step``, then the metrics in the order of their first rows."""

    def __init__(self) -> None:
        self._columns = {"_step": ColumnType()}

    def fold(self, row: JsonObject) -> None:
        """Update with another row."""
        for name, value in row.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = ColumnType()
            column.fold(value)

    @property
    def is_exportable(self) -> bool:
        """Whether every metric's name can be a column name: UTF-8 cannot encode lone surrogates."""
        return all(map(_is_encodable, self._columns))

    def columns(self) -> list[tuple[str, pa.DataType]]:
        """Return name and type of each column; a metric without a single type is binary, not UTF-8."""
        return [(name, column.arrow() or pa.binary()) for name, column in self._columns.items()]


def as_columns(rows: list[JsonObject], columns: list[tuple[str, pa.DataType]]) -> pa.Table:
    """Convert rows to columns; a metric that a row lacks is null, NaN is a number."""
    schema = pa.schema([pa.field(name, kind) for name, kind in columns])
    arrays = [pa.array(_stored(rows, name, kind), type=kind, from_pandas=False) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=schema)


def _stored(rows: list[JsonObject], name: str, kind: pa.DataType) -> list[JsonValue] | list[bytes | None]:
    if not pa.types.is_binary(kind):
        return [row.get(name) for row in rows]
    # A metric logged as null differs from one that was not logged.
    return [lenient_json.dump(row[name]).encode() if name in row else None for row in rows]


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
