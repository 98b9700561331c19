"""Batches that arrive out of order leave in order, and small ones together."""

from __future__ import annotations

import threading
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import CHUNK_ROWS, Batch, ColumnBatch, RowBatch


def columns(start: int, height: int, dtype: type[pl.DataType] = pl.Int64) -> ColumnBatch:
    return ColumnBatch({"_step": pl.Series(range(start, start + height), dtype=dtype)}, height)


def steps(batches: list[Batch]) -> list[object]:
    return [row["_step"] for batch in batches for row in batch.to_rows()]


@given(st.permutations(range(6)), st.lists(st.sampled_from(["rows", "int", "float"]), min_size=6, max_size=6))
def test_order_is_that_of_places(order: list[int], kinds: list[str]) -> None:
    queue = BatchQueue()
    for place in order:
        kind = kinds[place]
        batch: Batch = (
            RowBatch([{"_step": place}])
            if kind == "rows"
            else columns(place, 1, pl.Int64 if kind == "int" else pl.Float64)
        )
        queue.put(place, [batch])
    taken = queue.take()
    assert steps(taken) == list(range(6))
    assert len(taken) == 1 + sum(one != other or one == "rows" for one, other in pairwise(kinds))
    assert queue.take() == []


def test_small_batches_become_large_ones_of_one_chunk() -> None:
    queue = BatchQueue()
    part = CHUNK_ROWS // 4
    for place in range(9):
        queue.put(place, [columns(place * part, part)])
    taken = queue.take()
    assert [batch.height for batch in taken] == [CHUNK_ROWS, CHUNK_ROWS, part]
    assert all(batch.columns["_step"].n_chunks() == 1 for batch in taken if isinstance(batch, ColumnBatch))


def put_every_fourth(queue: BatchQueue, first: int) -> None:
    for place in range(first, 400, 4):
        queue.put(place, [columns(place, 1)])


def test_threads_may_put_at_once() -> None:
    queue = BatchQueue()
    threads = [threading.Thread(target=put_every_fourth, args=(queue, first)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps(queue.take()) == list(range(400))
