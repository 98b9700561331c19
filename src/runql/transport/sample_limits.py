"""What a server has shown of how many rows it puts into one list of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from runql.transport.lifetime import ForkSafeLock

RowsField: TypeAlias = Literal["history", "sampledHistory"]
"""The fields of a run whose ``samples`` bound a list of rows."""

LEAST_SAMPLES: Final = 128
"""A request that asks for fewer rows than this is not refused because of them."""

USUAL_SAMPLES: Final = 2048
"""Up to about what every client of the API asks for: a failure here is the server's, not the request's."""

RETRY_AFTER: Final = 64
"""Lists of rows after which more samples are tried than were refused once."""


@dataclass(slots=True)
class _Observed:
    longest: int = 0
    rows: int | None = None
    samples: int | None = None
    lists: int = 0


class SampleLimits:
    """The limits of one server, as far as its responses have shown them; may be used by several threads.

    A server may cap ``samples``, keep them only roughly, or refuse large ones, and says none of it. What it does is
    learned from what comes, for each field, and kept as long as the client.
    """

    def __init__(self, *, least: int = LEAST_SAMPLES) -> None:
        self.least = least
        self._lock = ForkSafeLock()
        self._observed: dict[RowsField, _Observed] = {"history": _Observed(), "sampledHistory": _Observed()}

    def longest_list(self, field: RowsField) -> int:
        """Rows of the longest list that came; a longer one was never downsampled to much less than this."""
        return self._observed[field].longest

    def downsamples(self, field: RowsField) -> bool:
        """Whether the server is known to downsample lists although more rows were asked for."""
        return self._observed[field].rows is not None

    def rows(self, field: RowsField, wanted: int) -> int:
        """How many of the wanted rows a request can bring for certain."""
        observed = self._observed[field]
        samples = None if observed.samples is None else max(1, observed.samples * 7 // 8)
        return min(rows for rows in (wanted, observed.rows, samples) if rows is not None)

    def samples(self, field: RowsField, wanted: int) -> int:
        """How many of the wanted samples the server does not refuse."""
        most = self._observed[field].samples
        return wanted if most is None else min(wanted, most)

    def note_list(self, field: RowsField, rows: int) -> None:
        """Note that a list of so many rows came."""
        with self._lock:
            observed = self._observed[field]
            observed.longest = max(observed.longest, rows)
            observed.lists += 1
            if observed.samples is not None and observed.lists >= RETRY_AFTER:
                observed.samples, observed.lists = 2 * observed.samples, 0

    def note_downsampled(self, field: RowsField, rows: int) -> None:
        """Note that a list of so many rows was downsampled although more had been asked for."""
        with self._lock:
            observed = self._observed[field]
            most = max(1, rows * 7 // 8)
            observed.rows = most if observed.rows is None else min(observed.rows, most)

    def note_refused(self, field: RowsField, samples: int) -> None:
        """Note that only so many samples were not refused."""
        with self._lock:
            observed = self._observed[field]
            observed.samples = samples if observed.samples is None else min(observed.samples, samples)
            observed.lists = 0


def is_far_below(rows: int, bound: int) -> bool:
    """Whether a list of so many rows is too short to be a downsampled one of ``bound`` rows.

    Servers are known to keep ``samples`` to within five in a hundred, in either direction, and may round.
    """
    return not rows or 8 * (rows + 1) <= 7 * bound


def least_conclusive_bound(rows: int) -> int:
    """The least bound that so many rows are far below of."""
    return -(-8 * (rows + 1) // 7)
