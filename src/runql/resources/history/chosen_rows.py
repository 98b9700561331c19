"""The rows of `sampledHistory`, read from the bytes of the response where they were kept."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from runql.errors import CorruptHistoryError, SchemaDriftError
from runql.frames.batches import STEP, Batch, ColumnBatch, RowBatch
from runql.frames.row_readers import ColumnReader, RowReader
from runql.limits import ResponseLimitError
from runql.transport.codec import RawList
from runql.values import UnreadableRowError, as_json, history_rows, parse_json

CHOSEN_ROWS: Final = RawList("sampledHistory", depth=2)
"""The rows of each spec, kept as bytes, so that they need not become Python objects."""

_STEP_NAME: Final = b'"_step":'

BAD_ROW: Final = (UnreadableRowError, ResponseLimitError)
"""The errors of a reader about one row."""

BAD_ROW_OF_RUN: Final = (CorruptHistoryError, ResponseLimitError)
"""The same errors after `naming_run`."""


def rows_by_spec(
    parsed: Sequence[object] | None, content: bytes | None, specs: int, reader: RowReader
) -> list[Batch | None]:
    """The rows of each of ``specs`` specs, each list in step order; None where a spec has no list.

    Args:
        parsed: the field as the model holds it.
        content: the field as JSON, where it was cut out of the response.
        specs: how many were requested.
        reader: reads the JSON of one list.

    Raises:
        UnreadableRowError: a row is not an object.
    """
    if content is not None:
        arrays = split_arrays(content)
        if len(arrays) == specs:
            return [reader.read_array(array).in_step_order() for array in arrays]
        whole = parse_json(content)
        parsed = whole if isinstance(whole, list) else None
    lists = [as_json(each) for each in parsed or ()][:specs]
    lists += [None] * (specs - len(lists))
    return [
        RowBatch(history_rows(rows)).in_step_order() if isinstance(rows, list) else None for rows in lists
    ]


def lists_of_runs(contents: Sequence[bytes | None], reader: RowReader) -> list[list[Batch]] | None:
    """The rows of each spec of each run, where the lists of all runs can be read as one; else None.

    Args:
        contents: the field of each run as JSON.
        reader: reads the JSON of one list.
    """
    if not isinstance(reader, ColumnReader):
        return None
    by_run = [split_arrays(content or b"") for content in contents]
    if len({*map(len, by_run)}) != 1 or len(by_run) < 2:
        return None
    try:
        by_spec = [_parts_of_list(arrays, reader) for arrays in zip(*by_run, strict=True)]
    except BAD_ROW:
        return None
    lists = [parts for parts in by_spec if parts is not None]
    return [[*each] for each in zip(*lists, strict=True)] if lists and len(lists) == len(by_spec) else None


def _parts_of_list(arrays: Sequence[bytes], reader: ColumnReader) -> list[Batch] | None:
    # Inside a string the quotes of the name are escaped, so each of these is a name.
    heights = [array.count(_STEP_NAME) for array in arrays]
    batch = reader.read_array(b"[%s]" % b",".join(array[1:-1] for array in arrays if array != b"[]"))
    if not isinstance(batch, ColumnBatch) or batch.height != sum(heights):
        return None
    steps = batch.columns.get(STEP)
    # Each row has a step, so the number of steps of a run is the number of its rows.
    if steps is None or steps.null_count() or batch.bad_step() is not None or not batch.rises_within(heights):
        return None
    return [*batch.parts(heights)]


def content_by_run(cut: Mapping[str, Sequence[bytes]], runs: int) -> Sequence[bytes | None]:
    """The bytes that were cut out of a response, for each of its ``runs`` runs; None for each where nothing was.

    Raises:
        SchemaDriftError: there are not as many lists as runs.
    """
    found = cut.get(CHOSEN_ROWS.field, [])
    if found and len(found) != runs:
        raise SchemaDriftError(CHOSEN_ROWS.field, [f"{len(found)} lists of rows for {runs} runs"])
    return found or [None] * runs


def split_arrays(content: bytes) -> list[bytes]:
    """The arrays of an array of arrays; empty where the content has other brackets too."""
    inner = content[2:-2].split(b"],[")
    if any(b"[" in part or b"]" in part for part in inner):
        return []
    return [b"[%s]" % part for part in inner]


@contextmanager
def naming_run(path: str) -> Generator[None]:
    """Name the run in the error about a row that cannot be read.

    Raises:
        CorruptHistoryError: instead of `UnreadableRowError`.
        RowTooLargeError, JSONTooDeepError: a row is beyond the limits of the client.
    """
    try:
        yield
    except ResponseLimitError as error:
        error.operation = error.operation or f"history of run {path}"
        raise
    except UnreadableRowError as error:
        raise CorruptHistoryError(path, error.row, str(error)) from error


def require_steps(path: str, batch: Batch) -> Batch:
    """Return the batch unless it has a step that is no finite number. A row may have no step: the server placed it.

    Raises:
        CorruptHistoryError: it has one.
    """
    place = batch.bad_step()
    if place is not None:
        raise CorruptHistoryError(path, place, "its _step is no finite number")
    return batch
