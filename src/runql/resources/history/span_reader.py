"""Reads spans of steps, requests less where the server refuses, and finds out whether rows are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

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
from runql.limits import ResponseTooLargeError
from runql.resources.history.plan import ScanPlan
from runql.resources.history.window import Outline, Window, read_window, shares_steps
from runql.resources.history.window_size import WindowSize
from runql.transport.flow import Flow, gather
from runql.transport.sample_limits import (
    USUAL_SAMPLES,
    RowsField,
    SampleLimits,
    is_far_below,
    least_conclusive_bound,
)

REFUSALS = (
    *(QueryError, ServerFailureError, RequestTimedOutError, InvalidAnswerError, IncompleteHistoryError),
    ResponseTooLargeError,
)
"""The errors that a request for too many rows may end in."""

MOST_TRIES: Final = 3
"""How often a window is read whole whose rows share steps; between two requests, rows may be logged."""


class Verdict(Enum):
    """The result of reading a window again."""

    COMPLETE = auto()
    INCOMPLETE = auto()
    GREW = auto()
    """No row is missing, but rows follow behind the last one that arrived."""


class SpanReader:
    """Reads the rows of spans of steps.

    A server downsamples a list that would hold more rows than ``samples``, or more than a cap of its own, and reports
    neither. A list is certain to be whole where it has a row at each step of its span, or far fewer rows than an
    earlier list. Otherwise `check` reads the span in other pieces: those of a downsampled list hold more rows than it.
    """

    def __init__(
        self, plan: ScanPlan, reader: RowReader, limits: SampleLimits, size: WindowSize | None = None
    ) -> None:
        self._plan = plan
        self._size = size or WindowSize(plan)
        self._reader = reader
        self._limits = limits
        self.field: RowsField = plan.rows_field

    @property
    def page_size(self) -> int:
        """Steps that a request covers; rows, where they are few."""
        return self._limits.rows(self.field, self._size.rows)

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
        """Read the rows of ``start <= step < stop``; one request, or more where the server refuses so many samples.

        Where the span has an end, it requests twice the rows that are due: a server that keeps ``samples`` only roughly
        then still returns all of them. Without an end all samples may arrive, so it requests just enough to see
        that a page of rows is not a downsampled list.
        """
        page = self.page_size
        if samples is None:
            due = least_conclusive_bound(page) if stop is None else 2 * min(page, max(1, stop - start)) + 2
            samples = self._limits.samples(self.field, due)
        refusal: RunqlError | None = None
        while True:
            is_unusual = samples > USUAL_SAMPLES > self._limits.longest_list(self.field)
            try:
                window = yield from self._read_window(
                    start,
                    stop,
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

    def _read_window(
        self,
        start: int,
        stop: int | None,
        *,
        samples: int,
        with_keys: bool,
        with_exports: bool,
        with_steps: bool,
        fail_fast: bool,
    ) -> Flow[Window]:
        """Request a window. Rows that share a step come whole, by one more request: keys do not tell them apart."""
        plan = self._plan
        lines = None
        for _ in range(MOST_TRIES):
            window = yield from read_window(
                plan,
                start,
                stop,
                self._reader,
                samples=samples,
                with_keys=with_keys,
                with_exports=with_exports,
                with_steps=with_steps,
                fail_fast=fail_fast,
            )
            if not shares_steps(plan, window.lists):
                return window
            lines = window.counts.lines
            whole = yield from read_window(
                plan.whole, start, stop, self._reader, samples=samples, fail_fast=fail_fast
            )
            if whole.outline.heights[0] == window.outline.heights[-1]:
                return replace(window, batch=whole.batch)
        reason = "the server returned other numbers of whole rows than of their steps"
        raise IncompleteHistoryError(plan.path, 0, lines, reason)

    @property
    def knows_server(self) -> bool:
        """Whether the server has returned lists that are much longer than a page."""
        return is_far_below(self.page_size, self._limits.longest_list(self.field))

    def is_whole(self, outline: Outline, last_step: int | None = None) -> bool:
        """Whether it is certain, without another request, that no row is missing from a window.

        No row is missing beyond ``last_step``, the highest step that the server reports.
        """
        ends = [outline.stop, None if last_step is None else last_step + 1]
        end = min((end for end in ends if end is not None), default=None)
        return outline.is_whole(end, min(outline.samples, self._limits.longest_list(self.field)))

    def check(self, outline: Outline, last_step: int | None = None) -> Flow[Verdict]:
        """Find out whether rows are missing from a window; one request or two, none where it is certain.

        A window that others follow is read together with the next one. Where that does not decide it, the window is
        read in two parts with half of its rows each: a downsampled list has fewer rows than its halves.

        Args:
            outline: of the window.
            last_step: the highest step that the server reports.
        """
        if self.is_whole(outline, last_step):
            return Verdict.COMPLETE
        start, stop = outline.start, outline.stop
        if stop is not None and stop - start <= self.page_size and stop <= (last_step or 0):
            inside = (yield from self.read(start, 2 * stop - start)).heights_before(stop)
            if _has_more(inside, outline.heights):
                return self._note_loss(outline)
            if inside == outline.heights and self.is_whole(outline):
                return Verdict.COMPLETE
        if stop == start + 1:
            # Rows of a single step cannot be read apart.
            return Verdict.COMPLETE
        middle = outline.middle
        if not start < middle < (stop or middle + 1):
            middle = start + 1 if stop is None else (start + stop) // 2
        low, high = yield from gather([self.read(start, middle), self.read(middle, stop)], limit=2)
        # Where rows may have been logged since, those behind the last one do not count.
        is_settled = stop is not None and last_step is not None and stop <= last_step + 1
        seen = stop if stop is not None and is_settled else outline.last + 1
        before = high.heights_before(seen)
        total = [one + other for one, other in zip(low.outline.heights, before, strict=True)]
        if _has_more(total, outline.heights):
            return self._note_loss(outline)
        if not _has_more(high.outline.heights, before):
            return Verdict.COMPLETE
        # With the new rows, the second part may be a downsampled list.
        return Verdict.GREW if self.is_whole(high.outline) else Verdict.INCOMPLETE

    def _note_loss(self, outline: Outline) -> Verdict:
        # A list without an end may have been longer than was requested.
        if outline.stop is not None or is_far_below(outline.most, outline.samples):
            self._limits.note_downsampled(self.field, outline.most)
        return Verdict.INCOMPLETE


def may_be_too_much(error: RunqlError) -> bool:
    """Whether a request for fewer rows may succeed where this one failed."""
    if isinstance(error, InvalidAnswerError):
        return 400 <= error.status < 500
    return isinstance(error, REFUSALS) and not isinstance(error, OutdatedServerError)


def _has_more(now: Sequence[int], before: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(now, before, strict=True))
