"""How far a scan has come: which windows are next, how many at once, and when it is over."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from runql.errors import IncompleteHistoryError, OutdatedServerError
from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.history.plan import Known, ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.row_tally import RowTally
from runql.resources.history.sampled import Row
from runql.resources.history.span_reader import SpanReader, Verdict
from runql.resources.history.step_map import MOST_STEPS, StepMap, map_steps
from runql.resources.history.window import Outline, Window
from runql.transport.flow import Flow, gather
from runql.transport.sample_limits import SampleLimits, is_far_below

WIDE = 16
"""Windows that a window which rows were left out of is cut into by steps; one that is wider is cut by its rows."""


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
    steps: Sequence[int] | None = None

    def within(self, start: int, stop: int) -> Span:
        """The part of it between two steps."""
        return Span(start, stop, _between(self.steps, start, stop))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A window of a span: what it is like, and whether its rows are certain to be all."""

    outline: Outline
    batch: Batch
    is_whole: bool


class ScanPosition:
    """How far a scan has come.

    The server downsamples a list that would hold more rows than ``samples``, so a window is a range of steps no wider
    than that. The last window has no end: what `historyKeys.lastStep` says lags behind, also for a while after a run
    is over. That costs no further request, unless the window comes downsampled; then its rows show how far the run goes.
    Where the run is known to hold no more rows than fit one response, the first window is the last. Windows before the
    last step that the server reports are settled: several of them are asked for at once. Where the steps are many and the
    rows few, the steps of the rows are asked for first, and windows are cut by them.

    Whether all rows came is what `RowTally` and `SpanReader` are for. Rows that are handed out at once (``streams``) are
    made sure of first where there are fewer than there should be, or of every window where the server is known to leave
    out rows, or believed to (``doubts``); others when the scan is at its end, if then the server does not count as many
    rows as came. A window that rows were left out of is read again in smaller ones.

    Attributes:
        is_incomplete: rows were left out of a window that others were read beyond: the scan is to begin anew, now that
            the limits of the server are known.
    """

    def __init__(
        self,
        plan: ScanPlan,
        known: Known,
        reader: RowReader | None = None,
        limits: SampleLimits | None = None,
        *,
        streams: bool = False,
        doubts: bool = False,
    ) -> None:
        self.is_incomplete = False
        self._doubts = doubts
        self._plan = plan
        self._limits = limits or SampleLimits()
        self._spans = SpanReader(plan, reader or RowReader(), self._limits)
        self._tally = RowTally(plan, known.rows)
        self._streams = streams
        self._offset: int = plan.min_step
        self._covered: int = plan.min_step
        self._last_step = known.last_step
        self._line_count = known.line_count
        self._tally.note(RowCounts(known.line_count))
        self._rows_read = self._steps_read = 0
        self._mapped: deque[Span] = deque()
        self._has_map = False
        self._begun = False
        self._thinned_from: int | None = None
        self._done = False
        # The rows of a window that was read along with something else, until they are asked for.
        self._early: list[Batch] = []
        self._told_steps: Sequence[int] | None = None
        self._plans_by_keys = True
        # The steps of all rows of the run, where the server counts as many.
        self._all_steps: Batch | None = None
        self._last_of_all_steps = -1
        self._has_asked_steps = False

    @property
    def offset(self) -> int:
        """The step that the next window begins at."""
        return self._offset

    @property
    def found(self) -> int:
        """Rows that came, of the longest list where there are several."""
        return max(self._tally.found)

    def incomplete(self, reason: str) -> IncompleteHistoryError:
        """The error of a scan that rows were left out of."""
        return IncompleteHistoryError(self._plan.path, self.found, self._tally.expected, reason)

    def find_exports(self, *, with_rows: bool) -> Flow[ExportListing | None]:
        """Ask what the run's exports are; None when it has none. One request, along with the first window ``with_rows``
        or where windows are few.

        Sends nothing when one window is enough. An old server that does not know of exports costs one request more.
        """
        end = self._plan.max_step
        one_window = end is not None and end - self._offset <= self._size
        if self._begun or one_window or self._fits_one_answer():
            return None
        # Where windows are few, a request of its own would count for much; where they are many, rows that an export holds.
        are_few = self._steps_left() <= self._plan.max_concurrency * self._size
        try:
            if with_rows or are_few or self._line_count is None:
                self._early, listing = yield from self._read_open(with_exports=True)
            else:
                plan = self._plan
                listing = yield from list_exports(plan.entity, plan.project, plan.run, with_keys=True)
                if listing is not None:
                    self._tally.note(RowCounts.of(listing.line_count, listing.history_keys))
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

        Raises:
            IncompleteHistoryError: rows were left out of a window that was handed out.
        """
        if self._early:
            early, self._early = self._early, []
            return early
        while not self.is_incomplete:
            if self._mapped or not (self._done or self._offset == self._plan.max_step):
                batches = [batch for batch in (yield from self._next(ahead)) if batch.height]
                if batches and not self.is_incomplete:
                    return batches
            elif not (yield from self._grew()):
                break
        return None

    def _next(self, ahead: int | None) -> Flow[list[Batch]]:
        if not self._mapped and self._is_sparse() and not self._fits_one_answer():
            yield from self._map()
        spans = [*self._mapped][:ahead] if self._mapped else self._settled(ahead)
        if not spans:
            batches, _ = yield from self._read_open()
            return batches
        if self._streams:
            return (yield from self._stream_spans(spans))
        return (yield from self._read_spans(spans, with_end=ahead is None))

    # -- what is settled -----------------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        return self._spans.page_size

    def _settled(self, most: int | None) -> list[Span]:
        """The next windows whose end the run has passed; none where the next window is asked for without an end."""
        if self._last_step is None or (self._fits_one_answer() and self._thinned_from is None):
            return []
        is_counted = self._line_count is not None and not (self._plan.keys and not self._tally.counts.keys)
        if not self._begun and not is_counted and self._steps_left() > self._size:
            # The first answer tells how many rows there are, and in how many the keys are: often in few.
            return []
        if self._line_count is None:
            most = min(
                most or self._plan.max_concurrency, self._plan.max_concurrency if self._steps_read else 1
            )
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
        end, last = start + self._size, self._plan.max_step
        return end if last is None else min(end, last)

    def _leads_to_end(self, span: Span) -> bool:
        """Whether the window behind a settled one is the last, which has no end."""
        is_last = self._last_step is not None and span.stop + self._size > self._last_step
        return is_last and self._plan.max_step is None and self._thinned_from != span.stop

    def _stream_spans(self, spans: Sequence[Span]) -> Flow[list[Batch]]:
        """The rows of spans, up to one that rows were left out of."""
        if len(spans) == 1:
            results = [(yield from self._read_span(spans[0]))]
        else:
            flows = [self._read_span(span) for span in spans]
            results = yield from gather(flows, limit=self._plan.max_concurrency)
        batches: list[Batch] = []
        for span, pieces in zip(spans, results, strict=True):
            if self._mapped:
                self._mapped.popleft()
            for piece in pieces:
                if (yield from self._accept(piece)) is Verdict.LOST:
                    self._split(piece.outline, span.stop)
                    return batches
                batches.append(piece.batch)
            self._pass(span)
        queue = BatchQueue()
        queue.put(0, batches)
        return queue.take()

    def _read_spans(self, spans: Sequence[Span], *, with_end: bool) -> Flow[list[Batch]]:
        """The rows of spans, and of the window behind them where it is the last.

        Where one of them seems to lack rows, no further ones are begun.
        """
        queue = BatchQueue()
        results: dict[int, list[_Piece]] = {}
        ends: list[Window] = []
        doubts: list[int] = []

        def queued(place: int, span: Span) -> Flow[None]:
            if doubts:
                return
            pieces = yield from self._read_span(span)
            if any(self._seems_short(piece) for piece in pieces):
                doubts.append(place)
            queue.put(place, [piece.batch for piece in pieces])
            results[place] = [_Piece(piece.outline, RowBatch([]), piece.is_whole) for piece in pieces]

        def ended(start: int) -> Flow[None]:
            if not doubts:
                ends.append((yield from self._spans.read(start, None, with_keys=True)))

        flows = [queued(place, span) for place, span in enumerate(spans)]
        if with_end and not self._mapped and self._leads_to_end(spans[-1]):
            flows.append(ended(spans[-1].stop))
        if len(flows) == 1:
            yield from flows[0]
        else:
            yield from gather(flows, limit=self._plan.max_concurrency)
        read = next((place for place in range(len(spans)) if place not in results), len(spans))
        for place, span in enumerate(spans[:read]):
            for piece in results[place]:
                if (yield from self._accept(piece)) is Verdict.LOST:
                    self.is_incomplete = True
                    return []
            if self._mapped:
                self._mapped.popleft()
            self._pass(span)
        batches = queue.take()
        if ends and read == len(spans):
            batches += yield from self._take(ends[0], stop=None, is_open=True)
        return batches

    def _read_span(self, span: Span) -> Flow[list[_Piece]]:
        """The rows of a span; in halves when there are more than one response holds, or fewer than there should be."""
        start, stop, told = span.start, span.stop, span.steps
        window = yield from self._spans.read(start, stop, with_steps=self._asks_steps())
        self._note_steps(window)
        outline = window.outline
        is_short = self._plan.keys is None and window.batch.height < len(told or ())
        is_full = stop - start > self._size and not is_far_below(outline.most, outline.samples)
        if stop - start == 1 or not (is_short or is_full):
            is_mapped = told is not None and all(height == len(told) for height in outline.heights)
            is_whole = is_mapped or self._spans.is_whole(outline, self._last_step)
            return [_Piece(outline, window.batch, is_whole)]
        if is_short and is_far_below(outline.most, outline.samples):
            self._limits.note_downsampled(self._spans.field, outline.most)
        middle = told[len(told) // 2] if told is not None and len(told) > 1 else 0
        if not start < middle < stop:
            middle = (start + stop) // 2
        first = yield from self._read_span(span.within(start, middle))
        return first + (yield from self._read_span(span.within(middle, stop)))

    def _pass(self, span: Span) -> None:
        """Go on behind a span whose rows were taken."""
        self._begun = True
        self._offset = self._covered = span.stop

    def _split(self, outline: Outline, stop: int) -> None:
        """Go on at a window that rows were left out of, and up to a step in smaller ones."""
        self._begun = True
        self._offset = self._covered = start = outline.start
        end = stop if outline.stop is None else min(stop, outline.stop)
        if end - start <= WIDE * self._size:
            width = min(self._size, (end - start + 1) // 2)
            borders = [*range(start, end, width), end]
        else:
            middle = outline.middle if start < outline.middle < end else (start + end) // 2
            borders = [start, middle, end]
        borders += [stop] if end < stop else []
        self._mapped.extendleft(Span(low, high) for low, high in reversed([*pairwise(borders)]))

    # -- whether all rows came -----------------------------------------------------------------------------------

    def _seems_short(self, piece: _Piece) -> bool:
        if piece.is_whole:
            return False
        if self._doubts or self._limits.downsamples(self._spans.field):
            return True
        return self._tally.has_lost(piece.outline, self._steps_from(self._plan.min_step))

    def _accept(self, piece: _Piece) -> Flow[Verdict]:
        """Count the rows of a window that follows the last one, unless rows were left out of it."""
        outline = piece.outline
        is_whole = (
            piece.is_whole or self._spans.is_whole(outline, self._last_step) or self._has_each_row(outline)
        )
        # With all rows of the run there are none left to come: if any do, the window is looked at again in the end.
        is_last = (
            not self._doubts
            and not self._plan.wants_every_step
            and self._tally.is_complete_with(outline.heights)
        )
        if not is_whole and not is_last:
            is_short = self._seems_short(piece) or (
                self._streams and self._tally.has_too_few(outline, self._steps_from(outline.start))
            )
            if is_short:
                verdict = yield from self._spans.check(outline, self._last_step)
                if verdict is not Verdict.LOST:
                    self._count(outline, is_whole=True)
                return verdict
        self._count(outline, is_whole=is_whole)
        return Verdict.WHOLE

    def _count(self, outline: Outline, *, is_whole: bool) -> None:
        self._tally.add(outline, is_whole=is_whole)
        self._rows_read += outline.most
        if outline.stop is not None:
            self._steps_read += outline.stop - outline.start

    def _grew(self) -> Flow[bool]:
        """At the end, look again at the windows that are in doubt, unless the server counts as many rows as came.

        Whether there are rows behind the last window, which the scan then goes on with.
        """
        doubtful, self._tally.doubtful = self._tally.doubtful, []
        if self._tally.is_complete:
            return False
        for outline in doubtful:
            verdict = yield from self._spans.check(outline, self._last_step)
            if verdict is Verdict.LOST:
                self._give_up()
                return False
            if verdict is Verdict.GREW:
                self._offset, self._done = outline.last + 1, False
        if self._tally.misses_all:
            again = yield from self._spans.read(self._plan.min_step, None)
            if again.outline.most:
                self._give_up()
        return not self._done and self._offset != self._plan.max_step

    def _give_up(self) -> None:
        if self._streams:
            raise self.incomplete("the server left out rows of a window that was handed out")
        self.is_incomplete = True

    def _steps_from(self, start: int) -> int | None:
        """Steps from one on, up to the last one that the server reports and the scan wants."""
        if self._last_step is None:
            return None
        end = self._last_step + 1
        return (end if self._plan.max_step is None else min(end, self._plan.max_step)) - start

    # -- where rows are few --------------------------------------------------------------------------------------

    def _expected_rows(self) -> int | None:
        """How many rows the scan may bring at most, as far as is known."""
        if self._line_count is None and self._steps_read:
            # Where the server does not count, what was read so far is all there is to guess from.
            return self._rows_read * self._steps_left() // self._steps_read
        keys = [key for key in self._plan.keys or () if key != "_step"]
        counts = [self._tally.counts.of_rows_with((key,)) for key in keys]
        totals = [count[-1] for count in counts if count]
        if not totals or len(totals) < len(keys) or not self._plans_by_keys:
            return self._line_count
        most = min(totals) if self._plan.match == "all" else sum(totals)
        return most if self._line_count is None else min(most, self._line_count)

    def _fits_one_answer(self) -> bool:
        expected = self._expected_rows()
        has_few_rows = expected is not None and expected <= self._size
        return has_few_rows and (not self._begun or self._is_sparse()) and self._thinned_from is None

    def _steps_left(self) -> int:
        return max(0, self._steps_from(self._offset) or 0)

    def _is_sparse(self) -> bool:
        """Whether windows by steps would be more than twice those that the rows need."""
        expected, size = self._expected_rows(), self._size
        if expected is None or self._has_map:
            return False
        return self._steps_left() // size > 2 * (expected // self._rows_of_map + 1) + 2

    @property
    def _rows_of_map(self) -> int:
        """Rows that a window cut by a map may hold: a spec's maxStep is inclusive, so the row of the border comes, too."""
        return self._size if self._plan.keys is None else max(1, self._size - 1)

    def _map(self) -> Flow[None]:
        """Ask for the steps of the rows that are left, and cut windows of ``page_size`` rows."""
        stop = self._offset + self._steps_left()
        if self._told_steps is None:
            whole = self._plan.wants_every_step or (self._line_count or MOST_STEPS) < MOST_STEPS
            found = yield from map_steps(self._plan, self._offset, stop, self._limits, whole=whole)
        else:
            found = StepMap(sorted({step for step in self._told_steps if self._offset <= step < stop}))
        self._has_map = True
        steps = found.steps
        size = max(1, int(self._rows_of_map / found.rows_a_step))
        borders = [self._offset, *steps[size::size], stop]
        if size == self._size == 1 and self._plan.keys is not None:
            # A span of a single step holds no row of its border.
            borders = sorted({*borders, *(step + 1 for step in steps)})
        told = steps if found.is_whole else None
        self._mapped.extend(Span(low, high, _between(told, low, high)) for low, high in pairwise(borders))

    # -- where the end is not known ------------------------------------------------------------------------------

    def _read_open(self, *, with_exports: bool = False) -> Flow[tuple[list[Batch], ExportListing | None]]:
        plan, start = self._plan, self._offset
        end = start + self._size
        is_last = self._last_step is None or end > self._last_step
        is_open = self._is_open(is_last=is_last) and (plan.max_step is None or end < plan.max_step)
        stop = plan.max_step if is_open or (plan.max_step is not None and end > plan.max_step) else end
        with_keys = is_last or with_exports or (plan.keys is not None and (is_open or not self._begun))
        window = yield from self._spans.read(
            start,
            stop,
            with_keys=with_keys,
            with_exports=with_exports,
            with_steps=self._asks_steps(),
        )
        self._note_steps(window)
        return (yield from self._take(window, stop=stop, is_open=is_open)), window.exports

    def _take(self, window: Window, *, stop: int | None, is_open: bool) -> Flow[list[Batch]]:
        """The rows of the window at the offset, and what it tells of how the scan goes on."""
        outline = window.outline
        end = self._offset + self._size if is_open or stop is None else stop
        self._begun = True
        self._learn(window)
        verdict = Verdict.WHOLE
        if is_open and not self._has_each_row(outline):
            verdict = yield from self._look_at_open(outline)
            if verdict is Verdict.LOST:
                # Its rows show how far the run goes, and are read again in windows that come whole.
                self._last_step = max(self._last_step or 0, outline.last)
                self._offset = self._thinned_from = min(outline.first, self._covered)
                self._has_map = False
                # More rows came than the keys are said to be in: some hold a null there.
                self._plans_by_keys &= outline.most <= (self._expected_rows() or 0)
                return []
        # Beyond the last step that was told, rows may arrive inside a window after it was read.
        beyond = self._last_step is None or end > self._last_step
        is_done = is_open or stop == self._plan.max_step
        if is_open:
            self._count(outline, is_whole=True)
        else:
            if beyond and not is_done:
                # The next window begins behind the last row.
                outline = replace(outline, stop=min(end, max(outline.last, outline.start) + 1))
            verdict = yield from self._accept(_Piece(outline, window.batch, is_whole=False))
            if verdict is Verdict.LOST:
                self._split(outline, min(end, max(outline.last, self._last_step or 0) + 1))
                return []
        self._offset, self._covered = min(outline.last + 1, end) if beyond else end, end
        self._done = is_done
        if verdict is Verdict.GREW:
            self._offset, self._done = outline.last + 1, False
        return [window.batch]

    def _asks_steps(self) -> bool:
        """Whether the steps of all rows go along with a window, once, to see by them that none is missing.

        What the server counts of a whole run does not say how many rows are in a part of it.
        """
        if self._begun or self._has_asked_steps or self._plan.wants_every_step or self._spans.knows_server:
            return False
        self._has_asked_steps = True
        return True

    def _note_steps(self, window: Window) -> None:
        if window.steps is not None and window.steps.height == window.counts.lines:
            self._all_steps = window.steps
            extent = window.steps.extent()
            self._last_of_all_steps = -1 if extent is None else extent[1]

    def _has_each_row(self, outline: Outline) -> bool:
        # What lies behind the last of these steps was logged since they came.
        if self._all_steps is None or outline.last > self._last_of_all_steps:
            return False
        rows = self._all_steps.between(outline.start, outline.stop).height
        return all(height == rows for height in outline.heights)

    def _look_at_open(self, outline: Outline) -> Flow[Verdict]:
        """Whether a window without an end brought all rows; where it is full, it is taken not to have."""
        if outline.most >= outline.samples:
            return Verdict.LOST
        if self._tally.is_complete_with(outline.heights):
            return Verdict.WHOLE
        return (yield from self._spans.check(outline, self._last_step))

    def _is_open(self, *, is_last: bool) -> bool:
        if self._thinned_from == self._offset:
            return False
        if self._fits_one_answer():
            return True
        if not self._begun:
            return is_last and (self._last_step is not None or self._line_count is None)
        return is_last

    def _learn(self, window: Window) -> None:
        if window.last_step is not None:
            self._last_step = max(window.last_step, self._last_step or 0)
        if window.counts.lines is not None:
            self._line_count = max(window.counts.lines, self._line_count or 0)
        self._tally.note(window.counts)


def _between(steps: Sequence[int] | None, start: int, stop: int) -> Sequence[int] | None:
    return None if steps is None else steps[bisect_left(steps, start) : bisect_left(steps, stop)]
