"""Sampled metrics of all runs of a list, page by page: one request a page, halved where a page is too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

from runql.errors import CorruptHistoryError, IncompleteHistoriesError, IncompleteHistoryError, RunqlError
from runql.frames.batches import RUN_ID, Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.history import chosen_rows as sampled
from runql.resources.history.sampled import HistorySample, Row, sampled_rows
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.adaptive_pages import HeavyPages
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql.values import UnreadableRowError
from runql_graphql.operations import list_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import RunHistory


def sample_runs(query: RunQuery, wish: HistorySample, reader: RowReader | None = None) -> Flow[list[Batch]]:
    """The sampled rows of every run that fits, in list order, labelled with `run_id`; one request a page of runs.

    A page that is too much for the server is halved, see `HeavyPages`. A run that cannot be read even alone is left
    out; what was read of the others is kept.

    Raises:
        IncompleteHistoriesError: some runs could not be read, or the list not to its end; what was read is in its
            ``partial``.
    """
    pages = HeavyPages(query, partial(_history_page, wish))
    reader = reader or RowReader()
    batches: list[Batch] = []
    unreadable = Unreadable()
    try:
        while (page := (yield from pages.read())) is not None:
            batches.append(page_rows(pages.take(page), wish, reader, unreadable))
    except RunqlError as error:
        if not pages.has_read:
            raise
        reason = f"the list ended early: {error}"
        failed = [*pages.failed, *unreadable.names]
        raise IncompleteHistoriesError(rows_of(batches), failed, reason) from error
    if pages.failed or unreadable.names:
        failed = [*pages.failed, *unreadable.names]
        raise IncompleteHistoriesError(rows_of(batches), failed, unreadable.reason or pages.reason)
    return batches


@dataclass(slots=True)
class Unreadable:
    """The runs of which the server sent null, or a row that cannot be read.

    Attributes:
        names: their ids.
        reason: what was wrong with the last of them.
    """

    names: list[str] = field(default_factory=list[str])
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SampledRun:
    """A run of a page and what was answered of it.

    Attributes:
        path: entity, project and run.
        fields: the run, without the rows of chosen keys where these are text.
        text: these, where they could be cut out of the answer.
    """

    path: str
    fields: RunHistory
    text: bytes | None = None

    @property
    def id(self) -> str:
        """What the server knows it by."""
        return self.fields.id

    @property
    def name(self) -> str:
        """The run's id."""
        return self.fields.name

    def texts(self, wish: HistorySample) -> list[str] | None:
        """The JSON of its rows where whole ones, or the machine's, were asked for."""
        return self.fields.events if wish.stream == "system" else self.fields.history

    def rows(self, wish: HistorySample) -> list[Row]:
        """Its rows, in step order.

        Raises:
            IncompleteHistoryError: the server sent null instead of rows.
            CorruptHistoryError: a row cannot be read.
        """
        if self.text is None:
            return sampled_rows(self.fields, wish, self.path)
        with sampled.readable(self.path):
            (rows,) = sampled.rows_by_spec(None, self.text, 1, RowReader())
        if rows is None:
            raise IncompleteHistoryError(self.path, 0, None, "the server sent null instead of rows")
        return [*sampled.with_steps(self.path, rows).having(wish.keys or ()).to_rows()]


def page_rows(
    runs: Sequence[SampledRun], wish: HistorySample, reader: RowReader, unreadable: Unreadable
) -> Batch:
    """The rows of a page of runs, each with its run's id as `run_id`; a metric of that name gives way."""
    # One batch of all runs: a reader of columns has its costs once.
    joined = _chosen_rows(runs, reader) if wish.specs else _whole_rows(runs, wish, reader)
    if joined is not None:
        batch, lengths = joined
        if batch.bad_step() is None and batch.rises_within(lengths):
            batch = _labelled(batch, runs, lengths)
            return batch.having(wish.keys or ()) if wish.specs else batch
    rows: list[list[Row]] = []
    for run in runs:
        try:
            rows.append(run.rows(wish))
        except (IncompleteHistoryError, CorruptHistoryError) as error:
            unreadable.names.append(run.name)
            unreadable.reason = str(error)
            rows.append([])
    return _labelled(RowBatch([*chain.from_iterable(rows)]), runs, map(len, rows))


def _whole_rows(
    runs: Sequence[SampledRun], wish: HistorySample, reader: RowReader
) -> tuple[Batch, list[int]] | None:
    lists = [texts for run in runs if (texts := run.texts(wish)) is not None]
    if wish.keys is not None or len(lists) < len(runs):
        return None
    try:
        return reader.read([*chain.from_iterable(lists)]), [len(texts) for texts in lists]
    except UnreadableRowError:
        return None


def _chosen_rows(runs: Sequence[SampledRun], reader: RowReader) -> tuple[Batch, list[int]] | None:
    arrays = [array for run in runs if run.text is not None for array in sampled.arrays_of(run.text)]
    if len(arrays) != len(runs):
        return None
    rows = [array[1:-1] for array in arrays]
    try:
        batch = reader.read_array(b"[%s]" % b",".join(filter(None, rows)))
    except UnreadableRowError:
        return None
    lengths = [row.count(b"},{") + 1 if row else 0 for row in rows]
    # A str that looks like the border of rows is no border.
    return (batch, lengths) if sum(lengths) == batch.height else None


def _labelled(batch: Batch, runs: Sequence[SampledRun], lengths: Iterable[int]) -> Batch:
    names = chain.from_iterable(repeat(run.name, length) for run, length in zip(runs, lengths, strict=True))
    return batch.labelled(RUN_ID, [*names])


def rows_of(batches: Sequence[Batch]) -> list[Row]:
    """The rows of all batches as dicts."""
    return [row for batch in batches for row in batch.to_rows()]


def _history_page(
    wish: HistorySample, query: RunQuery, after: str | None, fail_fast: bool
) -> Flow[Page[SampledRun]]:
    operation = list_histories(
        entity=query.entity,
        project=query.project,
        filters=query.filters,
        order=query.order,
        first=query.per_page,
        after=after,
        samples=wish.samples,
        specs=wish.specs,
        whole=wish.whole,
        system=wish.stream == "system",
        chosen=bool(wish.specs),
    )
    answer, texts = yield from fetch_with_raw_lists(operation, sampled.CUT, fail_fast=fail_fast)
    page = read_page(require_runs(answer.project, query.entity, query.project), after)
    told = sampled.text_of_each(texts, len(page.nodes))
    nodes = [
        SampledRun(f"{query.entity}/{query.project}/{fields.name}", fields, text)
        for fields, text in zip(page.nodes, told, strict=True)
    ]
    return Page(nodes, page.after, page.cursor, page.more, page.total)
