"""The histories of a list are the scans of its runs, one after the other: rows, values and types, in memory and in files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_frames import exactly, plain_batches, row_lists
from tests.property.test_scan import histories
from tests.unit.resources.histories_server import (
    ListOnServer,
    batches_of,
    parts_of,
    planned_list,
    wanted_of_all,
)
from tests.unit.resources.history_server import RunOnServer, step_of
from tests.unit.transport.stepping import served

from runql.frames.batches import RUN_ID, STEP, Batch, RowBatch
from runql.frames.dtypes import ScalarType, TypeEvidence, infer
from runql.frames.row_readers import ColumnReader
from runql.frames.stored_batch import StoredBatch, load_batch, load_note, store_batch
from runql.frames.table import Table
from runql.frames.to_arrow import to_arrow
from runql.frames.unified_columns import UnifiedColumns
from runql.frames.wide import widen
from runql.resources.history.sampled import Row
from runql.resources.runs.histories.collect import sink_histories
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.histories.sampled import rows_of
from runql.values import JSONValue, parse_rows


@st.composite
def lists(draw: st.DrawFn) -> ListOnServer:
    """A few runs, some of them longer than a page may bring, on servers of any kind."""
    runs: dict[str, RunOnServer] = {}
    spec_includes_end, null_is_present = draw(st.booleans()), draw(st.booleans())
    for place in range(draw(st.integers(0, 7))):
        runs[f"run{place}"] = RunOnServer(
            draw(histories()),
            lag=draw(st.sampled_from([0, 0, 5, None])),
            uncounted=draw(st.sampled_from([0, 0, 0, 2, -2, None])),
            spec_includes_end=spec_includes_end,
            null_is_present=null_is_present,
        )
    return ListOnServer(runs, most=draw(st.sampled_from([1000, 1000, 2])))


@st.composite
def list_plans(draw: st.DrawFn) -> HistoriesPlan:
    first = draw(st.none() | st.integers(0, 60))
    return planned_list(
        per_page=draw(st.integers(1, 4)),
        keys=draw(st.none() | st.lists(st.sampled_from(("loss", "acc", "_step")), unique=True, min_size=1)),
        match=draw(st.sampled_from(["all", "any"])),
        page_size=draw(st.integers(1, 25)),
        min_step=first,
        max_step=draw(st.none() | st.integers(first or 0, draw(st.sampled_from([60, 300])))),
        max_concurrency=draw(st.integers(1, 4)),
    )


def budget_of(plan: HistoriesPlan, first_rows: int, most_bytes: int) -> PageBudget:
    return PageBudget(plan.query.per_page, plan.scan.page_size, first_rows=first_rows, most_bytes=most_bytes)


def spelled(rows: Sequence[Row]) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in rows]


@given(lists(), list_plans(), st.integers(1, 60), st.integers(100, 3000), st.booleans())
def test_rows_are_those_of_each_run_in_list_order(
    server: ListOnServer, plan: HistoriesPlan, first_rows: int, most_bytes: int, bounded: bool
) -> None:
    parts, position = parts_of(
        plan, server.answer, bounded=bounded, budget=budget_of(plan, first_rows, most_bytes)
    )
    assert spelled(rows_of(batches_of(parts))) == spelled(wanted_of_all(server.runs, plan))
    assert position.unread.reasons == {}
    assert [mark.name for part in parts for mark in part.ended] == [*server.runs]


@given(lists(), list_plans())
def test_columns_are_those_of_a_slow_reader(server: ListOnServer, plan: HistoriesPlan) -> None:
    parts, _ = parts_of(plan, server.answer, reader=ColumnReader(few=0))
    quick = Table.from_batches(batches_of(parts), leading=[RUN_ID, STEP], order="sorted")
    slow = Table.from_rows(wanted_of_all(server.runs, plan), leading=[RUN_ID, STEP], order="sorted")
    assert exactly(quick) == exactly(slow)


@given(lists(), list_plans(), st.integers(0, 12), st.data())
def test_a_file_holds_what_a_frame_does_however_often_it_was_interrupted(
    server: ListOnServer, plan: HistoriesPlan, break_at: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "all.parquet"
        server.break_at = break_at
        while True:
            try:
                served(sink_histories(plan, ColumnReader(few=0), target, "s"), server.answer)
            except Exception:  # noqa: BLE001 - whatever the interruption looks like
                assert not target.exists()
                server.break_at = server.requests + 1 + data.draw(st.integers(1, 12))
                if data.draw(st.booleans()):
                    server.break_at = 0
            else:
                break
        assert [path.name for path in Path(folder).iterdir()] == ["all.parquet"]
        expected = Table.from_rows(
            wanted_of_all(server.runs, plan),
            leading=[RUN_ID, STEP],
            requested=plan.scan.keys or (),
            order="sorted",
        )
        frame = to_arrow(expected)
        with pq.ParquetFile(target) as file:
            assert file.schema_arrow.equals(frame.schema)
            batches = [file.read_row_group(group) for group in range(file.num_row_groups)]  # pyright: ignore[reportUnknownMemberType] — the stubs leave out a list's type
        assert pa.concat_tables([frame.slice(0, 0), *batches]).equals(frame)


@given(row_lists(), st.data())
def test_the_type_of_values_that_come_piece_by_piece(rows: list[Row], data: st.DataObject) -> None:
    values = [value for row in rows for value in row.values()]
    evidence = TypeEvidence()
    start = 0
    while start < len(values):
        stop = data.draw(st.integers(start + 1, len(values)))
        evidence.add(values[start:stop])
        start = stop
    assert evidence.dtype() == infer(values)


@given(plain_batches() | st.lists(row_lists(), max_size=3))
def test_stored_rows_come_back_as_they_were_and_have_the_types_of_all(batches: list[list[Row]]) -> None:
    reader = ColumnReader(few=0)
    unified = UnifiedColumns([STEP])
    stored: list[StoredBatch] = []
    with tempfile.TemporaryDirectory() as folder:
        for place, rows in enumerate(batches):
            note: JSONValue = {"place": place}
            path = Path(folder) / f"{place}.rows"
            read: Batch = reader.read([json.dumps(row) for row in rows]) if place % 2 else RowBatch(rows)
            store_batch(path, read, note)
            assert load_note(path) == note
            stored.append(load_batch(path))
            unified.see(stored[-1].columns)
    dtypes = unified.dtypes()
    # What the texts "NaN" and "Infinity" stand for is read where texts are.
    read_rows = [
        parse_rows([json.dumps(row) for row in rows]) if place % 2 else rows
        for place, rows in enumerate(batches)
    ]
    rows = [row for batch in read_rows for row in batch]
    expected = Table.from_rows(rows, leading=[STEP], order="sorted")
    assert dtypes == {name: column.dtype for name, column in expected.columns.items()}
    tables = [unified.table(dtypes, batch.columns, batch.height) for batch in stored]
    assert [table.height for table in tables] == [len(batch) for batch in batches]
    for name, column in expected.columns.items():
        found = [value for table in tables for value in table.columns[name].values]
        assert repr(found) == repr([*column.values])


@given(st.lists(histories(), max_size=4), st.booleans(), st.sets(st.sampled_from(["loss", "nope"])))
def test_a_wide_table_has_each_value_at_its_step(
    runs: list[list[Row]], one_metric: bool, requested: set[str]
) -> None:
    rows = [{**row, RUN_ID: f"run{place}"} for place, run in enumerate(runs) for row in run]
    if one_metric:
        rows = [{key: row[key] for key in (STEP, RUN_ID, "loss") if key in row} for row in rows]
    if one_metric:
        requested &= {"loss"}
    names = [f"run{place}" for place in range(len(runs))]
    long = Table.from_rows(rows, leading=[RUN_ID, STEP], requested=[*requested], order="sorted")
    table = widen(long, names, one_metric=one_metric, requested=requested)
    steps = sorted({int(step_of(row)) for row in rows})
    assert [*table.columns[STEP].values] == steps
    logged = {
        (f"run{place}" if one_metric else f"{name}/run{place}")
        for place, run in enumerate(runs)
        for row in run
        for name, value in row.items()
        if value is not None and name != STEP and not (one_metric and name != "loss")
    }
    promised = {run if one_metric else f"{metric}/{run}" for metric in requested for run in names}
    assert set(table.columns) == {STEP, *logged, *promised}
    assert all(table.columns[name].dtype is ScalarType.FLOAT64 for name in promised - logged)
    for place, run in enumerate(runs):
        at = {int(step_of(row)): row for row in run}
        for name in ("loss", "acc", "_runtime"):
            column = table.columns.get(
                f"run{place}" if one_metric and name == "loss" else f"{name}/run{place}"
            )
            if column is not None:
                sent = [at.get(step, {}).get(name) for step in steps]
                assert [value is None for value in column.values] == [value is None for value in sent]
