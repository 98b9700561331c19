"""Any rows, cut anywhere: streams have the types and values of the whole table, or refuse what would change a type."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples
from tests.property.test_frames import row_lists

from runql.errors import FrameValueError
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import ColumnReader
from runql.frames.stored_batch import columns_of
from runql.frames.streams.batch_maker import BatchMaker
from runql.frames.streams.plan import StreamPlan
from runql.frames.streams.row_spool import RowSpool
from runql.frames.table import ColumnOrder, Table
from runql.frames.to_arrow import to_arrow
from runql.values import JSONValue, UnreadableRowError, dump_json

ORDERS = st.sampled_from(["first_seen", "sorted"])
Rows = list[dict[str, JSONValue]]


def batches(rows: Rows, cuts: Sequence[int]) -> list[Batch]:
    """The rows in pieces, each as columns where they can be."""
    found: list[Batch] = []
    bounds = [0, *sorted({cut for cut in cuts if 0 < cut < len(rows)}), len(rows)]
    for start, stop in pairwise(bounds):
        part = rows[start:stop]
        if part:
            try:
                found.append(ColumnReader().read([dump_json(row) for row in part]))
            except UnreadableRowError:
                found.append(RowBatch(part))
    return found


def whole(pieces: Sequence[Batch], order: ColumnOrder) -> pa.Table:
    return to_arrow(Table.from_batches([*pieces], leading=("_step",), order=order))


def plan(order: ColumnOrder) -> StreamPlan:
    return StreamPlan(("_step",), (), has_any_column=True, order=order)


def made(maker: BatchMaker, pieces: Sequence[Batch]) -> list[pa.RecordBatch] | FrameValueError:
    try:
        return [
            each for piece in pieces for each in maker.make(columns_of(piece), piece.height, checked=True)
        ]
    except FrameValueError as error:
        return error


def joined(schema: pa.Schema, found: Sequence[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches([*found], schema=schema)


@examples(400)
@given(row_lists(), st.lists(st.integers(1, 5), max_size=3), ORDERS, st.sampled_from([0, 4, 1000]))
def test_rows_that_are_kept_are_the_whole_table(
    rows: Rows, cuts: list[int], order: ColumnOrder, most: int
) -> None:
    pieces = batches(rows, cuts)
    unified = plan(order).new_columns()
    spool = RowSpool(unified, most)
    for piece in pieces:
        spool.add([piece])
    maker = BatchMaker(plan(order), unified)
    found = [
        each for piece in spool.pieces() for each in maker.make(piece.columns, piece.height, checked=False)
    ]
    expected = whole(pieces, order)
    assert joined(maker.schema, found).schema.equals(expected.schema)
    assert repr(joined(maker.schema, found).to_pylist()) == repr(expected.to_pylist())


@examples(400)
@given(row_lists(), st.integers(1, 5), ORDERS)
def test_types_of_the_first_rows_hold_all_or_are_refused(rows: Rows, cut: int, order: ColumnOrder) -> None:
    pieces = batches(rows, [cut])
    first, later = pieces[:1], pieces[1:]
    unified = plan(order).new_columns()
    for piece in first:
        unified.see(columns_of(piece))
    maker = BatchMaker(plan(order), unified)
    expected = whole(pieces, order)
    found = made(maker, pieces)
    if isinstance(found, FrameValueError):
        assert later
        assert not maker.schema.equals(expected.schema)
        assert any(row.get(found.column) is not None for piece in later for row in piece.to_rows())
        return
    # A column that has no value in any later row may be missing.
    kept = [name for name in expected.schema.names if name in maker.schema.names]
    assert all(
        expected.column(name).null_count == expected.num_rows for name in {*expected.schema.names} - {*kept}
    )
    assert repr(joined(maker.schema, found).select(kept).to_pylist()) == repr(
        expected.select(kept).to_pylist()
    )
