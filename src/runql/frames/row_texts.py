"""JSON texts of rows to columns by polars' own reader, and to Python objects wherever that might not be exact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from runql.frames.batches import Batch, ColumnBatch, RowBatch
from runql.frames.columns import SERIES_TYPES
from runql.frames.dtypes import EXACT_IN_FLOAT
from runql.values import parse_rows

if TYPE_CHECKING:
    import polars as pl

FEW_ROWS: Final = 256
"""Fewer rows than these are read faster as Python objects."""


class RowTextReader:
    """Reads the texts of a history batch by batch; what it has learned of the columns makes the next batch cheaper.

    polars' reader is an order of magnitude cheaper than Python objects, but it would drop what its schema does not name,
    and tells neither a null from a missing value nor a repeated name. A batch counts only when the quotes of its text
    are exactly those of the names and texts that were read; every other batch is read row by row.
    May be used by several threads.
    """

    def __init__(self, *, few: int = FEW_ROWS) -> None:
        self._few = few
        self._schema: dict[str, pl.DataType] = {}

    def read(self, texts: Sequence[str]) -> Batch:
        """The rows of ``texts``, in order.

        Raises:
            ValueError: a row is not JSON, or not an object.
        """
        batch = self._columns(texts) if len(texts) >= self._few and _reads_strictly() else None
        return RowBatch(parse_rows(texts)) if batch is None else batch

    def _columns(self, texts: Sequence[str]) -> ColumnBatch | None:
        try:
            joined = "\n".join(texts).encode()
        except UnicodeEncodeError:
            return None
        # An escape may hide a quote or a name; a text that spells a special float is to become that float.
        if b"\\" in joined:
            return None
        if self._schema and (batch := _read(joined, len(texts), self._schema)) is not None:
            return batch
        schema = _inferred(joined)
        if schema is None or (batch := _read(joined, len(texts), schema)) is None:
            return None
        self._schema = self._learned(schema)
        return batch

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


def _inferred(joined: bytes) -> dict[str, pl.DataType] | None:
    """The types that fit every row; None where a column has none that is exact."""
    import polars as pl  # noqa: PLC0415 - as in `_read`

    try:
        # Rows without any name are refused, too: they have no columns to tell their number by.
        schema = pl.scan_ndjson(joined, infer_schema_length=None).collect_schema()
    except pl.exceptions.PolarsError:
        return None
    return dict(schema) if all(str(dtype) in SERIES_TYPES for dtype in schema.values()) else None


def _read(joined: bytes, height: int, schema: Mapping[str, pl.DataType]) -> ColumnBatch | None:
    """The columns of the joined texts; None where they may not be all that the texts hold."""
    import polars as pl  # noqa: PLC0415 - optional: only who has it reads columns

    try:
        frame = pl.read_ndjson(joined, schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    present = {
        name: cells for name, cells in frame.to_dict(as_series=True).items() if cells.null_count() < height
    }
    texts = {name: cells for name, cells in present.items() if cells.dtype == pl.String()}
    quotes = sum(2 * (height - cells.null_count()) for cells in (*present.values(), *texts.values()))
    is_exact = (
        frame.height == height
        and joined.count(b'"') == quotes
        and all(_are_texts(joined, name, height - cells.null_count()) for name, cells in texts.items())
        and not (texts and _spells_floats(joined))
        and not any(_is_coarse(cells) for cells in present.values() if cells.dtype == pl.Float64())
    )
    if not is_exact:
        return None
    # The schema may be another batch's, and polars infers names in no order.
    first_seen = sorted(present, key=lambda name: _first_place(joined, name))
    return ColumnBatch({name: present[name] for name in first_seen}, height)


def _first_place(joined: bytes, name: str) -> int:
    found = re.search(rb'"%s"\s*:' % re.escape(name.encode()), joined)
    return found.start() if found else len(joined)


def _are_texts(joined: bytes, name: str, count: int) -> bool:
    # The reader takes any value for a text. Without escapes, this pattern is found only where a name is.
    return len(re.findall(rb'"%s"\s*:\s*"' % re.escape(name.encode()), joined)) == count


def _spells_floats(joined: bytes) -> bool:
    return b'NaN"' in joined or b'Infinity"' in joined


def _is_coarse(cells: pl.Series) -> bool:
    """Whether an integer among the floats may have lost digits."""
    largest = cells.abs().max()
    return isinstance(largest, float) and largest >= EXACT_IN_FLOAT
