"""Sampled metrics of all runs of a list, page by page: one request a page, halved where a page is too much."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from runql.errors import (
    IncompleteHistoriesError,
    ProjectNotFoundError,
    QueryError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_texts import RowReader
from runql.resources.history import HistorySample, Row, sampled_rows
from runql.resources.pages import Page, read_page, refuse_circle
from runql.resources.run_query import RunQuery, list_light_page
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import list_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import RunFields, RunHistory

# What a page of histories that is too much for a server looks like from here; anything else is no reason to ask for less.
OVERLOAD = (ServerFailureError, RequestTimedOutError, QueryError)
GOOD_PAGES = 4
RUN_ID = "run_id"


def sample_runs(query: RunQuery, wish: HistorySample, reader: RowReader | None = None) -> Flow[list[Batch]]:
    """The sampled rows of every run that fits, in list order, labelled with `run_id`; one request a page of runs.

    A page that is too much for the server (a failure, a timeout or a GraphQL error) is halved, down to one run. A run
    that cannot be read even alone is left out; what was read of the others is kept.

    Raises:
        IncompleteHistoriesError: some runs could not be read, or the list not to its end; what was read is in its
            ``partial``.
    """
    reading = _Reading(query.per_page, reader or RowReader())
    try:
        while reading.more:
            yield from _read_histories(query, wish, reading)
    except RunqlError as error:
        if not reading.has_read:
            raise
        raise reading.incomplete(f"the list ended early: {error}") from error
    if reading.failed:
        raise reading.incomplete(reading.reason)
    return reading.read


class _Reading:
    """How far the histories of a list have come.

    A page that is too much is halved at once; it grows back only after a few good pages, because each page that is too
    much may cost a whole timeout.
    """

    def __init__(self, size: int, reader: RowReader) -> None:
        self.size = size
        self.after: str | None = None
        self.more = True
        self.read: list[Batch] = []
        self.has_read = False
        self.failed: list[str] = []
        self.reason = ""
        self._reader = reader
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._largest = size
        self._good_pages = 0

    def take(self, page: Page[RunHistory], wish: HistorySample) -> None:
        refuse_circle(page, self._cursors)
        shown = {node.id: node for node in page.nodes if node.id not in self._seen}
        self._seen.update(shown)
        self.has_read = self.has_read or bool(shown)
        self.read.append(page_rows([*shown.values()], wish, self._reader))
        self.after, self.more = page.cursor, page.more
        self._good_pages += 1
        if self._good_pages >= GOOD_PAGES:
            self.size, self._good_pages = min(self.size * 2, self._largest), 0

    def halve(self) -> None:
        self.size, self._good_pages = (self.size + 1) // 2, 0

    def skip(self, page: Page[RunFields], reason: str) -> None:
        self.failed += [run.name for run in page.nodes]
        self.reason = reason
        self.after, self.more = page.cursor, page.more

    def incomplete(self, reason: str) -> IncompleteHistoriesError:
        return IncompleteHistoriesError(rows_of(self.read), self.failed, reason)


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


def _read_histories(query: RunQuery, wish: HistorySample, reading: _Reading) -> Flow[None]:
    try:
        page = yield from _history_page(
            query.sized(reading.size), wish, reading.after, spare_server=reading.size > 1
        )
    except OVERLOAD as error:
        if reading.size > 1:
            reading.halve()
        else:
            reading.skip((yield from list_light_page(query.sized(1), reading.after)), str(error))
    else:
        reading.take(page, wish)


def _history_page(
    query: RunQuery, wish: HistorySample, after: str | None, *, spare_server: bool
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
