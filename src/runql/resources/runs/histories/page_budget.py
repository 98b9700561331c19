"""How many runs a page of whole histories requests, and how many rows of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

FIRST_RUNS: Final = 50
FIRST_ROWS: Final = 25_000
"""Before the rows are known: 500 rows of each of 50 runs."""

MOST_RUNS: Final = 500
CANDIDATES: Final = 32
MOST_ROWS: Final = 100_000
MOST_BYTES: Final = 8 * 2**20
"""Of the JSON of all rows of a page, and of a window of a run that is read alone."""


class PageBudget:
    """Chooses the size of the next page by what the earlier responses held.

    Large pages take few requests but leave few rows for each run; a longer run is read alone, window by window. The
    chosen size takes the fewest requests for runs like those of the last page.

    Attributes:
        runs: that the next page requests.
    """

    def __init__(
        self, per_page: int, page_size: int, *, first_rows: int = FIRST_ROWS, most_bytes: int = MOST_BYTES
    ) -> None:
        self.runs: int = min(per_page, FIRST_RUNS)
        self._page_size = page_size
        self._rows = first_rows
        self._most_bytes = most_bytes
        self._bytes_read = 0
        self._rows_read = 0

    @property
    def rows_a_run(self) -> int:
        """Rows that a page may bring of each run."""
        return self._share(self.runs)

    @property
    def window(self) -> int:
        """Rows that a request for a single run may bring."""
        return min(self._page_size, self._rows)

    def learn(self, rows: int, size: int) -> None:
        """Note how many bytes the rows of a response took; wide rows leave room for fewer of them."""
        self._rows_read += rows
        self._bytes_read += size
        if self._bytes_read:
            self._rows = max(1, min(MOST_ROWS, self._most_bytes * self._rows_read // self._bytes_read))

    def expect(self, heights: Sequence[int], row_bytes: int | None, *, is_sure: bool = False) -> None:
        """Choose the first page for runs of which the rows are known.

        Args:
            heights: rows of each run.
            row_bytes: of a row, where they can be guessed.
            is_sure: no row is much longer, so that smaller pages need not show it first.
        """
        if row_bytes is not None:
            self.learn(1, row_bytes)
        if is_sure:
            self.runs = max(self.runs, MOST_RUNS)
        self.runs = self.choose(heights)

    def choose(self, heights: Sequence[int]) -> int:
        """The size that takes the fewest requests for runs of so many rows; at most twice the last one."""
        most = min(2 * self.runs, max(self.runs, MOST_RUNS))
        # The best size leaves exactly enough room for one of these runs. A sample of them is enough.
        fitting = sorted({rows for rows in heights if 0 < rows <= self.window}, reverse=True)
        shares = fitting[:: len(fitting) // CANDIDATES + 1]
        sizes = [most, *(max(1, min(most, self._rows // rows)) for rows in shares)]
        return min(sizes, key=lambda size: self.requests(heights, size))

    def requests(self, heights: Sequence[int], size: int) -> float:
        """Requests for runs of so many rows: pages of ``size`` runs, and windows for those that do not fit."""
        share, window = self._share(size), self.window
        return len(heights) / size + sum(-(-rows // window) for rows in heights if rows > share)

    def _share(self, size: int) -> int:
        return min(self.window, max(1, self._rows // size))
