"""Downsampling: evenly spaced positions that include both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from runql_server.errors import RequestError

DEFAULT_SAMPLES = 500
"""Rows returned to a call without ``samples``; equals the SDK's default."""

MOST_SAMPLES = 2**53
"""More than the rows of any history."""

Item = TypeVar("Item")


def check_samples(samples: int | None) -> int:
    """Return the number of samples to use; refuses numbers below one."""
    if samples is not None and samples < 1:
        raise RequestError(f"samples: must be at least 1, got {samples}")
    return DEFAULT_SAMPLES if samples is None else min(samples, MOST_SAMPLES)


def positions(count: int, samples: int) -> range | list[int]:
    """Return at most ``samples`` distinct positions below ``count``, ascending, evenly spaced, with both ends."""
    if count <= samples:
        return range(count)
    if samples == 1:
        return [0]
    # Integer arithmetic rounds half up; positions never repeat, because the spacing is at least one.
    gaps = samples - 1
    return [(2 * index * (count - 1) + gaps) // (2 * gaps) for index in range(samples)]


def downsample(items: Sequence[Item], samples: int) -> list[Item]:
    """Downsample a sequence to at most ``samples`` items."""
    return [items[index] for index in positions(len(items), samples)]
