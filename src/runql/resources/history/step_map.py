"""Spans of steps, the steps of a run's rows, and the spans that are cut by them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from runql.frames.batches import step_of
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.plan import ScanPlan
from runql.resources.history.span_reader import SpanReader
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits, is_far_below

MOST_STEPS: Final = 50_000
"""Steps in a response; each takes about 15 bytes."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of steps that the run has passed, so that its rows no longer change.

    Attributes:
        start: the first step.
        stop: the step before which it ends.
        steps: the steps of its rows; None where they are unknown.
    """

    start: int
    stop: int
    steps: Sequence[int] | None = None

    def halves(self) -> tuple[Span, Span]:
        """Two parts: of equally many rows where their steps are known, else of equally many steps."""
        steps = self.steps or ()
        middle = steps[len(steps) // 2] if len(steps) > 1 else 0
        if not self.start < middle < self.stop:
            middle = (self.start + self.stop) // 2
        return self._within(self.start, middle), self._within(middle, self.stop)

    def _within(self, start: int, stop: int) -> Span:
        return Span(start, stop, _between(self.steps, start, stop))


@dataclass(frozen=True, slots=True)
class StepMap:
    """The steps at which a range has rows.

    Attributes:
        steps: in rising order; only some of them where the server downsampled.
        rows_a_step: how many rows each of them stands for.
        is_whole: whether these are the steps of all rows.
    """

    steps: Sequence[int]
    rows_a_step: float = 1
    is_whole: bool = True

    @classmethod
    def of(cls, steps: Iterable[int], start: int, stop: int) -> StepMap:
        """The map of ``start <= step < stop``, from the steps of all rows of a run."""
        return cls(sorted({step for step in steps if start <= step < stop}))

    def rows_from(self, start: int) -> int:
        """How many rows there are from a step on."""
        return int(
            len(_between(self.steps, start, self.steps[-1] + 1 if self.steps else start) or ())
            * self.rows_a_step
        )

    def spans(self, start: int, stop: int, rows: int, *, apart: bool = False) -> list[Span]:
        """Cut ``start <= step < stop`` into spans of at most ``rows`` rows each.

        With ``apart``, a span also ends right behind each step.
        """
        size = max(1, int(rows / self.rows_a_step))
        borders = [start, *self.steps[size::size], stop]
        if apart:
            borders = sorted({*borders, *(step + 1 for step in self.steps)})
        steps = self.steps if self.is_whole else None
        return [Span(low, high, _between(steps, low, high)) for low, high in pairwise(borders)]


def map_steps(
    plan: ScanPlan,
    start: int,
    stop: int,
    limits: SampleLimits,
    *,
    whole: bool = False,
    most: int = MOST_STEPS,
) -> Flow[StepMap]:
    """Return the steps of all rows of ``start <= step < stop``.

    Sends one request for up to ``most`` steps. With ``whole`` it requests those of the whole run, which the server
    counts: where fewer arrive, they still show how the rows are spread. Without a count, a full list is requested
    again in two parts.
    """
    reader = SpanReader(replace(plan, keys=("_step",), match="all", page_size=most), RowReader(), limits)
    samples = limits.samples(reader.field, most + 1)
    low, high = (0, None) if whole else (start, stop)
    window = yield from reader.read(low, high, samples=samples)
    height, rows = window.batch.height, window.counts.lines if whole else None
    inside = window.batch.between(start, stop).to_rows()
    steps = sorted({step for row in inside if (step := step_of(row)) is not None})
    if rows is not None and 0 < height < rows:
        return StepMap(steps, rows / height, is_whole=False)
    is_full = not is_far_below(window.outline.most, window.outline.samples)
    if height == rows or not is_full or stop - start < min(most, window.outline.samples):
        return StepMap(steps, is_whole=height == rows or reader.is_whole(window.outline))
    middle = steps[len(steps) // 2] if steps else start
    if not start < middle < stop:
        middle = (start + stop) // 2
    first = yield from map_steps(plan, start, middle, limits, most=most)
    second = yield from map_steps(plan, middle, stop, limits, most=most)
    return StepMap([*first.steps, *second.steps], is_whole=first.is_whole and second.is_whole)


def _between(steps: Sequence[int] | None, start: int, stop: int) -> Sequence[int] | None:
    return None if steps is None else steps[bisect_left(steps, start) : bisect_left(steps, stop)]
