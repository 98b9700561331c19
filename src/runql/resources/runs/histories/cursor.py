"""How far the whole histories of a list of runs have come: pages of runs, and windows of those that no page can hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from typing import Final

from runql.errors import CorruptHistoryError, IncompleteHistoryError, RunNotFoundError, RunqlError
from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import RUN_ID, Batch, RowBatch, step_of
from runql.frames.row_readers import RowReader
from runql.resources.history.cursor import ScanPosition
from runql.resources.history.plan import Known, ScanPlan
from runql.resources.history.row_tally import RowTally
from runql.resources.history.scan import rest_of_scan
from runql.resources.history.span_reader import REFUSALS, may_be_too_much
from runql.resources.history.window import last_step, rows_asked_for, whole_rows
from runql.resources.pages.listing import Page
from runql.resources.runs.adaptive_pages import OVERLOAD, HeavyPages
from runql.resources.runs.histories.page import HistoriesPlan, ListedHistory, Part, list_histories
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, gather, offload
from runql.transport.sample_limits import RowsField, SampleLimits, is_far_below
from runql.values import UnreadableRowError, as_json, parse_rows

# What speaks of one run and not of the list: it may have been deleted since it was listed.
UNREADABLE = (*OVERLOAD, RunNotFoundError, CorruptHistoryError, IncompleteHistoryError)

CELL_BYTES: Final = 24
"""About what a number takes in an answer that names the key of each."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """Runs that follow each other, whose rows came complete with the page."""

    nodes: list[ListedHistory]
    windows: int = 0


@dataclass(frozen=True, slots=True)
class _Long:
    """A run that has more rows than came with the page.

    Attributes:
        node: the run.
        last_step: the highest step that came.
        windows: requests that its rows will take, as far as can be told.
    """

    node: ListedHistory
    last_step: int | None
    windows: int


class HistoriesPosition:
    """How far the histories of a list have come.

    A page of runs brings the rows of each run up to a share. A run of which fewer rows came than were asked for is
    complete, and where all of its rows were wanted, the server's count is the proof. A run that has more is read by
    `ScanPosition`, several of a page at once; while the last of them are read or the rows of the page are decoded,
    the next page is asked for.
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
        self._field: RowsField = "history" if plan.scan.keys is None else "sampledHistory"
        self._budget = budget or PageBudget(plan.query.per_page, plan.scan.page_size)
        self._pages = HeavyPages(plan.query, self._ask, self._budget.runs)
        self._share = self._rows_a_run
        self._was_asked_again = False
        self._page_ahead: Page[ListedHistory] | RunqlError | None = None
        self._segments: deque[_Whole | _Long] = deque()
        self._under_way: tuple[ListedHistory, ScanPosition] | None = None
        self._failed: list[str] = []
        self._reason = ""

    @property
    def has_read(self) -> bool:
        """Whether any run was read."""
        return self._pages.has_read

    @property
    def failed(self) -> list[str]:
        """Ids of the runs that could not be read."""
        return self._pages.failed + self._failed

    @property
    def reason(self) -> str:
        """Why one of them could not."""
        return self._reason or self._pages.reason

    def next_part(self, *, bounded: bool, ahead: bool) -> Flow[Part | None]:
        """The rows that follow; None at the end.

        Args:
            bounded: a run of more windows than are asked for at once comes in several parts; the rows of one that
                fails are then handed out as far as they came.
            ahead: ask for the next page as soon as nothing else is left to ask for.
        """
        while True:
            if self._under_way is not None:
                part = yield from self._go_on(*self._under_way)
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
        """Ask for a page; where a run fails even alone, for fewer of its rows."""
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
        """Whether the steps of all rows are asked for, to see by them that none is missing.

        What the server counts of a whole run does not say how many rows are in a part of it, nor how many have all keys.
        """
        scan = self._plan.scan
        is_counted = scan.wants_every_step and (scan.match == "any" or len(scan.columns) <= 2)
        return not is_counted and not is_far_below(share, self._limits.longest_list(self._field))

    def _turn_page(self) -> Flow[bool]:
        page, self._page_ahead = self._page_ahead, None
        if isinstance(page, RunqlError):
            raise page
        if page is None:
            page = yield from self._pages.read()
        if page is None:
            return False
        if chosen := [node for node in page.nodes if node.has_chosen]:
            yield from offload(partial(self._read_chosen, chosen))
        self._note(page.nodes)
        for node in page.nodes:
            node.is_complete = self._is_complete(node)
        heights = [self._height(node) for node in page.nodes]
        self._learn(page.nodes)
        size = self._budget.choose(heights)
        self._budget.runs = size
        self._pages.aim(size)
        alone = sum(-(-rows // self._budget.window) for rows in heights if rows > self._share)
        if self._budget.requests(heights, size) < alone and not self._was_asked_again:
            # Many of its runs are longer than their share: in other pages they take fewer requests than alone.
            self._was_asked_again = True
        else:
            self._was_asked_again = False
            self._arrange(self._pages.take(page))
        self._share = self._rows_a_run
        return True

    def _look_ahead(self) -> Flow[Part]:
        try:
            self._page_ahead = yield from self._pages.read()
        except RunqlError as error:
            # What was read before it is handed out first.
            self._page_ahead = error
        return Part()

    def _learn(self, nodes: Sequence[ListedHistory]) -> None:
        if self._plan.scan.keys is None:
            texts = [text for node in nodes for text in node.texts]
            self._budget.learn(len(texts), sum(map(len, texts)))
        else:
            rows = sum(node.answered for node in nodes)
            self._budget.learn(rows, rows * CELL_BYTES * len(self._plan.scan.columns))

    # -- the runs of a page --------------------------------------------------------------------------------------

    def _note(self, nodes: Sequence[ListedHistory]) -> None:
        self._limits.note_list(self._field, max((node.answered for node in nodes), default=0))
        steps = [node.steps.height for node in nodes if node.steps is not None]
        self._limits.note_list("sampledHistory", max(steps, default=0))

    def _height(self, node: ListedHistory) -> int:
        """How many rows are wanted of a run, as far as its answer tells."""
        rows = node.answered
        return rows if node.is_complete else max(rows, node.line_count or 0)

    def _is_complete(self, node: ListedHistory) -> bool:
        """Whether all wanted rows of a run came with the page."""
        if node.is_missing or node.answered >= node.samples:
            return False
        tally = RowTally(node.scan)
        tally.note(node.counts)
        if node.scan.wants_every_step:
            if tally.is_complete_with(node.heights):
                return True
            if node.scan.keys is None and node.answered and is_far_below(node.answered, self._bound(node)):
                return True
        try:
            outline = node.outline(self._reader)
        except CorruptHistoryError:
            return False
        if tally.is_complete_with(outline.heights):
            return True
        if node.steps is not None and node.steps.height == node.line_count:
            wanted = node.steps.between(node.scan.min_step, node.scan.max_step).height
            if all(height == wanted for height in outline.heights):
                return True
        reported = last_step(as_json(node.fields.history_keys))
        ends = [node.scan.max_step, None if reported is None else reported + 1]
        end = min((end for end in ends if end is not None), default=None)
        return outline.is_whole(end, self._bound(node)) and not tally.misses_all

    def _bound(self, node: ListedHistory) -> int:
        return min(node.samples, self._limits.longest_list(self._field))

    def _arrange(self, nodes: Sequence[ListedHistory]) -> None:
        whole: list[ListedHistory] = []
        for node in nodes:
            if node.is_complete:
                whole.append(node)
                continue
            if whole:
                self._segments.append(_Whole(whole))
                whole = []
            self._segments.append(_Long(node, self._last_step(node), self._windows(node)))
        if whole:
            self._segments.append(_Whole(whole))

    def _windows(self, node: ListedHistory) -> int:
        if node.line_count is None:
            # As many as may be: such a run is read in parts.
            return self._plan.scan.max_concurrency + 1
        return -(-self._height(node) // self._budget.window)

    def _read_chosen(self, nodes: Sequence[ListedHistory]) -> None:
        for node in nodes:
            node.read_chosen(self._reader)

    def _last_step(self, node: ListedHistory) -> int | None:
        if self._plan.scan.keys is None:
            with suppress(UnreadableRowError):
                rows = parse_rows(node.texts[-1:])
                return step_of(rows[0]) if rows else None
            return None
        extents = [answer.extent() for answer in node.chosen]
        return max((extent[1] for extent in extents if extent is not None), default=None)

    def _read_group(self, *, bounded: bool, ahead: bool) -> Flow[Part]:
        """Read the runs that come next: all of the page, or as many as take no more windows than may be asked for at once."""
        max_concurrency = self._plan.scan.max_concurrency
        group = [self._segments.popleft()]
        if bounded and isinstance(group[0], _Long) and group[0].windows > max_concurrency:
            return (
                yield from self._go_on(group[0].node, self._position(group[0], max_concurrency, streams=True))
            )
        windows = group[0].windows
        while self._segments and (not bounded or windows + self._segments[0].windows <= max_concurrency):
            windows += self._segments[0].windows
            group.append(self._segments.popleft())
        longs = sum(isinstance(segment, _Long) for segment in group)
        flows = [self._read_segment(segment, max(1, max_concurrency // max(1, longs))) for segment in group]
        if ahead and not self._segments and self._pages.more:
            flows.insert(0, self._look_ahead())
        if len(flows) == 1:
            return (yield from flows[0])
        joined = Part()
        for part in (yield from gather(flows, limit=max_concurrency)):
            joined.add(part)
        return joined

    def _read_segment(self, segment: _Whole | _Long, max_concurrency: int) -> Flow[Part]:
        if isinstance(segment, _Whole):
            return (yield from offload(lambda: self._whole_rows(segment.nodes)))
        node = segment.node
        position = self._position(segment, max_concurrency)
        plan, known = self._plan_of(segment, max_concurrency), Known(segment.last_step, node.line_count)
        try:
            batches = yield from rest_of_scan(position, plan, known, self._reader, self._limits)
        except UNREADABLE as error:
            self._fail(segment.node, error)
            return Part()
        self._compare(node, sum(batch.height for batch in batches))
        return Part(_labelled(batches, segment.node.name), [segment.node.mark])

    def _compare(self, node: ListedHistory, rows: int) -> None:
        """Learn from a run that was read alone how many rows a page brings of a run for certain."""
        if node.answered < rows < node.samples and is_far_below(node.answered, node.samples):
            self._limits.note_downsampled(self._field, node.answered)

    # -- rows ----------------------------------------------------------------------------------------------------

    def _whole_rows(self, nodes: Sequence[ListedHistory]) -> Part:
        """The rows that came with a page, in few batches: a reader of columns has its costs once."""
        scan = self._plan.scan
        if scan.keys is None:
            whole = self._joined(nodes)
            batches = [whole] if whole is not None else self._one_by_one(nodes)
        else:
            batches = [_labelled([rows_asked_for(scan, node.chosen)], node.name)[0] for node in nodes]
        inside = [
            batch if _lies_in(batch.extent(), scan) else batch.between(scan.min_step, scan.max_step)
            for batch in batches
        ]
        marks = [node.mark for node in nodes if node.name not in self._failed]
        return Part(_few([batch for batch in inside if batch.height]), marks)

    def _joined(self, nodes: Sequence[ListedHistory]) -> Batch | None:
        """The rows of all nodes at once; None where some cannot be read, or are out of order."""
        lengths = [len(node.texts) for node in nodes]
        try:
            batch = self._reader.read([*chain.from_iterable(node.texts for node in nodes)])
        except UnreadableRowError:
            return None
        if batch.bad_step() is not None or not batch.rises_within(lengths):
            return None
        names = chain.from_iterable(
            repeat(node.name, length) for node, length in zip(nodes, lengths, strict=True)
        )
        return batch.labelled(RUN_ID, [*names])

    def _one_by_one(self, nodes: Sequence[ListedHistory]) -> list[Batch]:
        batches: list[Batch] = []
        for node in nodes:
            try:
                lists = whole_rows(node.path, node.texts, self._reader)
            except CorruptHistoryError as error:
                self._fail(node, error)
                continue
            batches += _labelled([rows for rows in lists if rows is not None], node.name)
        return batches

    def _plan_of(self, segment: _Long, max_concurrency: int) -> ScanPlan:
        return replace(
            self._plan.scan,
            run=segment.node.name,
            page_size=self._budget.window,
            max_concurrency=max_concurrency,
        )

    def _position(self, segment: _Long, max_concurrency: int, *, streams: bool = False) -> ScanPosition:
        known = Known(segment.last_step, segment.node.line_count)
        plan = self._plan_of(segment, max_concurrency)
        node = segment.node
        doubts = node.answered < (node.line_count or 0) and is_far_below(node.answered, node.samples)
        return ScanPosition(plan, known, self._reader, self._limits, streams=streams, doubts=doubts)

    def _go_on(self, node: ListedHistory, position: ScanPosition) -> Flow[Part]:
        """The next windows of a run that is read in several parts."""
        self._under_way = node, position
        try:
            batches = yield from position.next_batches(self._plan.scan.max_concurrency)
        except UNREADABLE as error:
            self._under_way = None
            self._fail(node, error)
            return Part()
        if batches is None:
            self._under_way = None
            self._compare(node, position.found)
            return Part([], [node.mark])
        return Part(_labelled(batches, node.name))

    def _fail(self, node: ListedHistory, error: RunqlError) -> None:
        self._failed.append(node.name)
        self._reason = str(error)


def _labelled(batches: Sequence[Batch], name: str) -> list[Batch]:
    return [batch.labelled(RUN_ID, [name] * batch.height) for batch in batches]


def _few(batches: list[Batch]) -> list[Batch]:
    """The same rows in few batches."""
    if all(isinstance(batch, RowBatch) for batch in batches):
        rows = [row for batch in batches for row in batch.to_rows()]
        return [RowBatch(rows)] if rows else []
    queue = BatchQueue()
    queue.put(0, batches)
    return queue.take()


def _lies_in(extent: tuple[int, int] | None, scan: ScanPlan) -> bool:
    return extent is None or (
        scan.min_step <= extent[0] and (scan.max_step is None or extent[1] < scan.max_step)
    )
