"""Batches that arrive in any order, returned in their own order and joined into few."""

from __future__ import annotations

import threading

from runql.frames.batches import CHUNK_ROWS, Batch, ColumnBatch


class BatchQueue:
    """Collects batches by place, and joins small ones while others are still under way.

    Many small pieces would be in memory twice when they are joined at the end, and their release would leave
    fragments that nothing larger fits into. Several threads may use it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._early: dict[int, list[Batch]] = {}
        self._next = 0
        self._small: list[ColumnBatch] = []
        self._ready: list[Batch] = []

    def put(self, place: int, batches: list[Batch]) -> None:
        """Add the batches of a place; each of 0, 1, 2, … once."""
        with self._lock:
            self._early[place] = batches
            while (following := self._early.pop(self._next, None)) is not None:
                self._next += 1
                for batch in following:
                    self._append(batch)

    def take(self) -> list[Batch]:
        """Return and remove all batches, in the order of their places."""
        with self._lock:
            self._join()
            ready, self._ready = self._ready, []
            return ready

    def _append(self, batch: Batch) -> None:
        if not isinstance(batch, ColumnBatch):
            self._join()
            self._ready.append(batch)
            return
        if self._small and not self._small[0].is_like(batch):
            self._join()
        self._small.append(batch)
        if sum(small.height for small in self._small) >= CHUNK_ROWS:
            self._join()

    def _join(self) -> None:
        if self._small:
            self._ready.append(ColumnBatch.joined(self._small))
            self._small = []
