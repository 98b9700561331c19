"""Cells of exports as values of rows: JSON in bytes, members in columns of their own, types of other writers."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.exported_frames import frame_of_file, merge_frames, rows_of, select_rows
from runql.frames.parquet.exported_values import lookup, member_paths, nest_members
from runql.frames.parquet.layout import UnreadableParquetError
from runql.values import JSONValue

KEYS: JSONValue = {
    "keys": {
        "a": {
            "typeCounts": [{"type": "map", "keys": {"b": {"typeCounts": [{"type": "number"}]}, "c.d": {}}}]
        },
        "own.name": {"typeCounts": [{"type": "number"}]},
        "plain": {"typeCounts": [{"type": "number"}]},
    }
}
WHOLE = ExportSelection(None, "all", 0, None, KEYS)


def parquet(**columns: pa.Array[pa.Scalar[pa.DataType]]) -> bytes:
    out = io.BytesIO()
    table = pa.table(list(columns.values()), names=[name.replace("__", ".") for name in columns])
    with pq.ParquetWriter(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def rows(content: bytes, selection: ExportSelection = WHOLE) -> list[dict[str, JSONValue]]:
    frame = merge_frames([select_rows(frame_of_file(content), selection)], selection, repeats=False)
    return [each for some in rows_of(frame) for each in some]


def test_members_are_told_from_dotted_names() -> None:
    names = ["_step", "a.b", "a.c.d", "own.name", "a.unknown", "plain.b"]
    assert member_paths(names, KEYS) == {"a.b": ("a", "b"), "a.c.d": ("a", "c.d")}
    assert member_paths(names, None) == {}
    assert member_paths(["a", "a.b"], KEYS) == {}, "the object has a column of its own"


def test_members_in_columns_of_their_own_are_objects_again() -> None:
    content = parquet(
        _step=pa.array([0, 1, 2]),
        a__b=pa.array([1.5, None, None]),
        own__name=pa.array([1, 2, 3]),
        a__c__d=pa.array(["x", "y", None]),
    )
    assert rows(content) == [
        {"_step": 0, "a": {"b": 1.5, "c.d": "x"}, "own.name": 1},
        {"_step": 1, "a": {"c.d": "y"}, "own.name": 2},
        {"_step": 2, "own.name": 3},
    ]
    keyed = ExportSelection(("a",), "all", 0, None, KEYS)
    assert rows(content, keyed) == [
        {"_step": 0, "a": {"b": 1.5, "c.d": "x"}},
        {"_step": 1, "a": {"c.d": "y"}},
    ]
    inner = ExportSelection(("a.b", "own.name"), "all", 0, None, KEYS)
    assert rows(content, inner) == [{"_step": 0, "a.b": 1.5, "own.name": 1}]


def test_types_of_other_writers_are_taken() -> None:
    content = parquet(
        _step=pa.array([0.0, 1.0]),
        small=pa.array([1, None], pa.int8()),
        unsigned=pa.array([2**64 - 1, 1], pa.uint64()),
        half=pa.array([0.5, None], pa.float32()),
        code=pa.array(["x", "y"], pa.dictionary(pa.int32(), pa.string())),
        large=pa.array(["x", None], pa.large_string()),
        text=pa.array(["NaN", "x"]),
        json=pa.array([b'{"a": [1, null]}', b"null"], pa.binary()),
        nothing=pa.array([None, None], pa.null()),
    )
    first, second = rows(content)
    assert repr(first.pop("text")) == "nan"
    assert first == {
        "_step": 0,
        "small": 1,
        "unsigned": 2**64 - 1,
        "half": 0.5,
        "code": "x",
        "large": "x",
        "json": {"a": [1, None]},
    }
    assert second == {"_step": 1, "unsigned": 1, "code": "y", "text": "x"}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([datetime(2024, 1, 1, tzinfo=UTC)]),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([b"\xff"], pa.binary()),
        pa.array([[datetime(2024, 1, 1, tzinfo=UTC)]]),
    ],
    ids=["time", "map", "no JSON", "times"],
)
def test_what_no_row_can_hold_is_unreadable(column: pa.Array[pa.Scalar[pa.DataType]]) -> None:
    with pytest.raises(UnreadableParquetError):
        rows(parquet(_step=pa.array([0]), odd=column))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"PAR1" + bytes(100) + b"PAR1",
        parquet(loss=pa.array([1.0])),
        parquet(_step=pa.array([0, None])),
        parquet(_step=pa.array(["0"])),
    ],
    ids=["nothing", "html", "hollow", "no steps", "a step missing", "steps as strings"],
)
def test_what_is_no_export_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableParquetError):
        rows(content)


def test_a_member_is_looked_for_as_the_server_does() -> None:
    row: dict[str, JSONValue] = {"a.b": None, "a": {"b": 1, "c": {"d": 2}}, "x": 3}
    assert lookup(row, "x") == 3
    assert lookup(row, "a.b") == 1
    assert lookup(row, "a.c.d") == 2
    assert lookup(row, "a.nope") is None
    assert lookup({"a.b": 5, "a": {"b": 1}}, "a.b") == 5


def test_an_object_without_members_is_missing() -> None:
    assert nest_members({("a",): None, ("b", "c"): None}) is None
    assert nest_members({("a",): 1, ("b", "c"): 2}) == {"a": 1, "b": {"c": 2}}


def test_a_column_without_a_name_keeps_it() -> None:
    content = parquet(_step=pa.array([0]), **{"": pa.array([1])})
    assert rows(content) == [{"_step": 0, "": 1}]
    assert isinstance(frame_of_file(content), pl.DataFrame)
