"""Sampled metrics of all runs of a list: one request a page, halved where a page is too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoriesError, IncompleteHistoryError, RunNotFoundError, RunqlError
from runql.frames.batches import RUN_ID, Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.chosen_rows import (
    BAD_ROW,
    BAD_ROW_OF_RUN,
    CHOSEN_ROWS,
    content_by_run,
    naming_run,
    require_steps,
    rows_by_spec,
    split_arrays,
)
from runql.resources.history.sampled import Row, SampleOptions, sampled_rows
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.adaptive_pages import AdaptivePages, UnreadRuns
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql_graphql.operations import list_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import RunHistory


def sample_runs(
    query: RunQuery, options: SampleOptions, reader: RowReader | None = None
) -> Flow[list[Batch]]:
    """Return the sampled rows of every run of a list, in list order, labelled with `run_id`; one request a page.

    A page that is too much for the server is halved, see `AdaptivePages`. A run that cannot be read even alone is left
    out, and the rows of the others are kept.

    Raises:
        IncompleteHistoriesError: some runs cannot be read, or the list ended early; the rows of the others are in its
            ``partial``. Where the caller allows partial results, only when the list ended early or no run can be read.
    """
    pages = AdaptivePages(query, partial(_history_page, options))
    reader = reader or RowReader()
    batches: list[Batch] = []
    unreadable, listed = UnreadRuns(), 0
    try:
        while (page := (yield from pages.read())) is not None:
            runs = pages.take(page)
            for name in page.absent:
                unreadable.add(name, RunNotFoundError(query.entity, query.project, name))
            listed += len(runs)
            batches.append(page_rows(runs, options, reader, unreadable))
    except RunqlError as error:
        if not pages.has_read:
            raise
        reason = f"the list ended early: {error}"
        reasons = pages.unread.joined(unreadable).reasons
        raise IncompleteHistoriesError(rows_of(batches), [*reasons], reason, reasons=reasons) from error
    unread = pages.unread.joined(unreadable)
    any_read = listed > len(unreadable.reasons)
    if unread.reasons and not (any_read and unread.may_be_left_out()):
        raise unread.error(rows_of(batches))
    return batches


@dataclass(frozen=True, slots=True)
class SampledRun:
    """A run of a page, and the rows of it that arrived.

    Attributes:
        path: entity, project and run.
        fields: the run, without the rows of chosen keys where these were cut out.
        content: these rows as JSON, where they were cut out of the response.
    """

    path: str
    fields: RunHistory
    content: bytes | None = None

    @property
    def id(self) -> str:
        """The server's own id."""
        return self.fields.id

    @property
    def name(self) -> str:
        """The run's id."""
        return self.fields.name

    def lines(self, options: SampleOptions) -> list[str] | None:
        """Its whole rows, or those of machine metrics, each as JSON."""
        return self.fields.events if options.stream == "system" else self.fields.history

    def rows(self, options: SampleOptions) -> list[Row]:
        """Its rows, in step order.

        Raises:
            IncompleteHistoryError: the server returned null instead of rows.
            CorruptHistoryError: a row cannot be read.
        """
        if self.content is None:
            return sampled_rows(self.fields, options, self.path)
        with naming_run(self.path):
            (rows,) = rows_by_spec(None, self.content, 1, RowReader())
        if rows is None:
            raise IncompleteHistoryError(self.path, 0, None, "the server sent null instead of rows")
        return [*require_steps(self.path, rows).having(options.keys or ()).to_rows()]


def page_rows(
    runs: Sequence[SampledRun], options: SampleOptions, reader: RowReader, unreadable: UnreadRuns
) -> Batch:
    """The rows of a page of runs, each with its run's id as `run_id`, which replaces a metric of that name."""
    # One batch of all runs costs less than one for each.
    joined = _chosen_rows(runs, reader) if options.specs else _whole_rows(runs, options, reader)
    if joined is not None:
        batch, lengths = joined
        if batch.bad_step() is None and batch.rises_within(lengths):
            batch = _label_runs(batch, runs, lengths)
            return batch.having(options.keys or ()) if options.specs else batch
    rows: list[list[Row]] = []
    for run in runs:
        try:
            rows.append(run.rows(options))
        except (IncompleteHistoryError, *BAD_ROW_OF_RUN) as error:
            unreadable.add(run.name, error)
            rows.append([])
    return _label_runs(RowBatch([*chain.from_iterable(rows)]), runs, map(len, rows))


def _whole_rows(
    runs: Sequence[SampledRun], options: SampleOptions, reader: RowReader
) -> tuple[Batch, list[int]] | None:
    lists = [lines for run in runs if (lines := run.lines(options)) is not None]
    if options.keys is not None or len(lists) < len(runs):
        return None
    try:
        return reader.read([*chain.from_iterable(lists)]), [len(lines) for lines in lists]
    except BAD_ROW:
        return None


def _chosen_rows(runs: Sequence[SampledRun], reader: RowReader) -> tuple[Batch, list[int]] | None:
    arrays = [array for run in runs if run.content is not None for array in split_arrays(run.content)]
    if len(arrays) != len(runs):
        return None
    rows = [array[1:-1] for array in arrays]
    try:
        batch = reader.read_array(b"[%s]" % b",".join(filter(None, rows)))
    except BAD_ROW:
        return None
    lengths = [row.count(b"},{") + 1 if row else 0 for row in rows]
    # A str that looks like the border between rows makes this count wrong.
    return (batch, lengths) if sum(lengths) == batch.height else None


def _label_runs(batch: Batch, runs: Sequence[SampledRun], lengths: Iterable[int]) -> Batch:
    names = chain.from_iterable(repeat(run.name, length) for run, length in zip(runs, lengths, strict=True))
    return batch.labelled(RUN_ID, [*names])


def rows_of(batches: Sequence[Batch]) -> list[Row]:
    """The rows of all batches as dicts."""
    return [row for batch in batches for row in batch.to_rows()]


def _history_page(
    options: SampleOptions, query: RunQuery, after: str | None, fail_fast: bool
) -> Flow[Page[SampledRun]]:
    sent, cursor = query.request(after)
    operation = list_histories(
        entity=sent.entity,
        project=sent.project,
        filters=sent.filters,
        order=sent.order,
        first=sent.per_page,
        after=cursor,
        samples=options.samples,
        specs=options.specs,
        whole=options.wants_whole_rows,
        system=options.stream == "system",
        chosen=bool(options.specs),
    )
    response, cut = yield from fetch_with_raw_lists(operation, CHOSEN_ROWS, fail_fast=fail_fast)
    page = read_page(require_runs(response.project, query.entity, query.project), cursor)
    contents = content_by_run(cut, len(page.nodes))
    nodes = [
        SampledRun(f"{query.entity}/{query.project}/{fields.name}", fields, content)
        for fields, content in zip(page.nodes, contents, strict=True)
    ]
    return query.placed(page.with_nodes(nodes), after)
