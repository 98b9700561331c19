"""The position of a scan of many runs: pages of runs, and windows of the runs that do not fit a page."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from runql.errors import IncompleteHistoryError, RunNotFoundError, RunqlError
from runql.frames.batches import Batch, step_of
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.chosen_rows import BAD_ROW, BAD_ROW_OF_RUN
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.scan import read_rest
from runql.resources.history.span_reader import REFUSALS, may_be_too_much
from runql.resources.pages.listing import Page
from runql.resources.runs.adaptive_pages import OVERLOAD, AdaptivePages, Streak, UnreadRuns
from runql.resources.runs.histories.page import (
    HistoriesPart,
    HistoriesPlan,
    ListedHistory,
    list_histories,
)
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.histories.page_rows import label_run, read_page_rows, read_together
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, gather, offload
from runql.transport.sample_limits import RowsField, SampleLimits, is_far_below
from runql.values import parse_rows

# These errors concern one run, not the list: the run may have been deleted since it was listed.
UNREADABLE = (*OVERLOAD, RunNotFoundError, *BAD_ROW_OF_RUN, IncompleteHistoryError)

FEW: Final = 20
"""One run in so many of a page may lack rows, and is read alone; if more do, all runs are read in another way."""

CELL_BYTES: Final = 24
"""Roughly the bytes of a number in a response that names the key of each."""


@dataclass(frozen=True, slots=True)
class _CompleteRuns:
    """Runs next to each other whose rows arrived complete with the page."""

    nodes: list[ListedHistory]
    windows: int = 0


@dataclass(frozen=True, slots=True)
class _LongRun:
    """A run that has more rows than arrived with the page.

    Attributes:
        node: the run.
        last_step: the highest step that arrived.
        windows: requests that its rows will take, as far as is known.
    """

    node: ListedHistory
    last_step: int | None
    windows: int


class HistoriesCursor:
    """Reads the whole histories of a list of runs part by part.

    A page of runs brings the rows of each run up to a share. A run that brings fewer rows than were requested is
    complete; without bounds, the server's count confirms it. A longer run is read by `ScanCursor`, several of a page at
    once. The next page is requested while the last of them are read, or the rows of the page are parsed.

    Attributes:
        cut_off: whether a run could not be read to its end, and its first rows are in earlier parts.
        total: the server's count of the runs, at most the limit; None before the first page.
    """

    def __init__(
        self,
        plan: HistoriesPlan,
        reader: RowReader | None = None,
        budget: PageBudget | None = None,
        limits: SampleLimits | None = None,
    ) -> None:
        self._plan = plan
        self._reader = reader or RowReader()
        self._limits = limits or SampleLimits()
        self._field: RowsField = plan.scan.rows_field
        self._budget = budget or PageBudget(plan.query.per_page, plan.scan.page_size)
        if plan.heights and budget is None:
            row_bytes = None if plan.scan.keys is None else CELL_BYTES * len(plan.scan.columns)
            self._budget.expect(plan.heights, row_bytes, is_sure=plan.are_numbers)
        self._pages = AdaptivePages(plan.query, self._ask, self._budget.runs)
        self._share = self._rows_a_run
        self._was_asked_again = False
        self._page_ahead: Page[ListedHistory] | RunqlError | None = None
        self._segments: deque[_CompleteRuns | _LongRun] = deque()
        self._under_way: tuple[ListedHistory, ScanCursor] | None = None
        self._unreadable = UnreadRuns()
        self._streak = Streak()
        self._has_begun = False
        self._ends = plan.query.end_steps
        self.cut_off: bool = False
        self.total: int | None = None

    @property
    def has_read(self) -> bool:
        """Whether any run was read."""
        return self._pages.has_read

    @property
    def unread(self) -> UnreadRuns:
        """The runs that could not be read."""
        return self._pages.unread.joined(self._unreadable)

    def next_part(self, *, bounded: bool, ahead: bool) -> Flow[HistoriesPart | None]:
        """Return the rows that follow; None at the end.

        Args:
            bounded: split a run of more windows than run at once into several parts. If it fails, the rows that arrived
                before are handed out all the same.
            ahead: request the next page as soon as no other request is left.
        """
        while True:
            if self._under_way is not None:
                part = yield from self._continue(*self._under_way)
            elif self._segments:
                part = yield from self._read_group(bounded=bounded, ahead=ahead)
            elif not (yield from self._turn_page()):
                return None
            else:
                continue
            if part.batches or part.ended:
                return part

    # -- pages ---------------------------------------------------------------------------------------------------

    @property
    def _rows_a_run(self) -> int:
        return self._limits.rows(self._field, self._budget.rows_a_run)

    def _ask(self, query: RunQuery, after: str | None, fail_fast: bool) -> Flow[Page[ListedHistory]]:
        """Request a page; where a single run fails, with fewer of its rows."""
        share, refusal = self._share, None
        while True:
            try:
                page = yield from list_histories(
                    query,
                    self._plan.scan,
                    after,
                    samples=share + 1,
                    with_steps=self._needs_steps(share),
                    fail_fast=fail_fast or refusal is not None,
                )
            except REFUSALS as error:
                refusal = refusal or error
                is_halved = fail_fast and isinstance(error, OVERLOAD)
                if is_halved or share // 2 < self._limits.least or not may_be_too_much(error):
                    raise refusal from None
                share //= 2
                continue
            if share < self._share:
                self._limits.note_refused(self._field, share + 1)
                self._share = share
            return page

    def _needs_steps(self, share: int) -> bool:
        """Whether to request the steps of all rows, to see by them that none is missing.

        The server counts the rows of a whole run, not those of a range, nor those that have several keys.
        """
        scan = self._plan.scan
        has_counts = scan.every_row or scan.match == "any" or len(scan.columns) <= 2
        is_counted = scan.wants_every_step and has_counts
        return not is_counted and not is_far_below(share, self._limits.longest_list(self._field))

    def _turn_page(self) -> Flow[bool]:
        page, self._page_ahead = self._page_ahead, None
        if isinstance(page, RunqlError):
            raise page
        if page is None:
            page = yield from self._pages.read()
        if page is None:
            return False
        limit = self._plan.query.limit
        self.total = page.total if limit is None else min(page.total, limit)
        nodes = page.nodes
        if chosen := [node for node in nodes if node.has_chosen]:
            yield from offload(partial(self._read_chosen, chosen))
        self._note_lists(nodes)
        for node in nodes:
            bound = min(node.samples, self._limits.longest_list(self._field))
            node.is_complete = node.holds_all_rows(self._reader, bound)
        if sum(node.lacks_rows for node in nodes) > len(nodes) // FEW:
            self._widen()
            return True
        heights = [node.wanted for node in nodes]
        self._learn(nodes)
        size = self._budget.choose(heights)
        self._budget.runs = size
        self._pages.aim(size)
        alone = sum(-(-rows // self._budget.window) for rows in heights if rows > self._share)
        if self._budget.requests(heights, size) < alone and not self._was_asked_again:
            # Many runs are longer than their share: in pages of another size they take fewer requests than alone.
            self._was_asked_again = True
        else:
            self._was_asked_again = False
            self._arrange(self._pages.take(page))
            for name in page.absent:
                query = self._plan.query
                self._unreadable.add(name, RunNotFoundError(query.entity, query.project, name))
        self._share = self._rows_a_run
        return True

    def _widen(self) -> None:
        """Read this page again, and all that follow, by lists of each key, or else whole."""
        scan = self._plan.scan
        self._plan = replace(self._plan, scan=scan.by_lists if scan.needs_full_rows else scan.whole)
        self._field = self._plan.scan.rows_field
        self._budget = PageBudget(self._plan.query.per_page, scan.page_size)
        self._pages.aim(self._budget.runs)
        self._share = self._rows_a_run

    def _look_ahead(self) -> Flow[HistoriesPart]:
        try:
            self._page_ahead = yield from self._pages.read()
        except RunqlError as error:
            # The rows that were read before are handed out first.
            self._page_ahead = error
        return HistoriesPart()

    def _read_chosen(self, nodes: Sequence[ListedHistory]) -> None:
        if not read_together(nodes, self._reader):
            for node in nodes:
                node.read_chosen(self._reader)

    def _note_lists(self, nodes: Sequence[ListedHistory]) -> None:
        self._limits.note_list(self._field, max((node.received for node in nodes), default=0))
        steps = [node.steps.height for node in nodes if node.steps is not None]
        self._limits.note_list("sampledHistory", max(steps, default=0))

    def _learn(self, nodes: Sequence[ListedHistory]) -> None:
        if self._plan.scan.keys is None:
            lines = [line for node in nodes for line in node.lines]
            self._budget.learn(len(lines), sum(map(len, lines)))
        else:
            rows = sum(node.received for node in nodes)
            self._budget.learn(rows, rows * CELL_BYTES * len(self._plan.scan.columns))

    # -- the runs of a page --------------------------------------------------------------------------------------

    def _arrange(self, nodes: Sequence[ListedHistory]) -> None:
        complete: list[ListedHistory] = []
        for node in nodes:
            if node.is_complete:
                if (end := self._ends.get(node.name)) is not None:
                    node.end_before(end)
                complete.append(node)
                continue
            if complete:
                self._segments.append(_CompleteRuns(complete))
                complete = []
            self._segments.append(_LongRun(node, self._last_step(node), self._windows(node)))
        if complete:
            self._segments.append(_CompleteRuns(complete))

    def _windows(self, node: ListedHistory) -> int:
        if node.line_count is None:
            # Unknown, so enough that the run is read in parts.
            return self._plan.scan.max_concurrency + 1
        return -(-node.wanted // self._budget.window)

    def _last_step(self, node: ListedHistory) -> int | None:
        if self._plan.scan.keys is None:
            with suppress(*BAD_ROW):
                rows = parse_rows(node.lines[-1:])
                return step_of(rows[0]) if rows else None
            return None
        extents = [rows.extent() for rows in node.chosen]
        return max((extent[1] for extent in extents if extent is not None), default=None)

    def _read_group(self, *, bounded: bool, ahead: bool) -> Flow[HistoriesPart]:
        """Read the next runs: all of the page, or as many as take no more windows than run at once."""
        max_concurrency = self._plan.scan.max_concurrency
        group = [self._segments.popleft()]
        first = group[0]
        if bounded and isinstance(first, _LongRun) and first.windows > max_concurrency:
            cursor = self._cursor_of(first, max_concurrency, streams=True)
            self._has_begun = False
            return (yield from self._continue(first.node, cursor))
        windows = first.windows
        while self._segments and (not bounded or windows + self._segments[0].windows <= max_concurrency):
            windows += self._segments[0].windows
            group.append(self._segments.popleft())
        longs = sum(isinstance(segment, _LongRun) for segment in group)
        flows = [self._read_segment(segment, max(1, max_concurrency // max(1, longs))) for segment in group]
        if ahead and not self._segments and self._pages.more:
            flows.insert(0, self._look_ahead())
        if len(flows) == 1:
            return (yield from flows[0])
        joined = HistoriesPart()
        for part in (yield from gather(flows, limit=max_concurrency)):
            joined.add(part)
        return joined

    def _read_segment(self, segment: _CompleteRuns | _LongRun, max_concurrency: int) -> Flow[HistoriesPart]:
        if isinstance(segment, _CompleteRuns):
            return (
                yield from offload(
                    lambda: read_page_rows(segment.nodes, self._plan.scan, self._reader, self._unreadable)
                )
            )
        node, cursor = segment.node, self._cursor_of(segment, max_concurrency)
        if self._streak.is_hopeless:
            self._unreadable.add_not_requested(node.name, self._streak)
            return HistoriesPart()
        plan, hints = self._plan_of(segment, max_concurrency), _hints(segment)
        try:
            batches = yield from read_rest(cursor, plan, hints, self._reader, self._limits)
        except UNREADABLE as error:
            self._note_failure(node, error)
            return HistoriesPart()
        self._streak.end()
        self._compare(node, sum(batch.height for batch in batches))
        return HistoriesPart(self._labelled(batches, node), [node.fingerprint])

    def _continue(self, node: ListedHistory, cursor: ScanCursor) -> Flow[HistoriesPart]:
        """Read the next windows of a run that is read in several parts."""
        if self._streak.is_hopeless:
            self._under_way = None
            self.cut_off = self.cut_off or self._has_begun
            self._unreadable.add_not_requested(node.name, self._streak)
            return HistoriesPart()
        self._under_way = node, cursor
        try:
            batches = yield from cursor.next_batches(self._plan.scan.max_concurrency)
        except UNREADABLE as error:
            self._under_way = None
            self.cut_off = self.cut_off or self._has_begun
            self._note_failure(node, error)
            return HistoriesPart()
        if batches is None:
            self._under_way = None
            self._streak.end()
            self._compare(node, cursor.found)
            return HistoriesPart([], [node.fingerprint])
        self._has_begun = self._has_begun or any(batch.height for batch in batches)
        return HistoriesPart(self._labelled(batches, node))

    def _labelled(self, batches: list[Batch], node: ListedHistory) -> list[Batch]:
        end = self._ends.get(node.name)
        if end is not None:
            inside = [batch.between(0, end) for batch in batches]
            batches = [batch for batch in inside if batch.height]
        return label_run(batches, node.name)

    def _note_failure(self, node: ListedHistory, error: RunqlError) -> None:
        self._unreadable.add(node.name, error)
        if isinstance(error, OVERLOAD):
            self._streak.fail(error)

    def _compare(self, node: ListedHistory, rows: int) -> None:
        """Learn from a run that was read alone how many rows of a run a page brings for certain."""
        if (
            not node.lacks_rows
            and node.received < rows < node.samples
            and is_far_below(node.received, node.samples)
        ):
            self._limits.note_downsampled(self._field, node.received)

    def _plan_of(self, segment: _LongRun, max_concurrency: int) -> ScanPlan:
        scan = self._plan.scan
        return replace(
            scan.whole if segment.node.needs_whole_rows else scan.by_lists,
            run=replace(scan.run, run_id=segment.node.name),
            page_size=self._budget.window,
            max_concurrency=max_concurrency,
        )

    def _cursor_of(self, segment: _LongRun, max_concurrency: int, *, streams: bool = False) -> ScanCursor:
        node, plan = segment.node, self._plan_of(segment, max_concurrency)
        is_short = node.received < (node.line_count or 0) and not node.lacks_rows
        doubts = is_short and is_far_below(node.received, node.samples)
        return ScanCursor(plan, _hints(segment), self._reader, self._limits, streams=streams, doubts=doubts)


def _hints(segment: _LongRun) -> HistoryHints:
    return HistoryHints(segment.last_step, segment.node.line_count)
