"""One progress over several transfers: the bytes that have passed of all, and those there are in all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from runql.transport.bodies import Progress


def shared_progress(progress: Progress | None, sizes: Sequence[int]) -> Sequence[Progress | None]:
    """One callback for each transfer, which together tell ``progress`` how far all of them are.

    ``progress`` is called at once, then whenever a byte arrives that had not arrived before: bytes that are fetched or
    sent again after a failure do not count twice. What it is told never falls, and ends at the total. Calls are made one
    at a time, in whichever thread the bytes pass. The total follows what the servers say of each transfer.

    Args:
        progress: None when nobody listens.
        sizes: the bytes that each transfer is expected to have.
    """
    if progress is None:
        return [None] * len(sizes)
    total = _Total(progress, sizes)
    return [partial(total.count, index) for index in range(len(sizes))]


class _Total:
    def __init__(self, progress: Progress, sizes: Sequence[int]) -> None:
        self._progress = progress
        self._counting = threading.Lock()
        self._passed = [0] * len(sizes)
        self._sizes = list(sizes)
        self._done, self._total = 0, sum(sizes)
        progress(self._done, self._total)

    def count(self, index: int, passed: int, size: int | None) -> None:
        with self._counting:
            told = self._done, self._total
            self._done += max(0, passed - self._passed[index])
            self._passed[index] = max(passed, self._passed[index])
            size = max(self._sizes[index] if size is None else size, self._passed[index])
            self._total += size - self._sizes[index]
            self._sizes[index] = size
            if told != (self._done, self._total):
                self._progress(self._done, self._total)
