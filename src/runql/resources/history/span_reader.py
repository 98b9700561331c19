"""Reads ranges of steps, asks for less where a server refuses, and finds out whether rows were left out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from runql.errors import (
    IncompleteHistoryError,
    InvalidAnswerError,
    OutdatedServerError,
    QueryError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.frames.row_readers import RowReader
from runql.resources.history.plan import ScanPlan
from runql.resources.history.window import Outline, Window, read_window
from runql.transport.flow import Flow, gather
from runql.transport.sample_limits import (
    USUAL_SAMPLES,
    RowsField,
    SampleLimits,
    is_far_below,
    least_conclusive_bound,
)

REFUSALS = (QueryError, ServerFailureError, RequestTimedOutError, InvalidAnswerError, IncompleteHistoryError)
"""What a request for too many rows may come to."""


class Verdict(Enum):
    """What came of reading a window again."""

    WHOLE = auto()
    LOST = auto()
    GREW = auto()
    """Nothing was left out, but there are rows behind the last one that came."""


class SpanReader:
    """Reads the rows of ranges of steps.

    A server downsamples a list that would hold more rows than ``samples``, or than a cap of its own, and says neither.
    A list is whole for certain when it has a row at each step of its range, or far fewer rows than a list that came
    before. Otherwise reading the range in other pieces shows it: pieces of a downsampled list have more rows than it.
    """

    def __init__(self, plan: ScanPlan, reader: RowReader, limits: SampleLimits) -> None:
        self._plan = plan
        self._reader = reader
        self._limits = limits
        self.field: RowsField = "history" if plan.keys is None else "sampledHistory"

    @property
    def page_size(self) -> int:
        """Steps, or rows where they are few, that a request covers."""
        return self._limits.rows(self.field, self._plan.page_size)

    def read(
        self,
        start: int,
        stop: int | None,
        *,
        samples: int | None = None,
        with_keys: bool = False,
        with_exports: bool = False,
        with_steps: bool = False,
    ) -> Flow[Window]:
        """The rows of ``start <= step < stop``; one request, or more where the server refuses so many samples.

        Twice the rows that are due are asked for where the range has an end: a server that keeps ``samples`` only
        roughly sends all of them. Without an end all of these may come, so no more are asked for than show that a page
        of rows is not a downsampled list.
        """
        page = self.page_size
        if samples is None:
            wanted = least_conclusive_bound(page) if stop is None else 2 * min(page, max(1, stop - start)) + 2
            samples = self._limits.samples(self.field, wanted)
        refusal: RunqlError | None = None
        while True:
            is_unusual = samples > USUAL_SAMPLES > self._limits.longest_list(self.field)
            try:
                window = yield from read_window(
                    self._plan,
                    start,
                    stop,
                    self._reader,
                    samples=samples,
                    with_keys=with_keys,
                    with_exports=with_exports,
                    with_steps=with_steps,
                    fail_fast=is_unusual,
                )
            except REFUSALS as error:
                refusal = refusal or error
                if samples // 2 < self._limits.least or not may_be_too_much(error):
                    if refusal is error:
                        raise
                    raise refusal from None
                samples //= 2
                continue
            if refusal is not None:
                self._limits.note_refused(self.field, samples)
            self._limits.note_list(self.field, window.outline.most)
            if window.steps is not None:
                self._limits.note_list("sampledHistory", window.steps.height)
            return window

    @property
    def knows_server(self) -> bool:
        """Whether the server has sent lists that are much longer than a page."""
        return is_far_below(self.page_size, self._limits.longest_list(self.field))

    def is_whole(self, outline: Outline, last_step: int | None = None) -> bool:
        """Whether no row can have been left out of a window, as far as can be told without another request.

        ``last_step`` is the highest step that the server reports: beyond it, none is missed in a window.
        """
        ends = [outline.stop, None if last_step is None else last_step + 1]
        end = min((end for end in ends if end is not None), default=None)
        return outline.is_whole(end, min(outline.samples, self._limits.longest_list(self.field)))

    def check(self, outline: Outline, last_step: int | None = None) -> Flow[Verdict]:
        """Find out whether rows were left out of a window; one request or two, none where it is certain.

        A window behind which there are rows is read together with the next one. Where that does not tell, it is read in two
        parts with half of its rows each: a list that was downsampled has fewer rows than its halves.

        Args:
            outline: of the window.
            last_step: the highest step that the server reports.
        """
        if self.is_whole(outline, last_step):
            return Verdict.WHOLE
        start, stop = outline.start, outline.stop
        if stop is not None and stop - start <= self.page_size and stop <= (last_step or 0):
            inside = (yield from self.read(start, 2 * stop - start)).heights_before(stop)
            if _has_more(inside, outline.heights):
                return self._lost(outline)
            if inside == outline.heights and self.is_whole(outline):
                return Verdict.WHOLE
        if stop == start + 1:
            # Rows of a single step cannot be read apart.
            return Verdict.WHOLE
        middle = outline.middle
        if not start < middle < (stop or middle + 1):
            middle = start + 1 if stop is None else (start + stop) // 2
        low, high = yield from gather([self.read(start, middle), self.read(middle, stop)], limit=2)
        # Where rows may have been logged meanwhile, those behind the last one are another matter.
        is_settled = stop is not None and last_step is not None and stop <= last_step + 1
        seen = stop if stop is not None and is_settled else outline.last + 1
        before = high.heights_before(seen)
        total = [one + other for one, other in zip(low.outline.heights, before, strict=True)]
        if _has_more(total, outline.heights):
            return self._lost(outline)
        if not _has_more(high.outline.heights, before):
            return Verdict.WHOLE
        # They may have made the second part one that is downsampled.
        return Verdict.GREW if self.is_whole(high.outline) else Verdict.LOST

    def _lost(self, outline: Outline) -> Verdict:
        # A list without an end may have been longer than was asked for.
        if outline.stop is not None or is_far_below(outline.most, outline.samples):
            self._limits.note_downsampled(self.field, outline.most)
        return Verdict.LOST


def may_be_too_much(error: RunqlError) -> bool:
    """Whether a request for fewer rows may be answered where this one was not."""
    if isinstance(error, InvalidAnswerError):
        return 400 <= error.status < 500
    return isinstance(error, REFUSALS) and not isinstance(error, OutdatedServerError)


def _has_more(now: Sequence[int], before: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(now, before, strict=True))
