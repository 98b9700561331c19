"""Test profiles: quick by default, full where `RUNQL_FULL=1`, as `.ci/nightly` sets it.

`@examples(150)` states how many examples the full profile draws; the quick one draws a quarter.
`quick_part(cases, kind)` selects cases: all in the full profile, the first of each kind in the quick one.
`usual_part(cases, kind)` does so in both, and takes all cases where `RUNQL_EVERY=1`, as `make kill` sets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

IS_EVERY: Final = os.environ.get("RUNQL_EVERY", "") == "1"
IS_FULL: Final = os.environ.get("RUNQL_FULL", "") == "1"
DRAWS_THE_SAME: Final = os.environ.get("CI", "").lower() in {"true", "1"} and not IS_FULL
"""A change must not fail for an example that the last one was not asked; the night and developers draw new ones."""

NAME: Final = "full" if IS_FULL else "quick"
SHARE: Final = 4
"""The quick profile draws one in `SHARE` examples."""

DEFAULT_EXAMPLES: Final = 100
LEAST: Final = 10


def counted(full: int) -> int:
    """Return the number of examples to draw in this profile."""
    return full if IS_FULL else min(full, max(LEAST, full // SHARE))


def examples(full: int) -> settings:
    """Decorate a property test that draws `full` examples in the full profile."""
    return settings(max_examples=counted(full))


def quick_part(cases: Iterable[T], kind: Callable[[T], object]) -> list[T]:
    """Return all cases in the full profile, the first of each kind in the quick one."""
    everything = list(cases)
    return everything if IS_FULL else _firsts(everything, kind)


def usual_part(cases: Iterable[T], kind: Callable[[T], object]) -> list[T]:
    """Return the first case of each kind, or all where every case is asked for: they take minutes and rarely differ."""
    everything = list(cases)
    return everything if IS_EVERY else _firsts(everything, kind)


def _firsts(cases: Iterable[T], kind: Callable[[T], object]) -> list[T]:
    firsts: dict[object, T] = {}
    for case in cases:
        firsts.setdefault(kind(case), case)
    return list(firsts.values())


def load() -> None:
    """Load the profile of this session, without deadlines and checks for slow draws."""
    settings.register_profile(
        NAME,
        settings.get_profile("ci" if DRAWS_THE_SAME else "default"),
        max_examples=counted(DEFAULT_EXAMPLES),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(NAME)
