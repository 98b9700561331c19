"""Readers of the JSON of rows: into dicts, or into columns by polars where that is exact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from runql.frames.batches import STEP, Batch, ColumnBatch, RowBatch
from runql.frames.columns import SERIES_TYPES
from runql.frames.dtypes import EXACT_IN_FLOAT
from runql.limits import ResponseLimitError, current_limits
from runql.values import (
    UnreadableRowError,
    check_row_sizes,
    dump_json,
    history_rows,
    parse_json,
    parse_rows,
)

if TYPE_CHECKING:
    import polars as pl

FEW_ROWS: Final = 256
"""Fewer rows than this are read faster as Python objects."""

SAFE_DEPTH: Final = 64
"""Levels of nesting that polars surely reads."""

FIRST_ROWS: Final = 200
"""Rows that types are inferred from at first."""


class RowReader:
    """Reads rows as dicts."""

    def read(self, rows: Sequence[str], size: int | None = None) -> Batch:  # noqa: ARG002 - for readers of columns
        """Read rows, each given as JSON.

        Args:
            rows: the JSON of each row.
            size: the most bytes that the JSON array of these strings took in the response, where it is known.

        Raises:
            UnreadableRowError: a row is not JSON, or not an object.
        """
        return RowBatch(parse_rows(rows))

    def read_array(self, array: bytes) -> Batch:
        """Read the rows of a JSON array of objects.

        Raises:
            UnreadableRowError: it is not JSON, not an array, or a row is not an object.
        """
        try:
            rows = parse_json(array, "the rows of a response")
        except ResponseLimitError:
            raise
        except ValueError as error:
            raise UnreadableRowError(0, str(error)) from error
        if not isinstance(rows, list):
            raise UnreadableRowError(0, "the rows are not a JSON array")
        if len(array) > current_limits().row_bytes:
            check_row_sizes(map(dump_json, rows), len(array))
        return RowBatch(history_rows(rows))


class ColumnReader(RowReader):
    """Reads rows into columns batch by batch; the schema of a batch makes the next one cheaper.

    The polars reader takes half the time of dicts. But it drops names that are not in its schema, and does not
    distinguish null from a missing value, nor see a repeated name. A batch counts only where the number of quotes in its
    JSON matches the names and strings that were read; any other batch is read row by row. Several threads may use it.
    """

    def __init__(self, *, few: int = FEW_ROWS) -> None:
        self._few = few
        self._schema: dict[str, pl.DataType] = {}

    def read(self, rows: Sequence[str], size: int | None = None) -> Batch:
        """As `RowReader.read`, into columns where that is exact."""
        try:
            lines = "\n".join(rows).encode()
        except UnicodeEncodeError:
            return super().read(rows)
        # The response holds the lines, two brackets, two quotes a row, and one more byte for each escaped quote: its
        # size gives the number of quotes without counting them.
        check_row_sizes(rows, len(lines))
        escapes = None if size is None else size - len(lines) - 2 * len(rows) - 2
        batch = self._columns(lines, len(rows), escapes)
        return super().read(rows) if batch is None else batch

    def read_array(self, array: bytes) -> Batch:
        """As `RowReader.read_array`, into columns where that is exact."""
        # A string that holds this is cut too, and is then no longer JSON.
        lines = array[1:-1].replace(b"},{", b"}\n{")
        batch = self._columns(lines, lines.count(b"\n") + 1)
        return super().read_array(array) if batch is None else batch

    def _columns(self, lines: bytes, height: int, escapes: int | None = None) -> ColumnBatch | None:
        # An escape may hide a quote or a name.
        if height < self._few or not _reads_strictly() or b"\\" in lines:
            return None
        # polars crashes on objects that are nested about 1,000 levels deep. It makes no exact columns of objects anyway.
        if lines.count(b"{") > height + SAFE_DEPTH or len(lines) > current_limits().row_bytes:
            return None
        if self._schema and (batch := _read(lines, height, self._schema, escapes)) is not None:
            return _narrow_floats(batch, lines)
        # The first rows nearly always show the types; inferring from all takes as long as reading them.
        for rows in (FIRST_ROWS, None) if height > FIRST_ROWS else (None,):
            schema = _infer_schema(lines, rows)
            if schema is not None and (batch := _read(lines, height, schema, escapes)) is not None:
                self._schema = self._merge_schema(schema)
                return batch
        return None

    def _merge_schema(self, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        import polars as pl  # noqa: PLC0415 - as in `_read`

        numbers = {pl.Int64(), pl.Float64()}
        learned = self._schema | dict(schema)
        for name, known in self._schema.items():
            if known != learned[name] and {known, learned[name]} == numbers:
                learned[name] = pl.Float64()
        return learned


@cache
def _reads_strictly() -> bool:
    """Whether polars is installed and refuses a value that is not of the column's type, as it does since 1.36."""
    if find_spec("polars") is None:
        return False
    import polars as pl  # noqa: PLC0415 - as in `_read`

    try:
        pl.read_ndjson(b'{"a":7.0}', schema={"a": pl.Int64()})
    except pl.exceptions.ComputeError:
        return True
    return False


def _infer_schema(lines: bytes, rows: int | None) -> dict[str, pl.DataType] | None:
    """The types that fit the first ``rows``, or all when None; None where a column has no exact type."""
    import polars as pl  # noqa: PLC0415 - as in `_read`

    try:
        # Rows without any name are refused too: without columns nothing shows how many they are.
        schema = pl.scan_ndjson(lines, infer_schema_length=rows).collect_schema()
    except pl.exceptions.PolarsError:
        return None
    return dict(schema) if all(str(dtype) in SERIES_TYPES for dtype in schema.values()) else None


def _read(
    lines: bytes, height: int, schema: Mapping[str, pl.DataType], escapes: int | None
) -> ColumnBatch | None:
    """The columns of the lines; None where the lines may hold more. ``escapes`` is the number of their quotes, if known."""
    import polars as pl  # noqa: PLC0415 - optional: columns are read only where it is installed

    try:
        frame = pl.read_ndjson(lines, schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    present = {
        name: cells for name, cells in frame.to_dict(as_series=True).items() if cells.null_count() < height
    }
    strings = {name: cells for name, cells in present.items() if cells.dtype == pl.String()}
    quotes = sum(2 * (height - cells.null_count()) for cells in (*present.values(), *strings.values()))
    is_exact = (
        frame.height == height
        and (quotes == escapes or quotes == lines.count(b'"'))
        and all(_are_strings(lines, name, height - cells.null_count()) for name, cells in strings.items())
        and not (strings and _spells_floats(lines))
        and not any(_may_be_rounded(cells) for cells in present.values() if cells.dtype == pl.Float64())
    )
    if not is_exact:
        return None
    # polars reads an empty row where a line is no object. Where each row has a step, there is none.
    steps = present.get(STEP)
    if (steps is None or steps.null_count()) and lines.count(b"\n{") + lines.startswith(b"{") != height:
        return None
    # The schema may come from another batch, and polars infers names in no order.
    first_seen = sorted(present, key=lambda name: _first_place(lines, name))
    return ColumnBatch({name: present[name] for name in first_seen}, height)


def _narrow_floats(batch: ColumnBatch, lines: bytes) -> ColumnBatch:
    """The columns with integers as integers, where only an earlier batch had floats: that batch may be dropped."""
    import polars as pl  # noqa: PLC0415 - as in `_read`

    columns = {
        name: cells.cast(pl.Int64())
        if cells.dtype == pl.Float64() and _are_integers(lines, name, cells)
        else cells
        for name, cells in batch.columns.items()
    }
    return ColumnBatch(columns, batch.height)


def _are_integers(lines: bytes, name: str, cells: pl.Series) -> bool:
    # The search runs only where all numbers are whole, which is rare for floats.
    first = cells[0]
    is_whole = (first is None or first % 1 == 0) and bool((cells % 1 == 0).all())
    return is_whole and not re.search(rb'"%s"\s*:\s*-?\d+[.eE]' % re.escape(name.encode()), lines)


def _first_place(lines: bytes, name: str) -> int:
    found = re.search(rb'"%s"\s*:' % re.escape(name.encode()), lines)
    return found.start() if found else len(lines)


def _are_strings(lines: bytes, name: str, count: int) -> bool:
    # The reader accepts any value as a string. Without escapes, this pattern matches only at a name.
    return len(re.findall(rb'"%s"\s*:\s*"' % re.escape(name.encode()), lines)) == count


def _spells_floats(lines: bytes) -> bool:
    return b'NaN"' in lines or b'Infinity"' in lines


def _may_be_rounded(cells: pl.Series) -> bool:
    """Whether an integer among the floats may have lost digits."""
    lowest, highest = cells.min(), cells.max()
    if not isinstance(lowest, float) or not isinstance(highest, float):
        return False
    return max(-lowest, highest) >= EXACT_IN_FLOAT
