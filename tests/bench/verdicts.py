"""Verdicts: ratios of medians against the goals of tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.measurement import Measured
from tests.bench.tasks import LIMIT, NEW, OFFICIAL, OWN, Goal, Pair


@dataclass(frozen=True)
class Verdict:
    """A goal, and whether the measurement meets it."""

    text: str
    kept: bool


def ratio(mine: Measured, other: Measured) -> tuple[float, float, float]:
    """Return the other's time in multiples of mine: of the medians, and quartiles of the rounds' ratios."""
    pairs = list(zip(mine.seconds, other.seconds, strict=False))
    ratios = sorted(theirs / own for own, theirs in pairs)
    if len(ratios) < 2:
        return other.median / mine.median, ratios[0], ratios[0]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return other.median / mine.median, low, high


def verdicts(title: str, goal: Goal, measured: Mapping[str, Measured]) -> Iterator[Verdict]:
    """Yield the verdicts of one task."""
    own = measured[OWN]
    if goal.times_limit is not None and LIMIT in measured:
        times, low, high = ratio(measured[LIMIT], own)
        yield Verdict(
            f"{title}: {times:.2f} × the limit ({low:.2f}–{high:.2f}), at most {goal.times_limit:g}",
            times <= goal.times_limit,
        )
    for sdk in (each for each in OFFICIAL if each in measured):
        least = goal.ahead_of_new if sdk == NEW and goal.ahead is None else goal.ahead
        if least is not None:
            ahead, low, high = ratio(own, measured[sdk])
            yield Verdict(
                f"{title}: {ahead:.3g} × ahead of {sdk} ({low:.3g}–{high:.3g}), at least {least:g}",
                ahead >= least,
            )
    if goal.requests is not None:
        yield Verdict(
            f"{title}: {own.requests} requests, at most {goal.requests}", own.requests <= goal.requests
        )


def memory_verdict(title: str, tenth: Measured, whole: Measured, *, slack: float) -> Verdict:
    """Check that ten times the rows need at most 1.5 times the frame's memory more, and none without a frame."""
    allowed = tenth.over + 1.5 * (whole.size - tenth.size) + slack
    return Verdict(
        f"memory of {title}: {tenth.over:.0f} MiB for a frame of {tenth.size:.0f}, "
        f"{whole.over:.0f} MiB for one of {whole.size:.0f}, at most {allowed:.0f}",
        whole.over <= allowed,
    )


def pair_verdict(pair: Pair, usual: Measured, more: Measured) -> Verdict:
    """Check that the second task of a pair costs less than its bound, and no request more."""
    times, low, high = ratio(usual, more)
    return Verdict(
        f"{pair.title}: {times:.2f} × the time without ({low:.2f}–{high:.2f}), less than {pair.most:g}; "
        f"{more.requests} requests, without {usual.requests}",
        times < pair.most and more.requests <= usual.requests,
    )


def lazy_verdict(title: str, lazy: Measured, collected: Measured) -> Verdict:
    """Check that a lazy query takes at most half the time of collecting all rows, and a tenth of the bytes."""
    times, low, high = ratio(collected, lazy)
    share = lazy.received / collected.received
    return Verdict(
        f"{title}: {times:.2f} × the time of collecting all ({low:.2f}–{high:.2f}), at most 0.5; "
        f"{share:.3f} of its bytes, at most 0.1",
        times <= 0.5 and share <= 0.1,
    )


def exponent(values: Sequence[float]) -> float:
    """Return the exponent of growth of values at n, 10 n, 100 n …: the slope of their logarithms."""
    return statistics.linear_regression(range(len(values)), [math.log10(value) for value in values]).slope
