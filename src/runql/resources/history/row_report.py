"""Reports how many rows of a scan have arrived."""

from __future__ import annotations

import threading

from runql.transport.files.bodies import Progress


class RowReport:
    """Calls a caller's function with the rows that have arrived and their total, one call at a time, never falling."""

    def __init__(self, report: Progress) -> None:
        self._report = report
        self._counting = threading.Lock()
        self._arrived = 0
        self._shown = 0

    def add(self, rows: int, expected: int | None) -> None:
        """Count rows that arrived; ``expected`` is how many the scan can bring, as far as is known."""
        with self._counting:
            self._arrived += rows
            self._shown = max(self._shown, self._arrived)
            self._report(self._shown, None if expected is None else max(expected, self._shown))

    def begin_again(self) -> None:
        """Count from 0, because all rows are requested again."""
        with self._counting:
            self._arrived = 0

    def finish(self, rows: int) -> None:
        """Report the end: so many rows."""
        with self._counting:
            self._report(rows, rows)
