"""What a scan has read, held against what the server counts."""

from __future__ import annotations

from collections.abc import Sequence

from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.window import Outline, asked_keys


class RowTally:
    """Counts the rows of a scan, list by list: one list of whole rows, or one of each spec.

    Attributes:
        found: rows of each list so far.
        counts: what the server counted last.
        doubtful: the windows of which rows may have been left out, as far as each of them tells.
    """

    def __init__(self, plan: ScanPlan, rows: int | None = None) -> None:
        self._specs = [[key for key in keys if key != "_step"] for keys in asked_keys(plan)] or [[]]
        self._wants_every_step = plan.wants_every_step
        self._rows = rows
        self.found: Sequence[int] = [0] * len(self._specs)
        self.counts = RowCounts()
        self.doubtful: list[Outline] = []

    def add(self, outline: Outline, *, is_whole: bool) -> None:
        """Take the rows of a window, which follows the last one."""
        self.found = [one + other for one, other in zip(self.found, outline.heights, strict=True)]
        if not is_whole:
            self.doubtful.append(outline)

    def note(self, counts: RowCounts) -> None:
        """Take what the server counts now; what it did not say now stays as it was."""
        lines = self.counts.lines if counts.lines is None else counts.lines
        self.counts = RowCounts(lines, counts.keys or self.counts.keys)

    @property
    def is_complete(self) -> bool:
        """Whether the server counts as many rows as were found, which then are all."""
        return self.is_complete_with([0] * len(self.found))

    def is_complete_with(self, heights: Sequence[int]) -> bool:
        """Whether it does when the lists have so many rows more."""
        return all(
            found + more in self.counts.of_rows_with(keys) or found + more == self._rows
            for found, more, keys in zip(self.found, heights, self._specs, strict=True)
        )

    @property
    def misses_all(self) -> bool:
        """Whether nothing came of a list of which the server counts rows."""
        return any(
            not found and len(keys) <= 1 and (self._expected(keys) or 0) > 0
            for found, keys in zip(self.found, self._specs, strict=True)
        )

    @property
    def expected(self) -> int | None:
        """How many rows of the longest list the server counts; None where it counts none that are wanted."""
        counts = [self._expected(keys) for keys in self._specs]
        known = [count for count in counts if count is not None]
        return max(known) if len(known) == len(counts) else None

    def has_too_few(self, outline: Outline, steps: int | None) -> bool:
        """Whether a window has fewer rows than its share of those that are still to come; also where nothing is counted.

        Args:
            outline: of the window, which is not yet among those that were added.
            steps: from its start to the last step that the server reports.
        """
        width = self._width(outline, steps)
        for height, found, keys in zip(outline.heights, self.found, self._specs, strict=True):
            expected = self._expected(keys)
            # With more rows than steps the last step is an old one, and says nothing of how the rows are spread.
            left = 0 if expected is None else expected - found
            if expected is None or (steps and left <= steps and height + 1 < left * width // steps):
                return True
        return False

    def has_lost(self, outline: Outline, steps: int | None) -> bool:
        """Whether a window lacks rows at more steps than can have none; also where nothing is counted.

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
