"""Sampled metrics of all runs of a list, page by page: one request a page, halved where a page is too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoriesError, RunqlError
from runql.frames.batches import RUN_ID, Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources import sampled
from runql.resources.heavy_pages import HeavyPages
from runql.resources.history import HistorySample, Row, sampled_rows
from runql.resources.identity import require_runs
from runql.resources.pages import Page, read_page
from runql.resources.run_query import RunQuery
from runql.transport.flow import Flow, fetch_cut
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
    try:
        while (page := (yield from pages.read())) is not None:
            batches.append(page_rows(pages.take(page), wish, reader))
    except RunqlError as error:
        if not pages.has_read:
            raise
        reason = f"the list ended early: {error}"
        raise IncompleteHistoriesError(rows_of(batches), pages.failed, reason) from error
    if pages.failed:
        raise IncompleteHistoriesError(rows_of(batches), pages.failed, pages.reason)
    return batches


@dataclass(frozen=True, slots=True)
class SampledRun:
    """A run of a page and what was answered of it.

    Attributes:
        fields: the run, without the rows of chosen keys where these are text.
        text: these, where they could be cut out of the answer.
    """

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


def page_rows(runs: Sequence[SampledRun], wish: HistorySample, reader: RowReader) -> Batch:
    """The rows of a page of runs, each with its run's id as `run_id`; a metric of that name gives way."""
    if wish.specs:
        return _chosen_rows(runs, wish, reader)
    if wish.keys is None:
        # One batch of all runs: a reader of columns has its costs once.
        lists = [(run.fields.events if wish.stream == "system" else run.fields.history) or [] for run in runs]
        batch = reader.read([*chain.from_iterable(lists)])
        return _labelled(batch, runs, map(len, lists))
    rows = [sampled_rows(run.fields, wish) for run in runs]
    return _labelled(RowBatch([*chain.from_iterable(rows)]), runs, map(len, rows))


def _chosen_rows(runs: Sequence[SampledRun], wish: HistorySample, reader: RowReader) -> Batch:
    keys = wish.keys or ()
    arrays = [array for run in runs if run.text is not None for array in sampled.arrays_of(run.text)]
    if len(arrays) == len(runs):
        rows = [array[1:-1] for array in arrays]
        batch = reader.read_array(b"[%s]" % b",".join(filter(None, rows)))
        lengths = [row.count(b"},{") + 1 if row else 0 for row in rows]
        # A text that looks like the border of rows is no border.
        if sum(lengths) == batch.height:
            return _labelled(batch, runs, lengths).having(keys)
    answers = [
        sampled.rows_by_spec(run.fields.sampled_history or [], run.text, 1, RowReader())[0] for run in runs
    ]
    whole = RowBatch([*chain.from_iterable(answer.to_rows() for answer in answers)])
    return _labelled(whole, runs, (answer.height for answer in answers)).having(keys)


def _labelled(batch: Batch, runs: Sequence[SampledRun], lengths: Iterable[int]) -> Batch:
    names = chain.from_iterable(repeat(run.name, length) for run, length in zip(runs, lengths, strict=True))
    return batch.labelled(RUN_ID, [*names])


def rows_of(batches: Sequence[Batch]) -> list[Row]:
    """The rows of all batches as dicts."""
    return [row for batch in batches for row in batch.to_rows()]


def _history_page(
    wish: HistorySample, query: RunQuery, after: str | None, spare_server: bool
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
    answer, texts = yield from fetch_cut(operation, sampled.CUT, spare_server=spare_server)
    page = read_page(require_runs(answer.project, query.entity, query.project), after)
    told = sampled.text_of_each(texts, len(page.nodes))
    nodes = [SampledRun(fields, text) for fields, text in zip(page.nodes, told, strict=True)]
    return Page(nodes, page.after, page.cursor, page.more, page.total)
