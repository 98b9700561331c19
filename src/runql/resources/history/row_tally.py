"""The rows that a scan has read, compared with what the server counts."""

from __future__ import annotations

from collections.abc import Sequence

from runql.frames.batches import Batch
from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.window import Outline, Window, requested_keys


class RowTally:
    """Counts the rows of a scan list by list: one list of whole rows, or one for each spec.

    Attributes:
        found: rows of each list so far.
        counts: what the server counted last.
        doubtful: windows that rows may be missing from, as far as each of them shows.
    """

    def __init__(self, plan: ScanPlan, rows: int | None = None) -> None:
        self._specs = [[key for key in keys if key != "_step"] for keys in requested_keys(plan)] or [[]]
        self._wants_every_step = plan.wants_every_step
        self._rows = rows
        self._steps: Batch | None = None
        self._last_step = -1
        self.found: Sequence[int] = [0] * len(self._specs)
        self.counts: RowCounts = RowCounts()
        self.doubtful: list[Outline] = []

    def add(self, outline: Outline, *, is_whole: bool) -> None:
        """Count the rows of a window that follows the last one."""
        self.found = [one + other for one, other in zip(self.found, outline.heights, strict=True)]
        if not is_whole:
            self.doubtful.append(outline)

    def note(self, counts: RowCounts) -> None:
        """Note what the server counts now. Counts that are missing now keep their last value."""
        lines = self.counts.lines if counts.lines is None else counts.lines
        self.counts = RowCounts(lines, counts.keys or self.counts.keys)

    def note_steps(self, window: Window) -> None:
        """Note the steps of all rows of the run, where they arrived with a window."""
        if window.steps is not None and window.steps.height == window.counts.lines:
            self._steps = window.steps
            extent = window.steps.extent()
            self._last_step = -1 if extent is None else extent[1]

    def has_each_row(self, outline: Outline) -> bool:
        """Whether a window has as many rows as the steps that `note_steps` noted; False where none were."""
        # Rows behind the last of these steps were logged since the steps arrived.
        if self._steps is None or outline.last > self._last_step:
            return False
        rows = self._steps.between(outline.start, outline.stop).height
        return all(height == rows for height in outline.heights)

    @property
    def is_complete(self) -> bool:
        """Whether as many rows were found as the server counts."""
        return self.is_complete_with([0] * len(self.found))

    def is_complete_with(self, heights: Sequence[int]) -> bool:
        """Whether as many rows are found as the server counts, once the lists have ``heights`` more."""
        return all(
            found + more in self.counts.of_rows_with(keys) or found + more == self._rows
            for found, more, keys in zip(self.found, heights, self._specs, strict=True)
        )

    @property
    def misses_all(self) -> bool:
        """Whether no row arrived of a list of which the server counts rows."""
        return any(
            not found and len(keys) <= 1 and (self._expected(keys) or 0) > 0
            for found, keys in zip(self.found, self._specs, strict=True)
        )

    @property
    def expected(self) -> int | None:
        """Rows of the longest list as the server counts them; None where it does not count a list."""
        counts = [self._expected(keys) for keys in self._specs]
        known = [count for count in counts if count is not None]
        return max(known) if len(known) == len(counts) else None

    def has_too_few(self, outline: Outline, steps: int | None) -> bool:
        """Whether a window has fewer rows than its share of those that are left; True where nothing is counted.

        Args:
            outline: of the window, which is not counted yet.
            steps: from its start to the last step that the server reports.
        """
        width = self._width(outline, steps)
        for height, found, keys in zip(outline.heights, self.found, self._specs, strict=True):
            expected = self._expected(keys)
            # With more rows than steps, the last step is out of date and does not show how the rows are spread.
            left = 0 if expected is None else expected - found
            if expected is None or (steps and left <= steps and height + 1 < left * width // steps):
                return True
        return False

    def lacks_rows(self, outline: Outline, steps: int | None) -> bool:
        """Whether a window lacks rows at more steps than the whole run does; True where nothing is counted.

        Args:
            outline: of the window.
            steps: of the whole scan, up to the last one that the server reports.
        """
        width = self._width(outline, steps)
        for height, keys in zip(outline.heights, self._specs, strict=True):
            expected = self._expected(keys)
            if expected is None or (steps and width - height > steps - expected >= 0):
                return True
        return False

    def _expected(self, keys: Sequence[str]) -> int | None:
        if not self._wants_every_step:
            return self._rows if not keys else None
        return next(iter(self.counts.of_rows_with(keys)), None)

    @staticmethod
    def _width(outline: Outline, steps: int | None) -> int:
        width = (steps or 0) if outline.stop is None else outline.stop - outline.start
        return min(width, steps or 0)
