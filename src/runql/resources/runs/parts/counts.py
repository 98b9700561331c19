"""What the server counts of the histories of many runs, without their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from runql.resources.history.row_counts import metrics_of
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.adaptive_pages import AdaptivePages
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch
from runql.values import as_json
from runql_graphql.fragments import WholeHistory
from runql_graphql.operations import list_whole_histories

FIRST_PAGE: Final = 250
"""Runs of the first page with metrics."""

MOST_A_PAGE: Final = 1_000
"""Runs of a page with metrics."""

METRICS_A_PAGE: Final = 40_000
"""Metrics of all runs of a page together: about 5 MB."""


def count_histories(query: RunQuery, per_page: int, *, with_keys: bool) -> Flow[list[WholeHistory]]:
    """Return the runs of a list with the number of their rows.

    Requests: one for each ``per_page`` runs, and more where a page is too much for the server.

    Args:
        query: of the runs; those of chosen ids that were deleted are absent.
        per_page: runs a request.
        with_keys: with the keys, their types and their last step.
    """
    pages = AdaptivePages(query, partial(_page, with_keys), per_page)
    found: list[WholeHistory] = []
    while pages.more:
        found += yield from _next_runs(pages)
    return found


def note_metrics(query: RunQuery, note: Callable[[WholeHistory], None]) -> Flow[None]:
    """Pass the runs of a list with their metrics to a function, and keep none: those of many runs are large.

    Requests: one for the first 250 runs. Then one for as many as have 40,000 metrics together, at most 1,000. More,
    where a page is too much for the server.
    """
    pages = AdaptivePages(query, partial(_page, True), FIRST_PAGE)
    while pages.more:
        runs = yield from _next_runs(pages)
        for run in runs:
            note(run)
        metrics = sum(len(metrics_of(as_json(run.history_keys)) or ()) for run in runs)
        if metrics:
            pages.aim(max(1, min(MOST_A_PAGE, METRICS_A_PAGE * len(runs) // metrics)))


def _next_runs(pages: AdaptivePages[WholeHistory]) -> Flow[list[WholeHistory]]:
    """Return the runs of the next page.

    Raises:
        IncompleteHistoriesError: the server does not return a run even alone.
    """
    page = yield from pages.read()
    if pages.unread.reasons:
        raise pages.unread.error([], "was only what the server counts")
    return [] if page is None else pages.take(page)


def _page(with_keys: bool, query: RunQuery, after: str | None, fail_fast: bool) -> Flow[Page[WholeHistory]]:
    if query.ids == ():
        return Page([], after, None, False, 0)
    sent, cursor = query.request(after)
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
    return query.placed(page, after)
