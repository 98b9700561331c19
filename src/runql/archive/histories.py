"""Reads the whole histories of the runs of a unit: all of them in one request where they are short."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from runql.frames.row_readers import RowReader
from runql.paths import RunAddress
from runql.resources.history.chosen_rows import BAD_ROW
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.scan import RowStream
from runql.resources.history.span_reader import REFUSALS
from runql.resources.runs.histories.page import list_histories
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits
from runql.values import parse_rows

if TYPE_CHECKING:
    from runql.archive.tables import Row

SCAN_PAGE: Final = 1_000
"""Rows in a request of the scan of one run."""


def named(runs: Sequence[str]) -> str:
    """The filter that names these runs."""
    return json.dumps({"name": {"$in": list(runs)}})


def read_short(home: RunAddress, runs: Sequence[str], most_rows: int) -> Flow[dict[str, list[Row]]]:
    """Read the histories of runs together; one request. Return those that surely arrived whole.

    Args:
        home: entity and project.
        runs: their ids.
        most_rows: the rows of the longest.
    """
    samples = 2 * most_rows + 2
    plan = _plan(home)
    query = RunQuery(home.entity, home.project, named(runs), per_page=len(runs))
    try:
        page = yield from list_histories(
            query, plan, None, samples=samples, with_steps=False, fail_fast=len(runs) > 1
        )
    except REFUSALS:
        return {}
    found: dict[str, list[Row]] = {}
    reader = RowReader()
    for node in page.nodes:
        if node.holds_all_rows(reader, samples):
            try:
                found[node.name] = parse_rows(node.lines)
            except BAD_ROW:
                continue
    return found


class LongHistory:
    """The rows of one run, portion by portion, from a step on."""

    def __init__(self, run: RunAddress, rows: int | None, limits: SampleLimits, *, start: int = 0) -> None:
        plan = _plan(run, start=start)
        self._stream = RowStream(plan, HistoryHints(line_count=rows), limits)

    def next_rows(self) -> Flow[Iterator[Row] | None]:
        """Return the next rows in step order, perhaps none of them; None at the end.

        Raises:
            IncompleteHistoryError: the server leaves out rows.
            CorruptHistoryError: a row cannot be read.
        """
        return (yield from self._stream.next_rows())


def _plan(run: RunAddress, *, start: int = 0) -> ScanPlan:
    return ScanPlan.checked(
        run, keys=None, match="all", page_size=SCAN_PAGE, min_step=start, max_step=None, max_concurrency=4
    )
