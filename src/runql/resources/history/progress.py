"""How far a scan has come, and what it knows of the run by now."""

from __future__ import annotations

from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.row_tally import RowTally
from runql.resources.history.window import Outline, Window


class ScanProgress:
    """What a scan has read and what it knows of the run. It sends nothing.

    Attributes:
        tally: the rows that arrived, compared with what the server counts.
        last_step: the highest step that the server has reported; None before it reports one.
        line_count: rows in the history as the server counts them; None before it counts.
        offset: the step that the next window begins at.
        covered: the step up to which windows were read; beyond ``offset`` where rows may still arrive.
        has_begun: whether a window was read.
        has_map: whether the steps of the remaining rows were requested.
        is_done: whether the last window was read.
        downsampled_from: the start of a window without an end that arrived downsampled; None where there was none.
    """

    def __init__(self, plan: ScanPlan, hints: HistoryHints) -> None:
        self.tally: RowTally = RowTally(plan, hints.rows)
        self.tally.note(RowCounts(hints.line_count))
        self.last_step = hints.last_step
        self.line_count = hints.line_count
        self.offset: int = plan.min_step
        self.covered: int = plan.min_step
        self.has_begun: bool = False
        self.has_map: bool = False
        self.is_done: bool = False
        self.downsampled_from: int | None = None
        # Of the windows that were read.
        self.steps_read: int = 0
        self._plan = plan
        self._rows_read = 0
        self._trusts_key_counts = True

    # -- what is left --------------------------------------------------------------------------------------------

    @property
    def is_at_end(self) -> bool:
        """Whether no window is left."""
        return self.is_done or self.offset == self._plan.max_step

    @property
    def steps_left(self) -> int:
        """Steps up to the last one that the server has reported; 0 where it has reported none."""
        return max(0, self.steps_from(self.offset) or 0)

    @property
    def all_steps(self) -> int | None:
        """Steps of the whole scan, up to the last one that the server has reported."""
        return self.steps_from(self._plan.min_step)

    def steps_from(self, start: int) -> int | None:
        """Steps between ``start`` and the end of the scan, as far as the server has reported; None before it reports."""
        if self.last_step is None:
            return None
        end = self.last_step + 1
        return (end if self._plan.max_step is None else min(end, self._plan.max_step)) - start

    def is_beyond(self, step: int) -> bool:
        """Whether a window that ends before ``step`` reaches beyond the last step that the server has reported."""
        return self.last_step is None or step > self.last_step

    @property
    def expected_rows(self) -> int | None:
        """The most rows that the scan can bring, as far as is known."""
        if self.line_count is None and self.steps_read:
            # The server does not count: estimate from the rows that were read.
            return self._rows_read * self.steps_left // self.steps_read
        keys = [key for key in self._plan.keys or () if key != "_step" and not self._plan.every_row]
        counts = [self.tally.counts.of_rows_with((key,)) for key in keys]
        totals = [count[-1] for count in counts if count]
        if not totals or len(totals) < len(keys) or not self._trusts_key_counts:
            return self.line_count
        most = min(totals) if self._plan.match == "all" else sum(totals)
        return most if self.line_count is None else min(most, self.line_count)

    # -- what was read -------------------------------------------------------------------------------------------

    def learn(self, window: Window) -> None:
        """Note that a window was read, and what its response says of the run."""
        self.has_begun = True
        if window.last_step is not None:
            self.last_step = max(window.last_step, self.last_step or 0)
        if window.counts.lines is not None:
            self.line_count = max(window.counts.lines, self.line_count or 0)
        self.tally.note(window.counts)

    def count(self, outline: Outline, *, is_whole: bool) -> None:
        """Count the rows of the window that follows the last one."""
        self.tally.add(outline, is_whole=is_whole)
        self._rows_read += outline.most
        if outline.stop is not None:
            self.steps_read += outline.stop - outline.start

    def pass_to(self, step: int) -> None:
        """Go on at ``step``; everything before it was read."""
        self.has_begun = True
        self.offset = self.covered = step

    def advance(self, outline: Outline, end: int, *, is_last: bool) -> None:
        """Go on behind a window that ends before ``end``."""
        # Beyond the last reported step, rows may arrive inside a window after it was read.
        self.offset = min(outline.last + 1, end) if self.is_beyond(end) else end
        self.covered = end
        self.is_done = is_last

    def resume_behind(self, outline: Outline) -> None:
        """Go on behind the last row of a window, because rows were logged there since."""
        self.offset, self.is_done = outline.last + 1, False

    def rewind(self, outline: Outline) -> None:
        """Go back to the start of a window without an end that arrived downsampled; its rows show how far the run goes."""
        self.last_step = max(self.last_step or 0, outline.last)
        self.offset = self.downsampled_from = min(outline.first, self.covered)
        self.has_map = False
        # More rows arrived than the server counts for the keys: some rows hold a null there.
        self._trusts_key_counts &= outline.most <= (self.expected_rows or 0)
