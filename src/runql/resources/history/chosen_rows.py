"""Rows of chosen keys: what `sampledHistory` answers, from its text where that is at hand."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from runql.errors import CorruptHistoryError, SchemaDriftError
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.transport.codec import RawList
from runql.values import UnreadableRowError, as_json, history_rows, parse_json

CUT: Final = RawList("sampledHistory", depth=2)
"""The rows of each spec, which need not become Python objects."""


def rows_by_spec(
    told: Sequence[object] | None, text: bytes | None, specs: int, reader: RowReader
) -> list[Batch | None]:
    """The rows of each of ``specs`` specs, in their order and each in step order; None where a spec has no list.

    Args:
        told: the field as the model holds it.
        text: the same as JSON, where it was kept out of the model.
        specs: how many were asked.
        reader: reads the JSON of one list.

    Raises:
        UnreadableRowError: a row is no object.
    """
    if text is not None:
        arrays = arrays_of(text)
        if len(arrays) == specs:
            return [reader.read_array(array).in_step_order() for array in arrays]
        whole = parse_json(text)
        told = whole if isinstance(whole, list) else None
    lists = [as_json(each) for each in told or ()][:specs]
    lists += [None] * (specs - len(lists))
    return [
        RowBatch(history_rows(rows)).in_step_order() if isinstance(rows, list) else None for rows in lists
    ]


def text_of_each(texts: Mapping[str, Sequence[bytes]], nodes: int) -> Sequence[bytes | None]:
    """What was cut out of a response for each of so many runs; None for each where nothing was.

    Raises:
        SchemaDriftError: as many lists as runs were due.
    """
    found = texts.get(CUT.field, [])
    if found and len(found) != nodes:
        raise SchemaDriftError(CUT.field, [f"{len(found)} lists of rows for {nodes} runs"])
    return found or [None] * nodes


def arrays_of(text: bytes) -> list[bytes]:
    """The arrays of an array of arrays, where their brackets are the only ones; else none."""
    inner = text[2:-2].split(b"],[")
    if any(b"[" in part or b"]" in part for part in inner):
        return []
    return [b"[%s]" % part for part in inner]


@contextmanager
def readable(path: str) -> Generator[None]:
    """Name the run of a row that cannot be read.

    Raises:
        CorruptHistoryError: instead of `UnreadableRowError`.
    """
    try:
        yield
    except UnreadableRowError as error:
        raise CorruptHistoryError(path, error.row, str(error)) from error


def with_steps(path: str, batch: Batch) -> Batch:
    """The same rows.

    Raises:
        CorruptHistoryError: the step of one is no finite number. A row without any is one of a server that places it.
    """
    place = batch.bad_step()
    if place is not None:
        raise CorruptHistoryError(path, place, "its _step is no finite number")
    return batch
