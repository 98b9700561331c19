"""The reader of footers that needs no library: the same layout as by pyarrow, and the same rows."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.profiles import examples

from runql.frames.parquet.footer import layout_of_footer
from runql.frames.parquet.layout import UnreadableParquetError, belongs_to, read_layout
from runql.frames.parquet.with_arrow import PartialParquet
from runql.frames.parquet.with_polars import PolarsParquet
from runql.frames.sparse_file import SparseFile

ROWS = 100


def written(table: pa.Table, *, rows_per_group: int = 30, statistics: bool = True) -> bytes:
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, write_statistics=statistics) as writer:
        writer.write_table(table, row_group_size=rows_per_group)
    return out.getvalue()


def footer_of(content: bytes) -> bytes:
    size = int.from_bytes(content[-8:-4], "little")
    return content[-8 - size : -8]


# Any: arrays of several types.
COLUMNS: dict[str, pa.Array[Any]] = {
    "_step": pa.array(range(ROWS), pa.int64()),
    "float": pa.array([step / 3 for step in range(ROWS)]),
    "none": pa.array([None] * ROWS, pa.float64()),
    "string": pa.array([f"ü{step}" * 10 for step in range(ROWS)]),
    "nested": pa.array([{"a": {"b": step}, "c": [step, None]} for step in range(ROWS)]),
    "list": pa.array([[step] * (step % 3) for step in range(ROWS)]),
    "map": pa.array([[("k", step)] for step in range(ROWS)], pa.map_(pa.string(), pa.int64())),
    "dotted.name": pa.array([step % 2 == 0 for step in range(ROWS)]),
    "binary": pa.array([b"null"] * ROWS),
    "int32": pa.array(range(ROWS), pa.int32()),
    "dictionary": pa.array(["a", "b"] * (ROWS // 2), pa.dictionary(pa.int32(), pa.string())),
}


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("rows_per_group", [7, 30, ROWS])
def test_the_layout_is_that_of_pyarrow(rows_per_group: int, statistics: bool) -> None:
    content = written(pa.table(COLUMNS), rows_per_group=rows_per_group, statistics=statistics)
    assert layout_of_footer(footer_of(content)) == read_layout(pq.ParquetFile(io.BytesIO(content)))


@pytest.mark.parametrize(
    "steps",
    [
        pa.array([1.5, 2.0]),
        pa.array([math.nan, 1.0]),
        pa.array([-5, 3], pa.int32()),
        pa.array(["1", "2"]),
        pa.array([], pa.int64()),
    ],
)
def test_bounds_of_steps_of_any_type(steps: pa.Array[Any]) -> None:  # Any: as above
    content = written(pa.table({"_step": steps}))
    found, expected = (
        layout_of_footer(footer_of(content)),
        read_layout(pq.ParquetFile(io.BytesIO(content))),
    )
    assert found == expected


def test_a_file_of_polars_has_the_same_layout() -> None:
    out = io.BytesIO()
    pl.DataFrame({"_step": range(ROWS), "x": ["a"] * ROWS}).write_parquet(out, row_group_size=40)
    content = out.getvalue()
    assert layout_of_footer(footer_of(content)) == read_layout(pq.ParquetFile(io.BytesIO(content)))


@pytest.mark.parametrize("names", [["loss"], ["_step", "x", "x"]])
def test_a_file_that_is_no_export_is_refused(names: list[str]) -> None:
    content = written(pa.table([pa.array([1])] * len(names), names=names))
    with pytest.raises(UnreadableParquetError, match="one column for each metric"):
        layout_of_footer(footer_of(content))


@examples(200)
@given(st.data())
def test_a_damaged_footer_is_an_error_of_ours_or_another_layout(data: st.DataObject) -> None:
    footer = bytearray(footer_of(written(pa.table(COLUMNS))))
    for _ in range(data.draw(st.integers(1, 4))):
        footer[data.draw(st.integers(0, len(footer) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadableParquetError):
        layout_of_footer(bytes(footer[: data.draw(st.integers(0, len(footer)))]))


@pytest.mark.parametrize("groups", [[0], [1, 2], [0, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("columns", [["_step"], ["_step", "float", "string"], ["_step", "nested", "list"]])
def test_both_libraries_read_the_same_rows_of_parts(groups: list[int], columns: list[str]) -> None:
    content = written(pa.table(COLUMNS))
    footer = footer_of(content)
    layout = layout_of_footer(footer)
    # Each chunk by itself: between them are zeros.
    file, whole = SparseFile(len(content)), SparseFile(len(content))
    for chunk in (chunk for group in groups for chunk in layout.groups[group].chunks):
        if belongs_to(chunk.path, columns):
            file.add(chunk.start, content[chunk.start : chunk.stop])
    whole.add(0, content)
    found = PolarsParquet(file, content[-len(footer) - 8 :]).frame(groups, columns)
    assert_frame_equal(found, PartialParquet(whole).frame(groups, columns), check_exact=True)
    assert found.height == sum(layout.groups[group].rows for group in groups)


def test_a_part_that_was_not_fetched_is_an_error() -> None:
    content = written(pa.table(COLUMNS))
    footer = footer_of(content)
    file = SparseFile(len(content))
    with pytest.raises(UnreadableParquetError, match="not fetched"):
        PolarsParquet(file, content[-len(footer) - 8 :]).frame([0], ["_step"])
