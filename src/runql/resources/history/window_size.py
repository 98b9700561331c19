"""How many rows the windows of a frame hold, chosen by the rows that are left and their width."""

from __future__ import annotations

from typing import Final

from runql.resources.history.plan import ScanPlan

MOST_ROWS: Final = 100_000
MOST_BYTES: Final = 5 * 2**20
"""Of the JSON of all rows of a window."""

MOST_BYTES_AT_ONCE: Final = 3 * MOST_BYTES
"""Of the JSON of all windows that are requested at the same time: so memory does not grow with the rows of a run."""

CELL_BYTES: Final = 32
"""The width of a value with its name, before any row has shown it."""


class WindowSize:
    """Chooses the size of a scan's windows. It sends nothing.

    Where the caller left ``page_size`` at its default, it is a hint: large windows take few requests, and as many as run
    at once are kept. A size that the caller named stays.

    Attributes:
        rows: of a window; steps, where windows are cut by steps.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self.rows: int = plan.page_size
        self._plan = plan
        self._width: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the size may change once a row has shown its width."""
        return self._plan.adapts_size and self._width is None

    @property
    def at_once(self) -> int:
        """How many windows are requested at the same time."""
        if not self._plan.adapts_size or self._width is None:
            return self._plan.max_concurrency
        fitting = round(MOST_BYTES_AT_ONCE / (self.rows * self._width))
        return max(1, min(self._plan.max_concurrency, fitting))

    def learn(self, rows: int, size: int, columns: int) -> None:
        """Note how many bytes the rows of a window took.

        Args:
            rows: of the window.
            size: bytes of their JSON; 0 where that is unknown.
            columns: the keys that a row may have.
        """
        width = size / rows if rows and size else float(CELL_BYTES * max(1, columns))
        self._width = width if self._width is None else max(self._width, width)

    def fit(self, left: int) -> None:
        """Choose the size for so many rows, or steps, that are left; never a smaller one than the hint."""
        if not self._plan.adapts_size or self._width is None:
            return
        hint = self._plan.page_size
        most = max(hint, min(MOST_ROWS, int(MOST_BYTES / self._width)))
        windows = max(-(-left // most), min(self._plan.max_concurrency, -(-left // hint)), 1)
        self.rows = max(hint, -(-left // windows))
