"""The rows that arrived complete with a page of runs, as few batches with labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import RUN_ID, Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.history.chosen_rows import BAD_ROW, BAD_ROW_OF_RUN, lists_of_runs
from runql.resources.history.plan import ScanPlan
from runql.resources.history.window import requested_rows, whole_rows
from runql.resources.runs.adaptive_pages import UnreadRuns
from runql.resources.runs.histories.page import HistoriesPart, ListedHistory


def read_page_rows(
    nodes: Sequence[ListedHistory], scan: ScanPlan, reader: RowReader, unreadable: UnreadRuns
) -> HistoriesPart:
    """The rows of complete runs; runs that cannot be read are added to ``unreadable``."""
    if scan.keys is None:
        whole = _read_together(nodes, reader)
        batches = [whole] if whole is not None else _read_one_by_one(nodes, reader, unreadable)
    else:
        batches = [label_run([requested_rows(scan, node.chosen)], node.name)[0] for node in nodes]
    inside = [
        batch if _lies_in(batch.extent(), scan) else batch.between(scan.min_step, scan.max_step)
        for batch in batches
    ]
    ended = [node.fingerprint for node in nodes if node.name not in unreadable.reasons]
    return HistoriesPart(_join([batch for batch in inside if batch.height]), ended)


def read_together(nodes: Sequence[ListedHistory], reader: RowReader) -> bool:
    """Read the rows of chosen keys of all runs at once, which costs less; return False where that is not possible."""
    found = lists_of_runs([node.content for node in nodes], reader)
    for node, lists in zip(nodes, found or (), strict=found is not None):
        node.take_lists(lists)
    return found is not None


def label_run(batches: Sequence[Batch], name: str) -> list[Batch]:
    """The batches with the id of their run in each row."""
    return [batch.labelled(RUN_ID, [name] * batch.height) for batch in batches]


def _read_together(nodes: Sequence[ListedHistory], reader: RowReader) -> Batch | None:
    """The rows of all runs in one batch, which costs less; None where some cannot be read, or are out of order."""
    lengths = [len(node.lines) for node in nodes]
    try:
        batch = reader.read([*chain.from_iterable(node.lines for node in nodes)])
    except BAD_ROW:
        return None
    if batch.bad_step() is not None or not batch.rises_within(lengths):
        return None
    names = chain.from_iterable(
        repeat(node.name, length) for node, length in zip(nodes, lengths, strict=True)
    )
    return batch.labelled(RUN_ID, [*names])


def _read_one_by_one(
    nodes: Sequence[ListedHistory], reader: RowReader, unreadable: UnreadRuns
) -> list[Batch]:
    batches: list[Batch] = []
    for node in nodes:
        try:
            lists = whole_rows(node.path, node.lines, reader)
        except BAD_ROW_OF_RUN as error:
            unreadable.add(node.name, error)
            continue
        batches += label_run([rows for rows in lists if rows is not None], node.name)
    return batches


def _join(batches: list[Batch]) -> list[Batch]:
    """The same rows in few batches."""
    if all(isinstance(batch, RowBatch) for batch in batches):
        rows = [row for batch in batches for row in batch.to_rows()]
        return [RowBatch(rows)] if rows else []
    queue = BatchQueue()
    queue.put(0, batches)
    return queue.take()


def _lies_in(extent: tuple[int, int] | None, scan: ScanPlan) -> bool:
    return extent is None or (
        scan.min_step <= extent[0] and (scan.max_step is None or extent[1] < scan.max_step)
    )
