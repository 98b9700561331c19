"""Thinning: evenly spaced positions that keep both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from runql_server.errors import RequestError

DEFAULT_SAMPLES = 500
"""How many rows a call without ``samples`` gets, as the SDK's own default."""

MOST_SAMPLES = 2**53
"""More than any history has rows."""

Item = TypeVar("Item")


def check_samples(samples: int | None) -> int:
    """The number of samples to use; anything below one is refused."""
    if samples is not None and samples < 1:
        raise RequestError(f"samples: must be at least 1, got {samples}")
    return DEFAULT_SAMPLES if samples is None else min(samples, MOST_SAMPLES)


def positions(count: int, samples: int) -> range | list[int]:
    """At most ``samples`` distinct positions below ``count``, rising, evenly spread, first and last included."""
    if count <= samples:
        return range(count)
    if samples == 1:
        return [0]
    # Integer arithmetic rounds half up and never repeats a position, as the spacing is at least one.
    gaps = samples - 1
    return [(2 * index * (count - 1) + gaps) // (2 * gaps) for index in range(samples)]


def downsample(items: Sequence[Item], samples: int) -> list[Item]:
    """Pick the items at these positions."""
    return [items[index] for index in positions(len(items), samples)]
