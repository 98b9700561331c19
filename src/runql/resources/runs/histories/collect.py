"""Reads the whole histories of a list of runs to the end: into memory, or into a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from runql.errors import IncompleteHistoriesError, RunqlError
from runql.frames.asked_types import NO_SCHEMA, FrameSchema
from runql.frames.batches import Batch
from runql.frames.row_readers import RowReader
from runql.partial_results import allowed_partial
from runql.resources.history.sampled import Row
from runql.resources.pages.listing import Listing
from runql.resources.runs.adaptive_pages import UnreadRuns
from runql.resources.runs.histories.cursor import HistoriesCursor
from runql.resources.runs.histories.page import (
    HistoriesPart,
    HistoriesPlan,
    RunFingerprint,
)
from runql.resources.runs.histories.page_budget import MOST_RUNS
from runql.resources.runs.histories.spool import HistoriesSpool
from runql.resources.runs.query import list_light_page
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, offload
from runql.transport.sample_limits import SampleLimits

NAMES: Final = 500
"""Runs that a request names by their ids."""


def read_histories(
    plan: HistoriesPlan,
    reader: RowReader,
    limits: SampleLimits | None = None,
    report: Progress | None = None,
) -> Flow[HistoriesPart]:
    """Return all rows of every run of a list, in list order, labelled with `run_id`.

    Calls ``report`` with the runs that were read and their total.

    Raises:
        IncompleteHistoriesError: some runs cannot be read, or the list ended early; the rows of the others are in its
            ``partial``. Where the caller allows partial results, only when the list ended early or no run can be read.
    """
    cursor = HistoriesCursor(plan, reader, limits=limits)
    whole = HistoriesPart()
    try:
        while (part := (yield from cursor.next_part(bounded=False, ahead=True))) is not None:
            whole.add(part)
            if report is not None:
                report(len(whole.ended), cursor.total)
    except RunqlError as error:
        if not cursor.has_read:
            raise
        reason = f"the list ended early: {error}"
        reasons = cursor.unread.reasons
        raise IncompleteHistoriesError(_drain(whole.batches), [*reasons], reason, reasons=reasons) from error
    unread = cursor.unread
    if unread.reasons and not (whole.ended and unread.may_be_left_out()):
        raise unread.error(_drain(whole.batches))
    return whole


def sink_histories(
    plan: HistoriesPlan,
    reader: RowReader,
    target: Path,
    server: str,
    limits: SampleLimits | None = None,
    schema: FrameSchema = NO_SCHEMA,
    report: Progress | None = None,
    partition_by: Sequence[str] = (),
) -> Flow[None]:
    """Write all rows of every run of a list into parquet, and resume where an earlier call was interrupted.

    With ``partition_by`` the target is a folder with a folder for each combination of values, else one file.

    Calls ``report`` with the runs that were read, now or earlier, and their total.

    Raises:
        IncompleteHistoriesError: some runs cannot be read; the rows of the others are kept for the next call. Where the
            caller allows partial results, only when none can be read; else the file lacks these runs.
        FrameValueError: a value does not fit the schema; all rows are kept for the next call.
        LocalFileError: the file cannot be written.
    """
    spool = yield from offload(
        lambda: HistoriesSpool(target, _request_key(plan, server), plan.scan.keys or (), schema, partition_by)
    )
    try:
        if spool.runs:
            order, unread = yield from _refill(plan, reader, spool, limits, report)
        else:
            order, unread = yield from _fill(plan, reader, spool, limits, report)
        if unread.reasons and not (order and unread.may_be_left_out()):
            raise unread.error([], "is kept next to the file: the next call reads what is missing")
        yield from offload(lambda: spool.publish(order))
    finally:
        spool.close()


def _fill(
    plan: HistoriesPlan,
    reader: RowReader,
    spool: HistoriesSpool,
    limits: SampleLimits | None,
    report: Progress | None,
) -> Flow[tuple[list[str], UnreadRuns]]:
    """Read a whole list into the spool; return the ids of its runs in order, and the runs that cannot be read."""
    cursor = HistoriesCursor(plan, reader, limits=limits)
    order: list[str] = []
    while (part := (yield from cursor.next_part(bounded=True, ahead=True))) is not None:
        yield from offload(partial(spool.add, part))
        order += [run.name for run in part.ended]
        if report is not None:
            report(len(order), cursor.total)
    return order, cursor.unread


def _refill(
    plan: HistoriesPlan,
    reader: RowReader,
    spool: HistoriesSpool,
    limits: SampleLimits | None,
    report: Progress | None,
) -> Flow[tuple[list[str], UnreadRuns]]:
    """As `_fill`, but read only the runs that are missing from the spool, or have changed."""
    listed = yield from _list_fingerprints(plan)
    missing, unread = spool.keep(listed), UnreadRuns()
    kept = len(listed) - len(missing)
    if report is not None:
        report(kept, len(listed))
    for start in range(0, len(missing), NAMES):
        names = missing[start : start + NAMES]
        query = plan.query.only(names)
        _, failed = yield from _fill(
            replace(plan, query=query), reader, spool, limits, _behind(report, kept + start, len(listed))
        )
        unread = unread.joined(failed)
        if unread.reasons and allowed_partial() is None:
            break
    # A run that was deleted since is no longer in the list.
    complete = spool.runs
    return [run.name for run in listed if run.name in complete], unread


def _behind(report: Progress | None, before: int, total: int) -> Progress | None:
    """Return a function that adds the runs that were read before."""
    return None if report is None else lambda done, _: report(before + done, total)


def _list_fingerprints(plan: HistoriesPlan) -> Flow[list[RunFingerprint]]:
    """Return the fingerprints of the runs as they are now; one request for many of them."""
    query = plan.query.sized(max(plan.query.per_page, MOST_RUNS))
    listing = Listing(
        lambda size, after: list_light_page(query.sized(size), after),
        lambda page: [
            (node.id, RunFingerprint(node.name, node.history_line_count, node.heartbeat_at))
            for node in page.nodes
        ],
        lambda listed: listed[0],
        per_page=query.per_page,
        limit=query.limit,
    )
    yield from listing.reach(None)
    return [fingerprint for _, fingerprint in listing.items]


def _request_key(plan: HistoriesPlan, server: str) -> str:
    query, scan = plan.query, plan.scan
    parts: list[object] = [server, query.entity, query.project, scan.keys, scan.match]
    frozen = [query.end_steps] if query.ends else []
    return json.dumps([*parts, scan.min_step, scan.max_step, *frozen])


def _drain(batches: list[Batch]) -> list[Row]:
    """The rows as dicts. The list is emptied batch by batch, so that memory never holds all values twice."""
    rows: list[Row] = []
    while batches:
        rows += batches.pop(0).to_rows()
    return rows
