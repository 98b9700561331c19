"""Which windows a scan requests next."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from runql.quick_dataclasses import dataclass
from runql.resources.history.plan import ScanPlan
from runql.resources.history.progress import ScanProgress
from runql.resources.history.step_map import MOST_STEPS, Span
from runql.resources.history.window import Outline
from runql.resources.history.window_size import WindowSize
from runql.transport.sample_limits import SampleLimits

WIDE: Final = 16
"""Pages of steps. A window with missing rows is cut by steps up to this width, and at its middle row beyond it."""


@dataclass(frozen=True, slots=True)
class NextWindow:
    """The window at the offset, which may hold the end of the run.

    Attributes:
        start: the first step.
        stop: the step before which it ends; None for no end.
        is_open: whether it is meant to hold all rows that are left.
        with_keys: whether to request `historyKeys` along with it.
    """

    start: int
    stop: int | None
    is_open: bool
    with_keys: bool


class WindowPlanner:
    """Chooses the next windows of a scan from its progress and the limits of the server. It changes neither.

    A window covers no more steps than fit one response, so that the server does not downsample it. Windows before the
    last reported step are settled: their rows no longer change, and several can be requested at once. The last window
    has no end, because the server reports the last step late.
    """

    def __init__(
        self, plan: ScanPlan, progress: ScanProgress, limits: SampleLimits, size: WindowSize | None = None
    ) -> None:
        self._plan = plan
        self._size = size or WindowSize(plan)
        self._progress = progress
        self._limits = limits

    @property
    def page_size(self) -> int:
        """Steps that a request covers; rows, where windows are cut by rows."""
        return self._limits.rows(self._plan.rows_field, self._size.rows)

    # -- how the rows are spread ---------------------------------------------------------------------------------

    @property
    def fits_one_response(self) -> bool:
        """Whether one response can hold all rows that are left."""
        progress, expected = self._progress, self._progress.expected_rows
        has_few_rows = expected is not None and expected <= self.page_size
        return (
            has_few_rows and (not progress.has_begun or self.is_sparse) and progress.downsampled_from is None
        )

    @property
    def is_one_window(self) -> bool:
        """Whether one window is enough for the scan."""
        end = self._plan.max_step
        is_narrow = end is not None and end - self._progress.offset <= self.page_size
        return is_narrow or self.fits_one_response

    @property
    def has_few_windows(self) -> bool:
        """Whether all windows can be requested at once."""
        return self._progress.steps_left <= self._plan.max_concurrency * self.page_size

    @property
    def is_sparse(self) -> bool:
        """Whether windows cut by steps would be more than twice as many as windows cut by rows."""
        expected = self._progress.expected_rows
        if expected is None or self._progress.has_map:
            return False
        return self._progress.steps_left // self.page_size > 2 * (expected // self.rows_a_span + 1) + 2

    @property
    def rows_a_span(self) -> int:
        """Rows of a span that is cut by a `StepMap`. With keys the row at the border arrives too."""
        return self.page_size if self._plan.keys is None else max(1, self.page_size - 1)

    @property
    def cuts_each_step(self) -> bool:
        """Whether a span must not hold more than one step: with keys and pages of one row, none is left for the border."""
        return self.page_size == 1 and self._plan.keys is not None

    @property
    def maps_whole_run(self) -> bool:
        """Whether to request the steps of the whole run, which the server counts, and not those that are left."""
        return self._plan.wants_every_step or (self._progress.line_count or MOST_STEPS) < MOST_STEPS

    # -- the next windows ----------------------------------------------------------------------------------------

    def settled(self, most: int | None) -> list[Span]:
        """The next ``most`` windows before the last reported step, all when None; none where the end may be near."""
        progress, plan = self._progress, self._plan
        if progress.last_step is None or self.fits_one_response:
            return []
        is_counted = progress.line_count is not None and not (plan.keys and not progress.tally.counts.keys)
        if not progress.has_begun and not is_counted and progress.steps_left > self.page_size:
            # The first response says how many rows there are, and how many have the keys: often few.
            return []
        if self._size.is_open and not self.has_few_windows:
            # Its rows show how many of them fit one response.
            return []
        if progress.line_count is None:
            most = min(most or plan.max_concurrency, plan.max_concurrency if progress.steps_read else 1)
        spans: list[Span] = []
        start = progress.offset
        while most is None or len(spans) < most:
            stop = self._window_end(start)
            if start >= stop or stop > progress.last_step:
                break
            spans.append(Span(start, stop))
            start = stop
        return spans

    def leads_to_end(self, span: Span) -> bool:
        """Whether the window behind a settled one is the last, which has no end."""
        last = self._progress.last_step
        is_last = last is not None and span.stop + self.page_size > last
        return is_last and self._plan.max_step is None and self._progress.downsampled_from != span.stop

    def next_window(self, steps: int | None = None) -> NextWindow:
        """The window at the offset; of fewer ``steps`` than others, where a sample of the rows is enough."""
        plan, start = self._plan, self._progress.offset
        end = start + min(self.page_size, steps or self.page_size)
        is_last = self._progress.is_beyond(end)
        is_open = self._is_open(is_last=is_last) and (plan.max_step is None or end < plan.max_step)
        is_cut = plan.max_step is not None and end > plan.max_step
        with_keys = is_last or (plan.keys is not None and (is_open or not self._progress.has_begun))
        return NextWindow(start, plan.max_step if is_open or is_cut else end, is_open, with_keys)

    def split(self, outline: Outline, stop: int) -> list[Span]:
        """Cut a window that rows are missing from into smaller ones, up to ``stop``."""
        start = outline.start
        end = stop if outline.stop is None else min(stop, outline.stop)
        if end - start <= WIDE * self.page_size:
            width = min(self.page_size, (end - start + 1) // 2)
            borders = [*range(start, end, width), end]
        else:
            middle = outline.middle if start < outline.middle < end else (start + end) // 2
            borders = [start, middle, end]
        borders += [stop] if end < stop else []
        return [Span(low, high) for low, high in pairwise(borders)]

    def _window_end(self, start: int) -> int:
        end, last = start + self.page_size, self._plan.max_step
        return end if last is None else min(end, last)

    def _is_open(self, *, is_last: bool) -> bool:
        progress = self._progress
        if progress.downsampled_from == progress.offset:
            return False
        if self.fits_one_response:
            return True
        if not progress.has_begun:
            return is_last and (progress.last_step is not None or progress.line_count is None)
        return is_last
