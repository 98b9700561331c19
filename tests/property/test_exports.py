"""Any rows, exported and read back: the frame and the rows that GraphQL would have given, value for value."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Literal

import polars as pl
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from runql.frames.batches import RowBatch
from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.exported_frames import (
    frame_of_file,
    frames_of_batches,
    merge_frames,
    rows_of,
    select_rows,
    table_of,
)
from runql.frames.parquet.layout import bridge_gaps, footer_start
from runql.frames.parquet.with_arrow import PartialParquet
from runql.frames.parquet.with_polars import PolarsParquet
from runql.frames.sparse_file import SparseFile
from runql.frames.table import Table
from runql.frames.to_polars import to_polars
from runql.values import JSONValue, as_json, parse_rows
from runql_server import lenient_json
from runql_server.exports.column_types import RowTypes, as_columns
from runql_server.runs.history_keys import HistoryKeys

Row = dict[str, JSONValue]

INTEGERS = st.integers() | st.integers(2**53 - 2, 2**53 + 2) | st.integers(2**63 - 2, 2**64 + 2)
TEXTS = st.text(max_size=5) | st.sampled_from(["NaN", "Infinity", "\ud800"])
NAMES = st.sampled_from(["loss", "a", "b", "a.b", "a.b.c", "été", ""])
SCALARS: st.SearchStrategy[JSONValue] = st.none() | INTEGERS | st.floats() | st.booleans() | TEXTS


def containers(inner: st.SearchStrategy[JSONValue]) -> st.SearchStrategy[JSONValue]:
    return st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["b", "c", "b.c"]), inner, max_size=3
    )


FLOATS: st.SearchStrategy[JSONValue] = st.floats()
WHOLE: st.SearchStrategy[JSONValue] = st.integers()
VALUES = st.recursive(SCALARS, containers, max_leaves=5)
KINDS: list[st.SearchStrategy[JSONValue]] = [
    INTEGERS,
    st.floats(),
    st.integers(-5, 5) | st.floats(),
    st.booleans(),
    st.booleans() | st.integers(),
    TEXTS,
    containers(FLOATS),
    containers(WHOLE),
    VALUES,
]


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Rows with rising steps, as the wire's JSON gives them."""
    columns = {name: draw(st.sampled_from(KINDS)) for name in draw(st.sets(NAMES, max_size=4))}
    rows = draw(st.lists(st.fixed_dictionaries({}, optional=columns), max_size=8))
    steps = sorted(draw(st.sets(st.integers(0, 30), min_size=len(rows), max_size=len(rows))))
    return [{"_step": step, **values} for step, values in zip(steps, rows, strict=True)]


def exported(rows: Sequence[Row], rows_per_group: int = 3) -> bytes:
    """A file as the embedded server writes it."""
    types = RowTypes()
    for each in rows:
        types.fold(each)
    columns = types.columns()
    out = io.BytesIO()
    with pq.ParquetWriter(out, as_columns([], columns).schema) as writer:
        writer.write_table(as_columns(list(rows), columns), row_group_size=rows_per_group)
    return out.getvalue()


def on_the_wire(rows: Sequence[Row]) -> list[Row]:
    """Rows as the client reads them from GraphQL."""
    return parse_rows([json.dumps(each) for each in rows])


def asked(rows: Sequence[Row], selection: ExportSelection) -> list[Row]:
    """The slow, obvious reader."""
    within = [
        each
        for each in rows
        if selection.start <= step(each) and (selection.stop is None or step(each) < selection.stop)
    ]
    if selection.keys is None:
        return within
    found: list[Row] = []
    for each in within:
        picked = {
            key: value
            for key, value in lenient_json.pick(each, list(selection.keys)).items()
            if value is not None
        }
        if picked if selection.match == "any" else len(picked) == len(selection.keys):
            found.append({"_step": each["_step"], **picked})
    return on_the_wire(found)


def step(each: Row) -> int:
    found = each["_step"]
    assert isinstance(found, int)
    return found


def known(value: JSONValue) -> JSONValue:
    """A value without null members: in a file of columns they are the same as missing ones."""
    if isinstance(value, dict):
        return {key: known(member) for key, member in value.items() if member is not None}
    return [known(item) for item in value] if isinstance(value, list) else value


def comparable(rows: Sequence[Row]) -> list[str]:
    """Rows in a form that compares NaN and true, but neither 1 and 1.0 nor the order of members."""
    return [json.dumps(spelled(known(each)), sort_keys=True) for each in rows]


def spelled(value: JSONValue) -> JSONValue:
    if isinstance(value, dict):
        return {key: spelled(member) for key, member in value.items()}
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


SELECTIONS = st.builds(
    ExportSelection,
    st.none() | st.lists(NAMES, min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(["all", "any"]),
    st.sampled_from([0, 0, 10]),
    st.sampled_from([None, None, 20]),
)


def read(
    files: Sequence[bytes], selection: ExportSelection, live: Sequence[Row] = (), *, repeats: bool = False
) -> Table:
    frames = [select_rows(frame_of_file(each), selection) for each in files]
    fresh = frames_of_batches([RowBatch(asked(live, selection))], map(step, live))
    frame = merge_frames([*fresh, *frames], selection, repeats=repeats)
    bounded = selection.start > 0 or selection.stop is not None
    leading = ("_step", *(selection.keys or ()))
    return table_of(frame, leading=leading, keep_empty=not bounded)


def ordered_members(table: Table) -> pl.DataFrame:
    """A frame in which JSON strings have one order of members and one spelling of whole numbers: columns keep neither."""
    frame = to_polars(table)
    texts = {
        name: frame[name].to_list() for name, kind in frame.schema.items() if isinstance(kind, pl.String)
    }
    return pl.DataFrame(
        {
            name: pl.Series([in_order(text) for text in texts[name]], dtype=pl.String)
            if name in texts
            else frame[name]
            for name in frame.columns
        }
    )


def in_order(text: str | None) -> str | None:
    if text is None or not text.startswith(("{", "[")):
        return text
    try:
        return json.dumps(spelled(json.loads(text)), sort_keys=True)
    except ValueError:
        return text


@given(histories(), SELECTIONS)
def test_rows_come_back_from_a_file(rows: list[Row], selection: ExportSelection) -> None:
    frame = merge_frames([select_rows(frame_of_file(exported(rows)), selection)], selection, repeats=False)
    found = [each for part in rows_of(frame, 3) for each in part]
    assert comparable(found) == comparable(asked(on_the_wire(rows), selection))


@given(
    histories(),
    st.none() | st.lists(NAMES, min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(["all", "any"]),
)
def test_a_frame_of_a_file_is_the_frame_of_its_rows(
    rows: list[Row], keys: tuple[str, ...] | None, match: Literal["all", "any"]
) -> None:
    selection = ExportSelection(keys, match, 0, None)
    expected = Table.from_rows(asked(on_the_wire(rows), selection), leading=("_step", *(keys or ())))
    found = read([exported(rows)], selection)
    if keys is None:
        # Where a number is null in the first row that has it, the file does not show that it was there.
        ordered = not any(None in each.values() for each in rows)
        assert_frame_equal(
            ordered_members(found), ordered_members(expected), check_exact=True, check_column_order=ordered
        )
        return
    # With keys, rows that hold the float values of a column of integers and floats may be left out.
    assert list(found.columns) == list(expected.columns)
    assert found.height == expected.height


@given(histories(), st.data())
def test_files_and_live_rows_are_one_history(rows: list[Row], data: st.DataObject) -> None:
    places = [data.draw(st.sampled_from(["first", "second", "both", "live"])) for _ in rows]
    split = {
        place: [each for each, of in zip(rows, places, strict=True) if of in {place, "both"}]
        for place in ("first", "second", "live")
    }
    live = [each for each, of in zip(rows, places, strict=True) if of == "live"]
    selection = ExportSelection(None, "all", 0, None)
    files = [exported(split["second"]), exported(split["first"])]
    found = read(files, selection, on_the_wire(live), repeats="both" in places)
    expected = Table.from_rows(on_the_wire(rows), leading=("_step",))
    assert_frame_equal(
        ordered_members(found), ordered_members(expected), check_exact=True, check_column_order=False
    )


@given(histories().filter(bool), SELECTIONS)
def test_the_fetched_parts_hold_what_the_file_holds(rows: list[Row], selection: ExportSelection) -> None:
    content = exported(rows)
    file = SparseFile(len(content))
    file.add(0, content)
    opened = PartialParquet(file)
    # Opening a file reads more of its end than the footer, which is all of so small a one: it is taken away again.
    file._starts.clear()  # pyright: ignore[reportPrivateUsage] - see above
    file._parts.clear()  # pyright: ignore[reportPrivateUsage] - see above
    start = footer_start(content, len(content))
    assert start is not None
    by_polars = PolarsParquet(file, content[start:])
    assert by_polars.layout == opened.layout
    columns = selection.columns_of(opened.layout.columns)
    groups = opened.layout.groups_within(selection.start, selection.stop)
    for index in groups:
        for chunk in opened.layout.groups[index].chunks:
            if any(chunk.path == name or chunk.path.startswith(f"{name}.") for name in columns):
                file.add(chunk.start, content[chunk.start : chunk.stop])
    leading = ("_step", *(selection.keys or ()))

    def framed(frame: pl.DataFrame) -> pl.DataFrame:
        merged = merge_frames([select_rows(frame, selection)], selection, repeats=False)
        return to_polars(table_of(merged, leading=leading, keep_empty=False))

    expected = framed(frame_of_file(content))
    for reader in (opened, by_polars):
        assert_frame_equal(framed(reader.frame(groups, columns)), expected, check_exact=True)


@given(st.lists(st.tuples(st.integers(0, 2**24), st.integers(1, 2**20)), max_size=8))
def test_bridges_cover_all_and_only_what_lies_between(pairs: list[tuple[int, int]]) -> None:
    ranges = [(start, start + size) for start, size in pairs]
    joined = bridge_gaps(ranges)
    assert joined == sorted(joined)
    assert all(any(low <= start and stop <= high for low, high in joined) for start, stop in ranges)
    assert {low for low, _ in joined} <= {start for start, _ in ranges}
    assert {high for _, high in joined} <= {stop for _, stop in ranges}


@given(histories())
def test_dotted_columns_are_told_from_members_by_the_history_keys(rows: list[Row]) -> None:
    keys = HistoryKeys()
    for each in rows:
        keys.fold(each, step(each))
    selection = ExportSelection(None, "all", 0, None, as_json(keys.to_json()))
    assert selection.member_paths([name for name in keys.keys if "." in name]) == {}
