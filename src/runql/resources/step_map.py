"""The steps at which a run has rows, asked for in as few requests as hold them all."""

from __future__ import annotations

from runql.resources.scan import ScanPlan
from runql.resources.window import read_steps
from runql.transport.flow import Flow

MOST_STEPS = 50_000
"""Steps a request; about 15 bytes each on the wire."""


def map_steps(plan: ScanPlan, start: int, stop: int, most: int = MOST_STEPS) -> Flow[list[int]]:
    """The steps of all rows of ``start <= step < stop``, rising.

    One request for up to ``most`` of them. An answer that is full may be thinned: its middle is where the range is cut,
    and both parts are asked for.
    """
    steps, is_thinned = yield from read_steps(plan, start, stop, most + 1)
    if not is_thinned or stop - start < most:
        return steps
    middle = steps[len(steps) // 2] if steps else start
    if not start < middle < stop:
        middle = (start + stop) // 2
    low = yield from map_steps(plan, start, middle, most)
    high = yield from map_steps(plan, middle, stop, most)
    return low + high
