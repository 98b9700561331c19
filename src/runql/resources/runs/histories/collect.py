"""The whole histories of a list of runs, read to the end: all rows in memory, or kept on disk until a file holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from runql.errors import IncompleteHistoriesError, RunqlError
from runql.frames.batches import Batch
from runql.frames.row_readers import RowReader
from runql.resources.history.sampled import Row
from runql.resources.pages.listing import refuse_circle
from runql.resources.runs.histories.cursor import HistoriesPosition
from runql.resources.runs.histories.page import HistoriesPlan, Part, RunMark
from runql.resources.runs.histories.page_budget import MOST_RUNS
from runql.resources.runs.histories.spool import HistoriesSpool
from runql.resources.runs.query import list_light_page
from runql.transport.flow import Flow, offload
from runql.transport.sample_limits import SampleLimits

NAMES: Final = 500
"""Runs that are asked for by their ids at once."""


def read_histories(plan: HistoriesPlan, reader: RowReader, limits: SampleLimits | None = None) -> Flow[Part]:
    """All rows of every run of a list, in list order, labelled with `run_id`.

    Raises:
        IncompleteHistoriesError: some runs could not be read, or the list not to its end; what was read is in its
            ``partial``.
    """
    position = HistoriesPosition(plan, reader, limits=limits)
    whole = Part()
    try:
        while (part := (yield from position.next_part(bounded=False, ahead=True))) is not None:
            whole.add(part)
    except RunqlError as error:
        if not position.has_read:
            raise
        reason = f"the list ended early: {error}"
        raise IncompleteHistoriesError(_released(whole.batches), position.failed, reason) from error
    if position.failed:
        raise IncompleteHistoriesError(_released(whole.batches), position.failed, position.reason)
    return whole


def sink_histories(
    plan: HistoriesPlan, reader: RowReader, target: Path, server: str, limits: SampleLimits | None = None
) -> Flow[None]:
    """Put all rows of every run of a list into one parquet file, going on where an earlier call was interrupted.

    Raises:
        IncompleteHistoriesError: some runs could not be read; the others are kept for the next call.
        LocalFileError: the disk refuses.
    """
    spool = yield from offload(lambda: HistoriesSpool(target, _question(plan, server), plan.scan.keys or ()))
    try:
        if spool.runs:
            order = yield from _refill(plan, reader, spool, limits)
        else:
            order = yield from _fill(plan, reader, spool, limits)
        yield from offload(lambda: spool.publish(order))
    finally:
        spool.close()


def incomplete(position: HistoriesPosition, kept: str) -> IncompleteHistoriesError:
    """What tells that some runs could not be read, where the rows of the others are out of our hands."""
    return IncompleteHistoriesError([], position.failed, position.reason, kept)


def _fill(
    plan: HistoriesPlan, reader: RowReader, spool: HistoriesSpool, limits: SampleLimits | None
) -> Flow[list[str]]:
    """Read a whole list; the ids of its runs in order."""
    position = HistoriesPosition(plan, reader, limits=limits)
    order: list[str] = []
    while (part := (yield from position.next_part(bounded=True, ahead=True))) is not None:
        yield from offload(partial(spool.add, part))
        order += [mark.name for mark in part.ended]
    if position.failed:
        raise incomplete(position, "is kept beside the file: the next call reads what is missing")
    return order


def _refill(
    plan: HistoriesPlan, reader: RowReader, spool: HistoriesSpool, limits: SampleLimits | None
) -> Flow[list[str]]:
    """Read what is missing of a list, or has changed; the ids of its runs in order."""
    marks = yield from _list_marks(plan)
    missing = spool.keep(marks)
    for start in range(0, len(missing), NAMES):
        names = missing[start : start + NAMES]
        query = replace(plan.query, filters=json.dumps({"name": {"$in": names}}))
        yield from _fill(replace(plan, query=query), reader, spool, limits)
    # A run that was deleted meanwhile is in the list no more.
    return [mark.name for mark in marks if mark.name in spool.runs]


def _list_marks(plan: HistoriesPlan) -> Flow[list[RunMark]]:
    """What the runs are like now; one request for many of them."""
    query = plan.query.sized(max(plan.query.per_page, MOST_RUNS))
    marks: dict[str, RunMark] = {}
    cursors: set[str | None] = set()
    after, more = None, True
    while more:
        page = yield from list_light_page(query, after)
        refuse_circle(page, cursors)
        for node in page.nodes:
            marks.setdefault(node.id, RunMark(node.name, node.history_line_count, node.heartbeat_at))
        after, more = page.cursor, page.more
    return [*marks.values()]


def _question(plan: HistoriesPlan, server: str) -> str:
    query, scan = plan.query, plan.scan
    return json.dumps(
        [server, query.entity, query.project, scan.keys, scan.match, scan.min_step, scan.max_step]
    )


def _released(batches: list[Batch]) -> list[Row]:
    """The rows as dicts; the list is empty afterwards, so that no value is there twice for long."""
    rows: list[Row] = []
    while batches:
        rows += batches.pop(0).to_rows()
    return rows
