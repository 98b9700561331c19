"""Named typed columns, built from rows that may differ in keys and types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Final, Literal, Self, TypeAlias

from runql.frames.dtypes import DType, converted, encodable, infer, is_nested
from runql.values import JSONValue

ColumnOrder: TypeAlias = Literal["first_seen", "sorted"]

_CHUNK_ROWS: Final = 4096


@dataclass(frozen=True)
class Column:
    """One named column.

    Attributes:
        name: the metric's or field's name.
        dtype: what holds all values, see `runql.frames.dtypes.infer`.
        values: one per row, None where missing; NaN is a value. Scalars are of ``dtype``; lists and objects are
            as they were sent, `stored` brings them to the dtype.
    """

    name: str
    dtype: DType
    values: Sequence[JSONValue]

    @classmethod
    def inferred(cls, name: str, values: Sequence[JSONValue]) -> Self:
        """A column of the type that holds all of ``values``."""
        dtype = infer(values)
        return cls(encodable(name), dtype, values if is_nested(dtype) else converted(values, dtype))

    def stored(self) -> Sequence[JSONValue]:
        """The values as a typed library stores them: structs with every field, JSON as text."""
        return converted(self.values, self.dtype) if is_nested(self.dtype) else self.values


@dataclass(frozen=True)
class Table:
    """Columns of equal length. A table without columns has no rows.

    Attributes:
        columns: name to column, in the table's order.
        height: the number of rows.
    """

    columns: Mapping[str, Column]
    height: int

    @staticmethod
    def from_rows(
        rows: Iterable[Mapping[str, JSONValue]],
        *,
        leading: Sequence[str] = (),
        order: ColumnOrder = "first_seen",
    ) -> Table:
        """The union of the rows' keys; a row without a key has None there.

        Args:
            rows: read once, in order.
            leading: columns that come first and always exist, all None where no row has them.
            order: of the other columns.
        """
        builder = TableBuilder()
        builder.extend(rows)
        return builder.build(leading=leading, order=order)

    @classmethod
    def from_columns(cls, columns: Iterable[Column]) -> Self:
        """A table of columns that are ready.

        Raises:
            ValueError: two columns share a name, or differ in length.
        """
        named: dict[str, Column] = {}
        height: int | None = None
        for column in columns:
            if column.name in named:
                raise ValueError(f"two columns are named {column.name!r}")
            if height not in (None, len(column.values)):
                raise ValueError(f"column {column.name!r} has {len(column.values)} values, not {height}")
            height = len(column.values)
            named[column.name] = column
        return cls(named, height or 0)


class TableBuilder:
    """Collects rows page by page; types are decided when the table is built, over every value."""

    def __init__(self) -> None:
        # A list ends at the last row that had its key; what is missing after it is filled in when needed.
        self._columns: dict[str, list[JSONValue]] = {}
        self._height = 0

    @property
    def height(self) -> int:
        """Rows so far."""
        return self._height

    def append(self, row: Mapping[str, JSONValue]) -> None:
        """Add one row."""
        columns = self._columns
        height = self._height
        for key, value in row.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * height
            elif len(column) < height:
                column.extend([None] * (height - len(column)))
            column.append(value)
        self._height = height + 1

    def extend(self, rows: Iterable[Mapping[str, JSONValue]]) -> None:
        """Add rows in order."""
        remaining = iter(rows)
        while chunk := list(islice(remaining, _CHUNK_ROWS)):
            keys = chunk[0].keys()
            if all(row.keys() == keys for row in chunk):
                self._extend_columns(chunk, keys)
            else:
                for row in chunk:
                    self.append(row)

    def build(self, *, leading: Sequence[str] = (), order: ColumnOrder = "first_seen") -> Table:
        """The table of all rows, see `Table.from_rows`; the builder is empty afterwards."""
        columns, height = self._columns, self._height
        self._columns, self._height = {}, 0
        names = dict.fromkeys((*leading, *(sorted(columns) if order == "sorted" else columns)))
        return Table.from_columns(_column(name, columns.pop(name, []), height) for name in names)

    def _extend_columns(self, rows: Sequence[Mapping[str, JSONValue]], keys: Iterable[str]) -> None:
        """Add rows that all have exactly ``keys``, a column at a time."""
        for key in keys:
            column = self._columns.setdefault(key, [])
            column.extend([None] * (self._height - len(column)))
            column.extend(map(itemgetter(key), rows))
        self._height += len(rows)


def _column(name: str, values: list[JSONValue], height: int) -> Column:
    """The column of a key whose last rows may have lacked it."""
    values.extend([None] * (height - len(values)))
    return Column.inferred(name, values)
