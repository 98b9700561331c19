"""What the server counts of the histories of many runs, without their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from runql.resources.history.row_counts import metrics_of
from runql.resources.pages.listing import Listing, Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.adaptive_pages import OVERLOAD
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch
from runql.values import as_json
from runql_graphql.fragments import WholeHistory
from runql_graphql.operations import list_whole_histories

FIRST_PAGE: Final = 250
"""Runs of the first page with metrics, and of each after one that overloaded the server."""

MOST_A_PAGE: Final = 1_000
"""Runs of a page with metrics."""

METRICS_A_PAGE: Final = 40_000
"""Metrics of all runs of a page together: about 5 MB."""


def count_histories(query: RunQuery, per_page: int, *, with_keys: bool) -> Flow[list[WholeHistory]]:
    """Return the runs of a list with the number of their rows; one request for each ``per_page`` runs.

    Args:
        query: of the runs; those of chosen ids that were deleted are absent.
        per_page: runs a request.
        with_keys: with the keys, their types and their last step.
    """
    listing = Listing(
        partial(_page, query, with_keys),
        _nodes,
        lambda run: run.id,
        per_page=per_page,
        limit=query.limit,
    )
    yield from listing.reach(None)
    return listing.items


def note_metrics(query: RunQuery, note: Callable[[WholeHistory], None]) -> Flow[None]:
    """Pass the runs of a list with their metrics to a function, and keep none: those of many runs are large.

    Requests: one for the first 250 runs. Then one for as many as have 40,000 metrics together, at most 1,000; for 250
    again, once the server fails or the response is too large.
    """
    pages = _PagesOfMetrics(query)

    def convert(page: Page[WholeHistory]) -> list[str]:
        for run in page.nodes:
            note(run)
        pages.aim(page.nodes)
        return [run.id for run in page.nodes]

    listing = Listing(pages.read, convert, str, per_page=MOST_A_PAGE, limit=query.limit)
    yield from listing.reach(None)


def _nodes(page: Page[WholeHistory]) -> list[WholeHistory]:
    return [*page.nodes]


class _PagesOfMetrics:
    """Pages of runs with their metrics, as large as those before let expect that the server bears."""

    def __init__(self, query: RunQuery) -> None:
        self._query = query
        self._size = FIRST_PAGE
        self._most = MOST_A_PAGE

    def read(self, size: int, after: str | None) -> Flow[Page[WholeHistory]]:
        size = min(size, self._size)
        if size > FIRST_PAGE:
            try:
                return (yield from _page(self._query, True, size, after, fail_fast=True))
            except OVERLOAD:
                size = self._size = self._most = FIRST_PAGE
        return (yield from _page(self._query, True, size, after))

    def aim(self, runs: list[WholeHistory]) -> None:
        metrics = sum(len(metrics_of(as_json(run.history_keys)) or ()) for run in runs)
        if metrics:
            self._size = max(1, min(self._most, METRICS_A_PAGE * len(runs) // metrics))


def _page(
    query: RunQuery, with_keys: bool, size: int, after: str | None, *, fail_fast: bool = False
) -> Flow[Page[WholeHistory]]:
    sized = query.sized(size)
    if sized.ids == ():
        return Page([], after, None, False, 0)
    sent, cursor = sized.request(after)
    response = yield from fetch(
        list_whole_histories(
            entity=sent.entity,
            project=sent.project,
            filters=sent.filters,
            order=sent.order,
            first=sent.per_page,
            after=cursor,
            min_step=0,
            max_step=None,
            samples=1,
            specs=[],
            whole=False,
            chosen=False,
            with_keys=with_keys,
        ),
        fail_fast=fail_fast,
    )
    page = read_page(require_runs(response.project, sent.entity, sent.project), cursor)
    return sized.placed(page, after)
