"""A table of typed columns, built from rows that may differ in keys and types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Final, Literal, Self, TypeAlias

from runql.frames.asked_types import NO_SCHEMA, AskedType, FrameSchema, UnfitValueError
from runql.frames.batches import RUN_ID, Batch, ColumnBatch
from runql.frames.columns import Column, Piece, as_values
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

ColumnOrder: TypeAlias = Literal["first_seen", "sorted"]

_CHUNK_ROWS: Final = 4096


@dataclass(frozen=True)
class Table:
    """Columns of equal length; without columns, a table has no rows.

    Attributes:
        columns: name to column, in the table's order.
        height: the number of rows.
        run: entity, project and id of the run that the rows belong to; empty where `run_id` names it.
    """

    columns: Mapping[str, Column]
    height: int
    run: str = ""

    @staticmethod
    def from_rows(
        rows: Iterable[Mapping[str, JSONValue]],
        *,
        leading: Sequence[str] = (),
        requested: Sequence[str] = (),
        order: ColumnOrder = "first_seen",
        schema: FrameSchema = NO_SCHEMA,
    ) -> Table:
        """The union of the rows' keys; a row without a key has None there.

        Args:
            rows: read once, in order.
            leading: columns that come first and always exist, even without a value.
            requested: other columns that always exist. Like the leading ones, they have a type even without a value.
            order: of the columns that do not lead.
            schema: the types of columns that always exist, too.

        Raises:
            FrameValueError: a value does not fit the schema.
        """
        builder = TableBuilder()
        builder.extend(rows)
        return builder.build(leading=leading, requested=requested, order=order, schema=schema)

    @staticmethod
    def from_batches(
        batches: list[Batch],
        *,
        leading: Sequence[str] = (),
        requested: Sequence[str] = (),
        order: ColumnOrder = "first_seen",
        schema: FrameSchema = NO_SCHEMA,
    ) -> Table:
        """As `from_rows`, from batches; the list is emptied batch by batch, so that memory never holds all values twice."""
        builder = TableBuilder()
        while batches:
            builder.add(batches.pop(0))
        return builder.build(leading=leading, requested=requested, order=order, schema=schema)

    @classmethod
    def from_columns(cls, columns: Iterable[Column], run: str = "") -> Self:
        """A table of these columns.

        Raises:
            ValueError: two columns share a name, or differ in length.
        """
        named: dict[str, Column] = {}
        height: int | None = None
        for column in columns:
            if column.name in named:
                raise ValueError(f"two columns are named {column.name!r}")
            if height not in (None, len(column)):
                raise ValueError(f"column {column.name!r} has {len(column)} values, not {height}")
            height = len(column)
            named[column.name] = column
        return cls(named, height or 0, run)


class TableBuilder:
    """Collects rows batch by batch; `build` infers the types over every value."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Piece]] = {}
        self._height = 0
        # Values of the dicts since the last batch of columns. A list ends at the last row that had its key; None is
        # filled in behind it when needed.
        self._open: dict[str, list[JSONValue]] = {}
        self._open_from = 0

    @property
    def height(self) -> int:
        """Rows so far."""
        return self._height

    def append(self, row: Mapping[str, JSONValue]) -> None:
        """Add one row."""
        columns = self._open
        height = self._height - self._open_from
        for key, value in row.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * height
            elif len(column) < height:
                column.extend([None] * (height - len(column)))
            column.append(value)
        self._height += 1

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

    def add(self, batch: Batch) -> None:
        """Add the rows of a batch."""
        if not isinstance(batch, ColumnBatch):
            self.extend(batch.rows)
            return
        self._close()
        for name, cells in batch.columns.items():
            self._pieces.setdefault(name, []).append(Piece(self._height, cells))
        self._height = self._open_from = self._height + batch.height

    def build(
        self,
        *,
        leading: Sequence[str] = (),
        requested: Sequence[str] = (),
        order: ColumnOrder = "first_seen",
        schema: FrameSchema = NO_SCHEMA,
    ) -> Table:
        """Return the table of all rows, see `Table.from_rows`; the builder is empty afterwards."""
        self._close()
        pieces, height = self._pieces, self._height
        self._pieces, self._height, self._open_from = {}, 0, 0
        others = dict.fromkeys((*pieces, *requested, *schema.types))
        names = dict.fromkeys((*leading, *(sorted(others) if order == "sorted" else others)))
        typed = {*leading, *requested}
        labels = pieces.get(RUN_ID, []) if schema.types else []

        def column(name: str) -> Column:
            asked, found = schema.types.get(name), pieces.pop(name, [])
            if asked is None:
                return Column.joined(name, found, height).settled(is_requested=name in typed)
            return asked_column(name, asked, found, height, schema, labels)

        # Pieces are released column by column, so that memory holds only one column twice.
        return Table.from_columns(map(column, names), schema.run)

    def _close(self) -> None:
        """Turn the open values into pieces."""
        for name, values in self._open.items():
            self._pieces.setdefault(name, []).append(Piece(self._open_from, values))
        self._open, self._open_from = {}, self._height

    def _extend_columns(self, rows: Sequence[Mapping[str, JSONValue]], keys: Iterable[str]) -> None:
        """Add rows that all have exactly ``keys``, a column at a time."""
        height = self._height - self._open_from
        for key in keys:
            column = self._open.setdefault(key, [])
            column.extend([None] * (height - len(column)))
            column.extend(map(itemgetter(key), rows))
        self._height += len(rows)


def asked_column(
    name: str,
    asked: AskedType,
    pieces: Sequence[Piece],
    height: int,
    schema: FrameSchema,
    labels: Sequence[Piece] = (),
) -> Column:
    """A column of the type that a schema asks for.

    Args:
        name: its name.
        asked: its type.
        pieces: its values.
        height: of the table.
        schema: names the run where no row does.
        labels: the column of run ids.

    Raises:
        FrameValueError: a value does not fit.
    """
    try:
        return Column.asked_for(name, asked, pieces, height)
    except UnfitValueError as error:
        raise schema.error(name, asked, error.value, _value_at(labels, error.place)) from None


def _value_at(pieces: Sequence[Piece], place: int) -> JSONValue:
    for piece in pieces:
        if piece.start <= place < piece.start + len(piece.cells):
            return as_values(piece.cells)[place - piece.start]
    return None
