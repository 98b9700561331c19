"""What makes rows of the JSON a server answers: dicts, or columns by polars' own reader wherever that is exact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from runql.frames.batches import STEP, Batch, ColumnBatch, RowBatch
from runql.frames.columns import SERIES_TYPES
from runql.frames.dtypes import EXACT_IN_FLOAT
from runql.values import UnreadableRowError, history_rows, parse_json, parse_rows

if TYPE_CHECKING:
    import polars as pl

FEW_ROWS: Final = 256
"""Fewer rows than these are read faster as Python objects."""


FIRST_ROWS: Final = 200


class RowReader:
    """Reads rows as dicts."""

    def read(self, texts: Sequence[str], size: int | None = None) -> Batch:  # noqa: ARG002 - for readers of columns
        """The rows of their JSON texts, in order.

        Args:
            texts: a row each.
            size: bytes that the JSON array of them took at the most, where it is known.

        Raises:
            UnreadableRowError: a row is not JSON, or not an object.
        """
        return RowBatch(parse_rows(texts))

    def read_array(self, array: bytes) -> Batch:
        """The rows of a JSON array of objects, in order.

        Raises:
            UnreadableRowError: it is not JSON, no array, or a row is no object.
        """
        try:
            rows = parse_json(array)
        except ValueError as error:
            raise UnreadableRowError(0, str(error)) from error
        if not isinstance(rows, list):
            raise UnreadableRowError(0, "the rows are no JSON array")
        return RowBatch(history_rows(rows))


class ColumnReader(RowReader):
    """Reads rows to columns batch by batch; what it has learned of them makes the next batch cheaper.

    polars' reader takes half the time that dicts alone take, but it would drop what its schema does not name,
    and tells neither a null from a missing value nor a repeated name. A batch counts only when the quotes of its text
    are exactly those of the names and texts that were read; every other batch is read row by row. Where the size is known
    of the JSON array that the rows came in, the quotes need not be counted: each was escaped there by one byte more.
    May be used by several threads.
    """

    def __init__(self, *, few: int = FEW_ROWS) -> None:
        self._few = few
        self._schema: dict[str, pl.DataType] = {}

    def read(self, texts: Sequence[str], size: int | None = None) -> Batch:
        """As `RowReader.read`, columns where that is exact."""
        try:
            lines = "\n".join(texts).encode()
        except UnicodeEncodeError:
            return super().read(texts)
        # The array has two brackets, and beside the bytes of the lines two quotes a text.
        escapes = None if size is None else size - len(lines) - 2 * len(texts) - 2
        batch = self._columns(lines, len(texts), escapes)
        return super().read(texts) if batch is None else batch

    def read_array(self, array: bytes) -> Batch:
        """As `RowReader.read_array`, columns where that is exact."""
        # A text that holds this is cut, too, and then is no JSON.
        lines = array[1:-1].replace(b"},{", b"}\n{")
        batch = self._columns(lines, lines.count(b"\n") + 1)
        return super().read_array(array) if batch is None else batch

    def _columns(self, lines: bytes, height: int, escapes: int | None = None) -> ColumnBatch | None:
        # An escape may hide a quote or a name.
        if height < self._few or not _reads_strictly() or b"\\" in lines:
            return None
        if self._schema and (batch := _read(lines, height, self._schema, escapes)) is not None:
            return _narrowed(batch, lines)
        # The first rows tell the types nearly always, and looking at all takes as long as reading them.
        for rows in (FIRST_ROWS, None) if height > FIRST_ROWS else (None,):
            schema = _inferred(lines, rows)
            if schema is not None and (batch := _read(lines, height, schema, escapes)) is not None:
                self._schema = self._learned(schema)
                return batch
        return None

    def _learned(self, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        import polars as pl  # noqa: PLC0415 - as in `_read`

        numbers = {pl.Int64(), pl.Float64()}
        learned = self._schema | dict(schema)
        for name, known in self._schema.items():
            if known != learned[name] and {known, learned[name]} == numbers:
                learned[name] = pl.Float64()
        return learned


@cache
def _reads_strictly() -> bool:
    """Whether polars is here and refuses a value that is not of the column's type, as it does since 1.36."""
    if find_spec("polars") is None:
        return False
    import polars as pl  # noqa: PLC0415 - as in `_read`

    try:
        pl.read_ndjson(b'{"a":7.0}', schema={"a": pl.Int64()})
    except pl.exceptions.ComputeError:
        return True
    return False


def _inferred(lines: bytes, rows: int | None) -> dict[str, pl.DataType] | None:
    """The types that fit the first ``rows``, or all of them; None where a column has none that is exact."""
    import polars as pl  # noqa: PLC0415 - as in `_read`

    try:
        # Rows without any name are refused, too: they have no columns to tell their number by.
        schema = pl.scan_ndjson(lines, infer_schema_length=rows).collect_schema()
    except pl.exceptions.PolarsError:
        return None
    return dict(schema) if all(str(dtype) in SERIES_TYPES for dtype in schema.values()) else None


def _read(
    lines: bytes, height: int, schema: Mapping[str, pl.DataType], escapes: int | None
) -> ColumnBatch | None:
    """The columns of the lines; None where they may not be all that the lines hold, with no more quotes than ``escapes``."""
    import polars as pl  # noqa: PLC0415 - optional: only who has it reads columns

    try:
        frame = pl.read_ndjson(lines, schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    present = {
        name: cells for name, cells in frame.to_dict(as_series=True).items() if cells.null_count() < height
    }
    texts = {name: cells for name, cells in present.items() if cells.dtype == pl.String()}
    quotes = sum(2 * (height - cells.null_count()) for cells in (*present.values(), *texts.values()))
    is_exact = (
        frame.height == height
        and (quotes == escapes or quotes == lines.count(b'"'))
        and all(_are_texts(lines, name, height - cells.null_count()) for name, cells in texts.items())
        and not (texts and _spells_floats(lines))
        and not any(_is_coarse(cells) for cells in present.values() if cells.dtype == pl.Float64())
    )
    if not is_exact:
        return None
    # polars makes an empty row of what is no object. Where each row has a step, there is none.
    steps = present.get(STEP)
    if (steps is None or steps.null_count()) and lines.count(b"\n{") + lines.startswith(b"{") != height:
        return None
    # The schema may be another batch's, and polars infers names in no order.
    first_seen = sorted(present, key=lambda name: _first_place(lines, name))
    return ColumnBatch({name: present[name] for name in first_seen}, height)


def _narrowed(batch: ColumnBatch, lines: bytes) -> ColumnBatch:
    """Integers as integers where only an earlier batch had floats: that one may be left out of what is kept."""
    import polars as pl  # noqa: PLC0415 - as in `_read`

    columns = {
        name: cells.cast(pl.Int64())
        if cells.dtype == pl.Float64() and _are_integers(lines, name, cells)
        else cells
        for name, cells in batch.columns.items()
    }
    return ColumnBatch(columns, batch.height)


def _are_integers(lines: bytes, name: str, cells: pl.Series) -> bool:
    # The text is searched for whole numbers only, which are few where there are floats.
    first = cells[0]
    is_whole = (first is None or first % 1 == 0) and bool((cells % 1 == 0).all())
    return is_whole and not re.search(rb'"%s"\s*:\s*-?\d+[.eE]' % re.escape(name.encode()), lines)


def _first_place(lines: bytes, name: str) -> int:
    found = re.search(rb'"%s"\s*:' % re.escape(name.encode()), lines)
    return found.start() if found else len(lines)


def _are_texts(lines: bytes, name: str, count: int) -> bool:
    # The reader takes any value for a text. Without escapes, this pattern is found only where a name is.
    return len(re.findall(rb'"%s"\s*:\s*"' % re.escape(name.encode()), lines)) == count


def _spells_floats(lines: bytes) -> bool:
    return b'NaN"' in lines or b'Infinity"' in lines


def _is_coarse(cells: pl.Series) -> bool:
    """Whether an integer among the floats may have lost digits."""
    lowest, highest = cells.min(), cells.max()
    if not isinstance(lowest, float) or not isinstance(highest, float):
        return False
    return max(-lowest, highest) >= EXACT_IN_FLOAT
