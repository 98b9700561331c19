"""Sampled metrics of all runs of a list, page by page: one request a page, halved where a page is too much."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoriesError, ProjectNotFoundError, RunqlError
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_texts import RowReader
from runql.resources.heavy_pages import HeavyPages
from runql.resources.history import HistorySample, Row, sampled_rows
from runql.resources.pages import Page, read_page
from runql.resources.run_query import RunQuery
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import list_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import RunHistory

RUN_ID = "run_id"


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


def page_rows(nodes: Sequence[RunHistory], wish: HistorySample, reader: RowReader) -> Batch:
    """The rows of a page of runs, each with its run's id as `run_id`; a metric of that name gives way."""
    if wish.keys is None:
        # One batch of all runs: a reader of columns has its costs once.
        lists = [(node.events if wish.stream == "system" else node.history) or [] for node in nodes]
        batch = reader.read([*chain.from_iterable(lists)])
        lengths = [len(texts) for texts in lists]
    else:
        rows = [sampled_rows(node, wish) for node in nodes]
        batch = RowBatch([*chain.from_iterable(rows)])
        lengths = [len(each) for each in rows]
    names = chain.from_iterable(
        repeat(node.name, length) for node, length in zip(nodes, lengths, strict=True)
    )
    return batch.labelled(RUN_ID, [*names])


def rows_of(batches: Sequence[Batch]) -> list[Row]:
    """The rows of all batches as dicts."""
    return [row for batch in batches for row in batch.to_rows()]


def _history_page(
    wish: HistorySample, query: RunQuery, after: str | None, spare_server: bool
) -> Flow[Page[RunHistory]]:
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
    answer = yield from fetch(operation, spare_server=spare_server)
    if answer.project is None or answer.project.runs is None:
        raise ProjectNotFoundError(query.entity, query.project)
    return read_page(answer.project.runs, after)
