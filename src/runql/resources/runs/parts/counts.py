"""What the server counts of the histories of many runs, without their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from runql.resources.pages.listing import Listing, Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import WholeHistory
from runql_graphql.operations import list_whole_histories

NoteKeys: TypeAlias = Callable[[WholeHistory], None]


def count_histories(
    query: RunQuery, per_page: int, *, with_keys: bool, note_keys: NoteKeys | None = None
) -> Flow[list[WholeHistory]]:
    """Return the runs of a list with the number of their rows; one request for each ``per_page`` runs.

    Args:
        query: of the runs; those of chosen ids that were deleted are absent.
        per_page: runs a request.
        with_keys: with the keys, their types and their last step.
        note_keys: called with each run; the returned runs then have no keys, because those of many runs are large.
    """

    def convert(page: Page[WholeHistory]) -> list[WholeHistory]:
        if note_keys is None:
            return [*page.nodes]
        for run in page.nodes:
            note_keys(run)
        return [run.model_copy(update={"history_keys": None}) for run in page.nodes]

    listing = Listing(
        partial(_page, query, with_keys),
        convert,
        lambda run: run.id,
        per_page=per_page,
        limit=query.limit,
    )
    yield from listing.reach(None)
    return listing.items


def _page(query: RunQuery, with_keys: bool, size: int, after: str | None) -> Flow[Page[WholeHistory]]:
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
        )
    )
    page = read_page(require_runs(response.project, sent.entity, sent.project), cursor)
    return sized.placed(page, after)
