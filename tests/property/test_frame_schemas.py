"""Any rows under any schema: exact dtypes in all three libraries, equal values, or an error about a value that does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql.errors import FrameValueError
from runql.frames.asked_types import FrameSchema
from runql.frames.batches import RUN_ID, STEP, RowBatch
from runql.frames.row_readers import ColumnReader
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.frames.unified_columns import UnifiedColumns
from runql.values import SPELLED_FLOATS, JSONValue, dump_json

LISTS: st.SearchStrategy[JSONValue] = st.lists(st.integers(0, 3), max_size=2).map(list[JSONValue])
INTEGERS = st.integers(-130, 130) | st.integers(2**53 - 2, 2**53 + 2) | st.integers(-(2**64), 2**64)
VALUES: st.SearchStrategy[JSONValue] = (
    st.none()
    | st.booleans()
    | INTEGERS
    | st.floats()
    | st.integers(-300, 300).map(float)
    | st.sampled_from(["NaN", "-Infinity", "high", "é\udfff"])
    | LISTS
)
KINDS: list[st.SearchStrategy[JSONValue]] = [
    VALUES,
    INTEGERS | st.none(),
    st.floats() | st.none(),
    st.booleans() | st.none(),
    st.integers(-130, 130) | st.none(),
]
POLARS: Mapping[object, pl.DataType] = {
    bool: pl.Boolean(),
    int: pl.Int64(),
    pl.Int8: pl.Int8(),
    pl.UInt8: pl.UInt8(),
    pl.UInt64: pl.UInt64(),
    pl.Float32: pl.Float32(),
    float: pl.Float64(),
    str: pl.String(),
}
BOUNDS: Mapping[object, tuple[int, int]] = {
    int: (-(2**63), 2**63 - 1),
    pl.Int8: (-128, 127),
    pl.UInt8: (0, 255),
    pl.UInt64: (0, 2**64 - 1),
}
DTYPES = st.sampled_from([*POLARS])
NAMES = ("loss", "n")


@st.composite
def row_lists(draw: st.DrawFn) -> list[dict[str, JSONValue]]:
    columns = {name: draw(st.sampled_from(KINDS)) for name in NAMES}
    rows = draw(st.lists(st.fixed_dictionaries({}, optional=columns), max_size=6))
    return [{RUN_ID: f"run-{place // 2}", STEP: place, **row} for place, row in enumerate(rows)]


def fits(value: JSONValue, dtype: object) -> bool:
    """Whether a dtype holds a value: the rule, written once more."""
    if value is None or dtype is str:
        return True
    if dtype is bool:
        return isinstance(value, bool)
    if isinstance(value, str):
        return POLARS[dtype].is_float() and value in SPELLED_FLOATS
    if not isinstance(value, (int, float)):
        return False
    if dtype in BOUNDS:
        low, high = BOUNDS[dtype]
        return math.isfinite(value) and value == math.floor(value) and low <= value <= high
    if isinstance(value, int) and (abs(value) > 2**1000 or int(float(value)) != value):
        return False
    return dtype is float or not math.isfinite(value) or abs(value) <= (2 - 2**-23) * 2.0**127


def same(sent: JSONValue, read: object, dtype: object) -> bool:
    if sent is None or read is None:
        return sent is read is None
    if dtype is str:
        return isinstance(read, str)
    number = SPELLED_FLOATS[sent] if isinstance(sent, str) else sent
    if not isinstance(number, (int, float)) or not isinstance(read, (int, float)):
        return False
    if math.isnan(number):
        return math.isnan(read)
    return math.isclose(number, read, rel_tol=1e-6, abs_tol=1e-44) if dtype is pl.Float32 else number == read


@examples(400)
@given(row_lists(), DTYPES, st.booleans())
def test_exact_dtypes_or_an_error(rows: list[dict[str, JSONValue]], dtype: object, as_columns: bool) -> None:
    schema = FrameSchema.checked({"loss": dtype, "never": dtype}, None)

    def table() -> Table:
        builder = TableBuilder()
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            lines = [dump_json(row) for row in part]
            builder.add(ColumnReader().read(lines) if as_columns else RowBatch(part))
        return builder.build(leading=(RUN_ID, STEP), schema=schema)

    bad = [row for row in rows if not fits(row.get("loss"), dtype)]
    if bad:
        with pytest.raises(FrameValueError) as caught:
            table()
        assert (caught.value.run, caught.value.column) == (bad[0][RUN_ID], "loss")
        return
    found = table()
    polars, arrow, pandas = to_polars(found), to_arrow(found), to_pandas(found)
    assert polars.schema["loss"] == polars.schema["never"] == POLARS[dtype]
    assert pl.DataFrame(arrow.select(["loss", "never"])).schema == polars.select("loss", "never").schema
    values = polars["loss"].to_list()
    assert all(same(row.get("loss"), value, dtype) for row, value in zip(rows, values, strict=True))
    assert repr(arrow.column(arrow.column_names.index("loss")).to_pylist()) == repr(values)
    for value, other in zip(values, pandas["loss"].tolist(), strict=True):
        is_missing = value is None or (isinstance(value, float) and math.isnan(value))
        assert pd.isna(other) if is_missing else value == other
    # An empty frame has the dtypes of a full one.
    empty = Table.from_rows([], leading=(RUN_ID, STEP), requested=("loss",), schema=schema)
    names = [RUN_ID, STEP, "loss", "never"]
    assert to_polars(empty).select(names).schema == polars.select(names).schema
    assert to_arrow(empty).select(names).schema.equals(arrow.select(names).schema)
    assert to_pandas(empty)[names].dtypes.equals(pandas[names].dtypes)


@examples(200)
@given(row_lists(), st.lists(st.integers(0, 6), max_size=2), DTYPES)
def test_pieces_have_the_schema_of_the_whole(
    rows: list[dict[str, JSONValue]], cuts: list[int], dtype: object
) -> None:
    rows = [{**row, "_timestamp": place} for place, row in enumerate(rows) if fits(row.get("loss"), dtype)]
    schema = FrameSchema.checked({"loss": dtype}, None)
    whole = Table.from_rows(rows, leading=(RUN_ID, STEP), order="sorted", schema=schema)
    borders = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [rows[start:stop] for start, stop in pairwise(borders)]
    unified = UnifiedColumns((RUN_ID, STEP), schema=schema)
    pieces = [
        ({name: [row.get(name) for row in part] for row in part for name in row}, len(part)) for part in parts
    ]
    for columns, _height in pieces:
        unified.see(columns)
    dtypes = unified.dtypes()
    tables = [to_arrow(unified.table(dtypes, columns, height)) for columns, height in pieces]
    # As repr: NaN is not equal to itself.
    assert repr(pa.concat_tables(tables).to_pylist()) == repr(to_arrow(whole).to_pylist())
    assert all(table.schema.equals(to_arrow(whole).schema) for table in tables)
