"""How many rows a server sends in one list, learned from its responses."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from runql.quick_dataclasses import dataclass
from runql.transport.lifetime import ForkSafeLock

RowsField: TypeAlias = Literal["history", "sampledHistory"]
"""The fields of a run that take ``samples``, a bound on the rows of a list."""

LEAST_SAMPLES: Final = 128
"""No server is known to refuse a request for fewer rows than this."""

USUAL_SAMPLES: Final = 2048
"""About the most that other clients of the API ask for: a failure up to here is not caused by the request's size."""

RETRY_AFTER: Final = 64
"""Number of lists after which refused ``samples`` are tried again, doubled."""


@dataclass(slots=True)
class _Observed:
    longest: int = 0
    rows: int | None = None
    samples: int | None = None
    lists: int = 0


class SampleLimits:
    """The limits of one server, as far as its responses have shown them.

    A server may cap ``samples``, follow them only roughly, or refuse large ones, and documents none of it. The client
    learns this for each field from the responses, and keeps it while it is open. Threads may share the object.
    """

    def __init__(self, *, least: int = LEAST_SAMPLES) -> None:
        self.least = least
        self._lock = ForkSafeLock()
        self._observed: dict[RowsField, _Observed] = {"history": _Observed(), "sampledHistory": _Observed()}

    def longest_list(self, field: RowsField) -> int:
        """Return the rows of the longest list received; no longer list was downsampled to much less."""
        return self._observed[field].longest

    def downsamples(self, field: RowsField) -> bool:
        """Whether the server has downsampled a list below the rows asked for."""
        return self._observed[field].rows is not None

    def rows(self, field: RowsField, wanted: int) -> int:
        """Return how many of the wanted rows a request brings for certain."""
        observed = self._observed[field]
        samples = None if observed.samples is None else max(1, observed.samples * 7 // 8)
        return min(rows for rows in (wanted, observed.rows, samples) if rows is not None)

    def samples(self, field: RowsField, wanted: int) -> int:
        """Return how many of the wanted samples the server accepts."""
        most = self._observed[field].samples
        return wanted if most is None else min(wanted, most)

    def note_list(self, field: RowsField, rows: int) -> None:
        """Note a received list of so many rows."""
        with self._lock:
            observed = self._observed[field]
            observed.longest = max(observed.longest, rows)
            observed.lists += 1
            if observed.samples is not None and observed.lists >= RETRY_AFTER:
                observed.samples, observed.lists = 2 * observed.samples, 0

    def note_downsampled(self, field: RowsField, rows: int) -> None:
        """Note a list that was downsampled to so many rows although the request asked for more."""
        with self._lock:
            observed = self._observed[field]
            most = max(1, rows * 7 // 8)
            observed.rows = most if observed.rows is None else min(observed.rows, most)

    def note_refused(self, field: RowsField, samples: int) -> None:
        """Note that the server refuses more than so many samples."""
        with self._lock:
            observed = self._observed[field]
            observed.samples = samples if observed.samples is None else min(observed.samples, samples)
            observed.lists = 0


def is_far_below(rows: int, bound: int) -> bool:
    """Whether a list of so many rows is too short to be downsampled to ``bound`` rows.

    Servers are known to follow ``samples`` to within five percent, above or below, and may round.
    """
    return not rows or 8 * (rows + 1) <= 7 * bound


def least_conclusive_bound(rows: int) -> int:
    """Return the smallest bound that so many rows are far below."""
    return -(-8 * (rows + 1) // 7)
