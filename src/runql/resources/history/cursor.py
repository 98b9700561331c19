"""The position of a scan: it reads the next windows, and makes sure that no rows are missing from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runql.errors import IncompleteHistoryError, OutdatedServerError
from runql.frames.batch_queue import BatchQueue
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.planner import WindowPlanner
from runql.resources.history.progress import ScanProgress
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.row_report import RowReport
from runql.resources.history.span_reader import SpanReader, Verdict
from runql.resources.history.step_map import Span, StepMap, map_steps
from runql.resources.history.window import Outline, Window
from runql.resources.history.window_size import WindowSize
from runql.transport.flow import Flow, gather
from runql.transport.sample_limits import SampleLimits, is_far_below

SAMPLE: Final = 25
"""Steps of a window that is only meant to show how wide the rows are."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A window of a span, and whether it is certain that no row is missing from it."""

    outline: Outline
    batch: Batch
    is_whole: bool


class ScanCursor:
    """Reads a scan window by window, and makes sure that no rows are missing.

    `WindowPlanner` chooses the windows, `ScanProgress` knows how far the scan has come, `SpanReader` sends the requests.
    A window that rows are missing from is read again in smaller ones.

    Attributes:
        is_incomplete: rows are missing from a window that others were read behind. The scan has to begin again; by now
            the `SampleLimits` know the limits of the server.
    """

    def __init__(
        self,
        plan: ScanPlan,
        hints: HistoryHints,
        reader: RowReader | None = None,
        limits: SampleLimits | None = None,
        *,
        streams: bool = False,
        doubts: bool = False,
        report: RowReport | None = None,
    ) -> None:
        """Begin before the first row.

        Args:
            plan: what to read.
            hints: what is known of the run.
            reader: turns JSON into rows; by default dicts.
            limits: what is known of the server, and what this scan learns of it.
            streams: the caller hands out each window at once, so a window with few rows is checked before the next.
            doubts: check every window; for servers that are known to leave out rows, or suspected.
            report: counts the rows as they arrive.
        """
        self.is_incomplete: bool = False
        self._plan = plan
        self._limits = limits or SampleLimits()
        self._streams = streams
        self._doubts = doubts
        self._report = report
        self._size = WindowSize(plan)
        self._reader = SpanReader(plan, reader or RowReader(), self._limits, self._size)
        self._progress = ScanProgress(plan, hints)
        self._planner = WindowPlanner(plan, self._progress, self._limits, self._size)
        # Spans that were cut already: by the steps of the rows, or because rows were missing.
        self._cut: deque[Span] = deque()
        self._map_of_rest: StepMap | None = None
        # Rows that arrived together with the list of exports.
        self._early: list[Batch] = []
        self._live_steps: Sequence[int] | None = None
        self._has_asked_steps = False

    @property
    def offset(self) -> int:
        """The step that the next window begins at."""
        return self._progress.offset

    @property
    def found(self) -> int:
        """Rows that arrived; of the longest list where there are several."""
        return max(self._progress.tally.found)

    def find_exports(self, *, with_rows: bool) -> Flow[ExportListing | None]:
        """Return the run's exports; None where it has none, or one window is enough.

        Sends one request, and none where one window is enough. ``with_rows``, or where windows are few, the request
        brings the first window too; where their size is open, some rows. A server that does not know exports costs one
        more request.
        """
        progress, planner = self._progress, self._planner
        if progress.has_begun or planner.is_one_window:
            return None
        try:
            if with_rows or planner.has_few_windows or progress.line_count is None:
                self._early, listing = yield from self._read_next(with_exports=True)
            elif self._size.is_open:
                self._early, listing = yield from self._read_next(with_exports=True, steps=SAMPLE)
            else:
                # Exports may hold all rows, so none are requested with their list.
                listing = yield from list_exports(self._plan.run, with_keys=True)
                if listing is not None:
                    progress.tally.note(RowCounts.of(listing.line_count, listing.history_keys))
        except OutdatedServerError:
            return None
        if listing is not None and listing.urls and not progress.is_done:
            return listing
        self._count_all(self._early)
        if listing is None or progress.is_done:
            return None
        # Nothing is exported: the response has the steps of all rows.
        if (
            planner.is_sparse
            and progress.line_count is not None
            and listing.live_count >= progress.line_count
        ):
            self._live_steps = listing.live_steps
        return None

    def early_batches(self) -> list[Batch]:
        """The rows that arrived together with the list of exports."""
        early, self._early = self._early, []
        return early

    def next_batches(self, ahead: int | None = 1) -> Flow[list[Batch] | None]:
        """Return the rows of the next windows that hold any, in step order; None at the end.

        Sends one request a window. Reads ``ahead`` windows, or all that are settled when None.

        Raises:
            IncompleteHistoryError: rows are missing from a window that was handed out.
        """
        if self._early:
            early, self._early = self._early, []
            return early
        while not self.is_incomplete:
            if self._cut or not self._progress.is_at_end:
                batches = [batch for batch in (yield from self._next(ahead)) if batch.height]
                if batches and not self.is_incomplete:
                    return batches
            elif not (yield from self._resumes()):
                break
        return None

    def _next(self, ahead: int | None) -> Flow[list[Batch]]:
        self._fit()
        if not self._cut and self._planner.is_sparse and not self._planner.fits_one_response:
            yield from self._map()
        if self._size.is_open and len(self._cut) > self._plan.max_concurrency:
            ahead = 1
        spans = [*self._cut][:ahead] if self._cut else self._planner.settled(ahead)
        if not spans:
            batches, _ = yield from self._read_next()
            return batches
        if self._streams:
            return (yield from self._stream_spans(spans))
        return (yield from self._read_spans(spans, with_end=ahead is None))

    def _map(self) -> Flow[None]:
        """Request the steps of the rows that are left, and cut spans of ``page_size`` rows."""
        progress, planner = self._progress, self._planner
        start, stop = progress.offset, progress.offset + progress.steps_left
        if self._live_steps is None:
            whole = planner.maps_whole_run
            found = yield from map_steps(self._plan, start, stop, self._limits, whole=whole)
        else:
            found = StepMap.of(self._live_steps, start, stop)
        progress.has_map = True
        self._cut.extend(found.spans(start, stop, planner.rows_a_span, apart=planner.cuts_each_step))
        self._map_of_rest = found if self._size.is_open else None

    def _fit(self) -> None:
        """Choose the size of the windows that follow, and cut what is left by it."""
        progress, found = self._progress, self._map_of_rest
        if found is None or not self._cut:
            left = progress.steps_left
            if self._planner.is_sparse:
                left = progress.expected_rows or left
            if not self._cut:
                self._size.fit(left)
        elif not self._size.is_open:
            start, stop = self._cut[0].start, self._cut[-1].stop
            self._size.fit(found.rows_from(start))
            self._cut = deque(found.spans(start, stop, self._planner.rows_a_span))
            self._map_of_rest = None

    # -- settled windows -----------------------------------------------------------------------------------------

    def _stream_spans(self, spans: Sequence[Span]) -> Flow[list[Batch]]:
        """Read spans; return their rows, up to one that rows are missing from."""
        if len(spans) == 1:
            results = [(yield from self._read_span(spans[0]))]
        else:
            flows = [self._read_span(span) for span in spans]
            results = yield from gather(flows, limit=self._size.at_once)
        batches: list[Batch] = []
        for span, pieces in zip(spans, results, strict=True):
            if self._cut:
                self._cut.popleft()
            for piece in pieces:
                if (yield from self._accept(piece)) is Verdict.INCOMPLETE:
                    self._split(piece.outline, span.stop)
                    return batches
                batches.append(piece.batch)
            self._progress.pass_to(span.stop)
        queue = BatchQueue()
        queue.put(0, batches)
        return queue.take()

    def _read_spans(self, spans: Sequence[Span], *, with_end: bool) -> Flow[list[Batch]]:
        """Read spans, and the window behind them where it is the last.

        Once one of them seems to lack rows, no further request is sent.
        """
        queue = BatchQueue()
        results: dict[int, list[_Piece]] = {}
        ends: list[Window] = []
        short: list[int] = []

        def read(place: int, span: Span) -> Flow[None]:
            if short:
                return
            pieces = yield from self._read_span(span)
            if any(self._seems_short(piece) for piece in pieces):
                short.append(place)
            queue.put(place, [piece.batch for piece in pieces])
            results[place] = [_Piece(piece.outline, RowBatch([]), piece.is_whole) for piece in pieces]

        def read_end(start: int) -> Flow[None]:
            if not short:
                ends.append((yield from self._reader.read(start, None, with_keys=True)))

        flows = [read(place, span) for place, span in enumerate(spans)]
        if with_end and not self._cut and self._planner.leads_to_end(spans[-1]):
            flows.append(read_end(spans[-1].stop))
        if len(flows) == 1:
            yield from flows[0]
        else:
            yield from gather(flows, limit=self._size.at_once)
        count = next((place for place in range(len(spans)) if place not in results), len(spans))
        for place, span in enumerate(spans[:count]):
            for piece in results[place]:
                if (yield from self._accept(piece)) is Verdict.INCOMPLETE:
                    self.is_incomplete = True
                    return []
            if self._cut:
                self._cut.popleft()
            self._progress.pass_to(span.stop)
        batches = queue.take()
        if ends and count == len(spans):
            last = yield from self._take(ends[0], stop=None, is_open=True)
            self._count_all(last)
            batches += last
        return batches

    def _read_span(self, span: Span) -> Flow[list[_Piece]]:
        """Read a span; in halves where it has more rows than one response holds, or fewer arrive than it has."""
        steps, width = span.steps, span.stop - span.start
        window = yield from self._reader.read(span.start, span.stop, with_steps=self._asks_steps())
        self._progress.tally.note_steps(window)
        self._learn(window)
        outline = window.outline
        is_short = self._plan.keys is None and window.batch.height < len(steps or ())
        is_full = width > self._planner.page_size and not is_far_below(outline.most, outline.samples)
        if width == 1 or not (is_short or is_full):
            is_as_mapped = steps is not None and all(height == len(steps) for height in outline.heights)
            is_whole = is_as_mapped or self._reader.is_whole(outline, self._progress.last_step)
            self._count(window.batch)
            return [_Piece(outline, window.batch, is_whole)]
        if is_short and is_far_below(outline.most, outline.samples):
            self._limits.note_downsampled(self._reader.field, outline.most)
        low, high = span.halves()
        first = yield from self._read_span(low)
        return first + (yield from self._read_span(high))

    def _split(self, outline: Outline, stop: int) -> None:
        """Go back to a window that rows are missing from, and read up to ``stop`` in smaller ones."""
        self._progress.pass_to(outline.start)
        self._cut.extendleft(reversed(self._planner.split(outline, stop)))

    # -- whether all rows arrived --------------------------------------------------------------------------------

    def _seems_short(self, piece: _Piece) -> bool:
        if piece.is_whole:
            return False
        if self._doubts or self._limits.downsamples(self._reader.field):
            return True
        return self._progress.tally.lacks_rows(piece.outline, self._progress.all_steps)

    def _accept(self, piece: _Piece) -> Flow[Verdict]:
        """Count the rows of a window that follows the last one, unless rows are missing from it."""
        outline, progress = piece.outline, self._progress
        is_whole = (
            piece.is_whole
            or self._reader.is_whole(outline, progress.last_step)
            or progress.tally.has_each_row(outline)
        )
        # With these, all rows of the run have arrived. If others follow, the window is checked at the end.
        is_last = (
            not self._doubts
            and not self._plan.wants_every_step
            and progress.tally.is_complete_with(outline.heights)
        )
        if not is_whole and not is_last:
            is_short = self._seems_short(piece) or (
                self._streams and progress.tally.has_too_few(outline, progress.steps_from(outline.start))
            )
            if is_short:
                verdict = yield from self._reader.check(outline, progress.last_step)
                if verdict is not Verdict.INCOMPLETE:
                    progress.count(outline, is_whole=True)
                return verdict
        progress.count(outline, is_whole=is_whole)
        return Verdict.COMPLETE

    def _check_open(self, outline: Outline) -> Flow[Verdict]:
        """Find out whether a window without an end brought all rows; a full one is taken not to have."""
        if outline.most >= outline.samples:
            return Verdict.INCOMPLETE
        if self._progress.tally.is_complete_with(outline.heights):
            return Verdict.COMPLETE
        return (yield from self._reader.check(outline, self._progress.last_step))

    def _resumes(self) -> Flow[bool]:
        """At the end, check the doubtful windows, unless as many rows arrived as the server counts.

        Returns:
            Whether rows follow behind the last window.
        """
        progress, tally = self._progress, self._progress.tally
        doubtful, tally.doubtful = tally.doubtful, []
        if tally.is_complete:
            return False
        for outline in doubtful:
            verdict = yield from self._reader.check(outline, progress.last_step)
            if verdict is Verdict.INCOMPLETE:
                self._give_up()
                return False
            if verdict is Verdict.GREW:
                progress.resume_behind(outline)
        if tally.misses_all:
            again = yield from self._reader.read(self._plan.min_step, None)
            if again.outline.most:
                self._give_up()
        return not progress.is_at_end

    def _give_up(self) -> None:
        if self._streams:
            reason = "the server left out rows of a window that was handed out"
            raise IncompleteHistoryError(self._plan.path, self.found, self._progress.tally.expected, reason)
        self.is_incomplete = True

    def _asks_steps(self) -> bool:
        """Whether to request the steps of all rows along with a window; once, for a server that is new to us.

        The server counts the rows of the whole run, not those of a range.
        """
        is_pointless = self._plan.wants_every_step or self._reader.knows_server
        if self._progress.has_begun or self._has_asked_steps or is_pointless:
            return False
        self._has_asked_steps = True
        return True

    # -- the window at the offset, where the end may be near -----------------------------------------------------

    def _read_next(
        self, *, with_exports: bool = False, steps: int | None = None
    ) -> Flow[tuple[list[Batch], ExportListing | None]]:
        planned = self._planner.next_window(steps)
        window = yield from self._reader.read(
            planned.start,
            planned.stop,
            with_keys=planned.with_keys or with_exports,
            with_exports=with_exports,
            with_steps=self._asks_steps(),
        )
        self._progress.tally.note_steps(window)
        batches = yield from self._take(window, stop=planned.stop, is_open=planned.is_open)
        if not with_exports:
            # Rows that come along with a list of exports may come from these.
            self._count_all(batches)
        return batches, window.exports

    def _take(self, window: Window, *, stop: int | None, is_open: bool) -> Flow[list[Batch]]:
        """Return the rows of the window at the offset, and go on behind it."""
        outline, progress = window.outline, self._progress
        end = progress.offset + self._planner.page_size if is_open or stop is None else stop
        progress.learn(window)
        self._learn(window)
        verdict = Verdict.COMPLETE
        if is_open and not progress.tally.has_each_row(outline):
            verdict = yield from self._check_open(outline)
            if verdict is Verdict.INCOMPLETE:
                # The rows are read again, in windows that arrive whole.
                progress.rewind(outline)
                return []
        is_last = is_open or stop == self._plan.max_step
        if is_open:
            progress.count(outline, is_whole=True)
        else:
            if progress.is_beyond(end) and not is_last:
                # The next window begins behind the last row.
                outline = replace(outline, stop=min(end, max(outline.last, outline.start) + 1))
            verdict = yield from self._accept(_Piece(outline, window.batch, is_whole=False))
            if verdict is Verdict.INCOMPLETE:
                self._split(outline, min(end, max(outline.last, progress.last_step or 0) + 1))
                return []
        progress.advance(outline, end, is_last=is_last)
        if verdict is Verdict.GREW:
            progress.resume_behind(outline)
        return [window.batch]

    def _learn(self, window: Window) -> None:
        """Note how wide the rows are."""
        keys = self._progress.tally.counts.keys if self._plan.keys is None else self._plan.columns
        self._size.learn(window.outline.most, window.size, len(keys))

    def _count_all(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._count(batch)

    def _count(self, batch: Batch) -> None:
        if self._report is not None:
            # The server counts the rows of the whole run.
            expected = self._progress.expected_rows if self._plan.wants_every_step else None
            self._report.add(batch.height, expected)
