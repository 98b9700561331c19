"""How far a scan has come: which windows are next, how many at once, and when it is over."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from runql.errors import OutdatedServerError
from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.export_listing import ExportListing, list_exports
from runql.resources.history import Row
from runql.resources.scan import Known, ScanPlan
from runql.resources.step_map import map_steps
from runql.resources.window import Window, key_counts, read_window
from runql.transport.flow import Flow, gather


@dataclass(frozen=True, slots=True)
class Span:
    """A range of steps whose end the run has passed, so that its rows stay what they are.

    Attributes:
        start: the first step.
        stop: the step before which it ends.
        steps: those at which there are rows, where they were asked for.
    """

    start: int
    stop: int
    steps: list[int] | None = None


class ScanPosition:
    """How far a scan has come.

    The server thins an answer that would hold more rows than ``samples``, so a window is a range of steps no wider
    than that. The last window has no end: what `historyKeys.lastStep` says lags behind, also for a while after a run
    is over. That costs no further request, unless the window comes thinned; then its rows tell how far the run goes.
    Where the run is known to hold no more rows than fit one answer, the first window is the last. Windows before the
    last step that was told are settled: several of them are asked for at once. Where the steps are many and the rows
    few, the steps of the rows are asked for first, and windows are cut by them.
    """

    def __init__(self, plan: ScanPlan, known: Known, reader: RowReader | None = None) -> None:
        self._plan = plan
        self._reader = reader or RowReader()
        self._offset: int = plan.min_step
        self._covered: int = plan.min_step
        self._last_step = known.last_step
        self._line_count = known.line_count
        self._key_counts: dict[str, int] | None = None
        self._rows_read = self._steps_read = 0
        self._mapped: deque[Span] = deque()
        self._has_map = False
        self._begun = False
        self._thinned_from: int | None = None
        self._done = False
        # The rows of a window that was read along with something else, until they are asked for.
        self._early: list[Batch] = []
        self._told_steps: Sequence[int] | None = None

    @property
    def offset(self) -> int:
        """The step that the next window begins at."""
        return self._offset

    def find_exports(self, *, with_rows: bool) -> Flow[ExportListing | None]:
        """Ask what the run's exports are; None when it has none. One request, along with the first window ``with_rows``
        or where windows are few.

        Sends nothing when one window is enough. An old server that does not know of exports costs one request more.
        """
        end = self._plan.max_step
        one_window = end is not None and end - self._offset <= self._plan.page_size
        if self._begun or one_window or self._fits_one_answer():
            return None
        # Where windows are few, a request of its own would count for much; where they are many, rows that an export holds.
        are_few = self._steps_left() <= self._plan.at_once * self._plan.page_size
        try:
            if with_rows or are_few or self._line_count is None:
                batch, listing = yield from self._read_open(with_exports=True)
                self._early = [batch] if batch.height else []
            else:
                plan = self._plan
                listing = yield from list_exports(plan.entity, plan.project, plan.run, with_keys=True)
                self._key_counts = key_counts(listing.history_keys) if listing else None
        except OutdatedServerError:
            return None
        if listing is None or self._done:
            return None
        if listing.urls:
            return listing
        # Nothing is exported: the steps of all rows are told then.
        if self._is_sparse() and self._line_count is not None and listing.live_count >= self._line_count:
            self._told_steps = listing.live_steps
        return None

    def early_rows(self) -> list[Row]:
        """The rows that were read along with the exports' addresses."""
        early, self._early = self._early, []
        return [row for batch in early for row in batch.to_rows()]

    def next_rows(self, ahead: int = 1) -> Flow[list[Row] | None]:
        """The rows of the next ``ahead`` windows, in step order, when any holds one; None at the end."""
        batches = yield from self.next_batches(ahead)
        if batches is None:
            return None
        return [row for batch in batches if isinstance(batch, RowBatch) for row in batch.rows]

    def next_batches(self, ahead: int | None = 1) -> Flow[list[Batch] | None]:
        """The rows of the next windows that hold any, in step order; None at the end.

        One request a window; ``ahead`` windows are read, or all that are settled when None.
        """
        if self._early:
            early, self._early = self._early, []
            return early
        while self._mapped or not (self._done or self._offset == self._plan.max_step):
            batches = [batch for batch in (yield from self._next(ahead)) if batch.height]
            if batches:
                return batches
        return None

    def _next(self, ahead: int | None) -> Flow[list[Batch]]:
        if not self._mapped and self._is_sparse() and not self._fits_one_answer():
            yield from self._map()
        spans = [*self._mapped][:ahead] if self._mapped else self._settled(ahead)
        if not spans:
            batch, _ = yield from self._read_open()
            return [batch]
        with_end = ahead is None and not self._mapped and self._leads_to_end(spans[-1])
        batches, end = yield from self._read_spans(spans, with_end=with_end)
        for _ in spans[: len(self._mapped)]:
            self._mapped.popleft()
        self._begun = True
        self._offset = self._covered = spans[-1].stop
        self._note(sum(batch.height for batch in batches), spans[-1].stop - spans[0].start)
        return batches if end is None else [*batches, self._take(end, stop=None, is_open=True)]

    # -- what is settled -----------------------------------------------------------------------------------------

    def _settled(self, most: int | None) -> list[Span]:
        """The next windows whose end the run has passed; none where the next window is asked for without an end."""
        if self._last_step is None or (self._fits_one_answer() and self._thinned_from is None):
            return []
        is_counted = self._line_count is not None and not (self._plan.keys and self._key_counts is None)
        if not self._begun and not is_counted and self._steps_left() > self._plan.page_size:
            # The first answer tells how many rows there are, and in how many the keys are: often in few.
            return []
        if self._line_count is None:
            most = min(most or self._plan.at_once, self._plan.at_once if self._steps_read else 1)
        spans: list[Span] = []
        start = self._offset
        while most is None or len(spans) < most:
            stop = self._window_end(start)
            if start >= stop or stop > self._last_step:
                break
            spans.append(Span(start, stop))
            start = stop
        return spans

    def _window_end(self, start: int) -> int:
        end, last = start + self._plan.page_size, self._plan.max_step
        return end if last is None else min(end, last)

    def _leads_to_end(self, span: Span) -> bool:
        """Whether the window behind a settled one is the last, which has no end."""
        is_last = self._last_step is not None and span.stop + self._plan.page_size > self._last_step
        return is_last and self._plan.max_step is None and self._thinned_from != span.stop

    def _read_spans(
        self, spans: Sequence[Span], *, with_end: bool
    ) -> Flow[tuple[list[Batch], Window | None]]:
        """The rows of spans, and the window behind them where it is asked for at once with them."""
        if len(spans) == 1 and not with_end:
            return (yield from self._read_span(spans[0])), None
        queue = BatchQueue()
        ends: list[Window] = []

        def queued(place: int, span: Span) -> Flow[None]:
            queue.put(place, (yield from self._read_span(span)))

        def ended(start: int) -> Flow[None]:
            ends.append((yield from read_window(self._plan, start, None, self._reader, with_keys=True)))

        flows = [queued(place, span) for place, span in enumerate(spans)]
        flows += [ended(spans[-1].stop)] if with_end else []
        yield from gather(flows, limit=self._plan.at_once)
        return queue.take(), ends[0] if ends else None

    def _read_span(self, span: Span) -> Flow[list[Batch]]:
        """The rows of a span; in halves when there are more than one answer holds, or fewer than there should be."""
        start, stop, plan = span.start, span.stop, self._plan
        window = yield from read_window(plan, start, stop, self._reader)
        told = [step for step in span.steps or () if start <= step < stop]
        is_short = plan.keys is None and window.batch.height < len(told)
        if stop - start <= plan.page_size or (window.most <= plan.page_size and not is_short):
            return [window.batch]
        middle = told[len(told) // 2] if len(told) > 1 else 0
        if not start < middle < stop:
            middle = (start + stop) // 2
        first = yield from self._read_span(Span(start, middle, span.steps))
        return first + (yield from self._read_span(Span(middle, stop, span.steps)))

    # -- where rows are few --------------------------------------------------------------------------------------

    def _expected_rows(self) -> int | None:
        """How many rows the scan may bring at most, as far as is known."""
        if self._line_count is None and self._steps_read:
            # Where the server does not count, what was read so far is all there is to guess from.
            return self._rows_read * self._steps_left() // self._steps_read
        if self._plan.keys is None or self._key_counts is None:
            return self._line_count
        counts = [self._key_counts.get(key, 0) for key in self._plan.keys if key != "_step"]
        if not counts:
            return self._line_count
        most = min(counts) if self._plan.match == "all" else sum(counts)
        return most if self._line_count is None else min(most, self._line_count)

    def _fits_one_answer(self) -> bool:
        expected = self._expected_rows()
        has_few_rows = expected is not None and expected <= self._plan.page_size
        return has_few_rows and (not self._begun or self._is_sparse()) and self._thinned_from is None

    def _steps_left(self) -> int:
        if self._last_step is None:
            return 0
        end = self._last_step + 1
        return (end if self._plan.max_step is None else min(end, self._plan.max_step)) - self._offset

    def _is_sparse(self) -> bool:
        """Whether windows by steps would be more than twice those that the rows need."""
        expected, size = self._expected_rows(), self._plan.page_size
        if expected is None or self._has_map:
            return False
        return self._steps_left() // size > 2 * (expected // self._rows_of_map + 1) + 2

    @property
    def _rows_of_map(self) -> int:
        """Rows that a window cut by a map may hold: a spec's maxStep is inclusive, so the row of the border comes, too."""
        return self._plan.page_size if self._plan.keys is None else max(1, self._plan.page_size - 1)

    def _map(self) -> Flow[None]:
        """Ask for the steps of the rows that are left, and cut windows of ``page_size`` rows."""
        stop = self._offset + self._steps_left()
        if self._told_steps is None:
            steps = yield from map_steps(self._plan, self._offset, stop)
        else:
            steps = sorted({step for step in self._told_steps if self._offset <= step < stop})
        self._has_map = True
        size = self._rows_of_map
        borders = [self._offset, *steps[size::size], stop]
        if size == self._plan.page_size == 1 and self._plan.keys is not None:
            # A span of a single step holds no row of its border.
            borders = sorted({*borders, *(step + 1 for step in steps)})
        self._mapped.extend(
            Span(low, high, steps[bisect_left(steps, low) : bisect_left(steps, high)])
            for low, high in pairwise(borders)
        )

    # -- where the end is not known ------------------------------------------------------------------------------

    def _read_open(self, *, with_exports: bool = False) -> Flow[tuple[Batch, ExportListing | None]]:
        plan, start = self._plan, self._offset
        end = start + plan.page_size
        is_last = self._last_step is None or end > self._last_step
        is_open = self._is_open(is_last=is_last) and (plan.max_step is None or end < plan.max_step)
        stop = plan.max_step if is_open or (plan.max_step is not None and end > plan.max_step) else end
        with_keys = is_last or with_exports or (plan.keys is not None and not self._begun and not is_open)
        window = yield from read_window(
            plan, start, stop, self._reader, with_keys=with_keys, with_exports=with_exports
        )
        return self._take(window, stop=stop, is_open=is_open), window.exports

    def _take(self, window: Window, *, stop: int | None, is_open: bool) -> Batch:
        """The rows of the window at the offset, and what it tells of how the scan goes on."""
        start, end = self._offset, self._offset + self._plan.page_size
        self._begun = True
        self._learn(window)
        if is_open and (window.most > self._plan.page_size or self._misses_rows(window, start)):
            # Thinned: its rows tell how far the run goes, and are read again in windows that cannot be thinned.
            self._last_step = max(self._last_step or 0, window.last)
            self._offset = self._thinned_from = min(window.first, self._covered)
            self._has_map = False
            if window.most > (self._expected_rows() or 0):
                # More rows are answered than the keys are said to be in: some hold a null there.
                self._key_counts = None
            return RowBatch([])
        # Beyond the last step that was told, rows may arrive inside a window after it was read.
        beyond = self._last_step is None or end > self._last_step
        self._offset, self._covered = min(window.last + 1, end) if beyond else end, end
        self._note(window.most, self._covered - start)
        self._done = is_open or stop == self._plan.max_step
        return window.batch

    def _is_open(self, *, is_last: bool) -> bool:
        if self._thinned_from == self._offset:
            return False
        if self._fits_one_answer():
            return True
        if not self._begun:
            return is_last and (self._last_step is not None or self._line_count is None)
        return is_last

    def _misses_rows(self, window: Window, start: int) -> bool:
        # How a server thins a window without an end is its own business: where it tells how many rows the run has, and
        # the window was to bring all of them, the count is the proof.
        return self._plan.wants_every_row and start == 0 and 0 < window.most < (window.line_count or 0)

    def _note(self, rows: int, steps: int) -> None:
        self._rows_read += rows
        self._steps_read += steps

    def _learn(self, window: Window) -> None:
        if window.last_step is not None:
            self._last_step = max(window.last_step, self._last_step or 0)
        if window.key_counts is not None:
            self._key_counts = dict(window.key_counts)
        if window.line_count is not None:
            self._line_count = max(window.line_count, self._line_count or 0)
