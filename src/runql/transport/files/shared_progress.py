"""One progress function for several transfers: their bytes so far, and the total of their sizes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from runql.transport.files.bodies import Progress


def shared_progress(progress: Progress | None, sizes: Sequence[int]) -> Sequence[Progress | None]:
    """Return one callback for each transfer; together they call ``progress`` with the sum.

    The first call comes at once, the others as new bytes arrive; bytes that are sent again after a failure do not count
    twice. The number never falls, and ends at the total. The total follows the sizes that the servers send. Calls come
    one at a time, from the threads that transfer.

    Args:
        progress: the caller's function, or None.
        sizes: expected bytes of each transfer.
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
            before = self._done, self._total
            self._done += max(0, passed - self._passed[index])
            self._passed[index] = max(passed, self._passed[index])
            size = max(self._sizes[index] if size is None else size, self._passed[index])
            self._total += size - self._sizes[index]
            self._sizes[index] = size
            if before != (self._done, self._total):
                self._progress(self._done, self._total)
