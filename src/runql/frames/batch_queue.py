"""Batches that arrive in any order, kept in theirs, and few: small ones become large ones while the rest is on its way."""

from __future__ import annotations

import threading

from runql.frames.batches import CHUNK_ROWS, Batch, ColumnBatch


class BatchQueue:
    """Collects the batches of numbered places.

    Columns of many small pieces would be there twice when they are joined in the end, and would leave the memory in
    small parts that nothing larger fits into. May be used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._early: dict[int, list[Batch]] = {}
        self._next = 0
        self._small: list[ColumnBatch] = []
        self._ready: list[Batch] = []

    def put(self, place: int, batches: list[Batch]) -> None:
        """Take what belongs to a place, each of 0, 1, 2, … once."""
        with self._lock:
            self._early[place] = batches
            while (following := self._early.pop(self._next, None)) is not None:
                self._next += 1
                for batch in following:
                    self._append(batch)

    def take(self) -> list[Batch]:
        """Everything that arrived, in the order of its places."""
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
