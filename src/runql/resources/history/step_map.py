"""The steps at which a run has rows, asked for in as few requests as hold them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from runql.frames.batches import step_of
from runql.frames.row_readers import RowReader
from runql.resources.history.plan import ScanPlan
from runql.resources.history.span_reader import SpanReader
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits, is_far_below

MOST_STEPS: Final = 50_000
"""Steps a request; about 15 bytes each on the wire."""


@dataclass(frozen=True, slots=True)
class StepMap:
    """Where the rows of a range are.

    Attributes:
        steps: of the rows, rising; of some of them where the server downsampled.
        rows_a_step: how many rows each of them stands for.
        is_whole: whether these are the steps of all rows.
    """

    steps: Sequence[int]
    rows_a_step: float = 1
    is_whole: bool = True


def map_steps(
    plan: ScanPlan,
    start: int,
    stop: int,
    limits: SampleLimits,
    *,
    whole: bool = False,
    most: int = MOST_STEPS,
) -> Flow[StepMap]:
    """The steps of all rows of ``start <= step < stop``, rising.

    One request for up to ``most`` of them. With ``whole`` it asks for those of the whole run, which the server counts: where
    fewer come, they still show how the rows are spread. Where nothing is counted, a full list is asked for in two parts.
    """
    spans = SpanReader(replace(plan, keys=("_step",), match="all", page_size=most), RowReader(), limits)
    samples = limits.samples(spans.field, most + 1)
    low, high = (0, None) if whole else (start, stop)
    window = yield from spans.read(low, high, samples=samples)
    height, rows = window.batch.height, window.counts.lines if whole else None
    inside = window.batch.between(start, stop).to_rows()
    steps = sorted({step for row in inside if (step := step_of(row)) is not None})
    if rows is not None and 0 < height < rows:
        return StepMap(steps, rows / height, is_whole=False)
    is_full = not is_far_below(window.outline.most, window.outline.samples)
    if height == rows or not is_full or stop - start < min(most, window.outline.samples):
        return StepMap(steps, is_whole=height == rows or spans.is_whole(window.outline))
    middle = steps[len(steps) // 2] if steps else start
    if not start < middle < stop:
        middle = (start + stop) // 2
    first = yield from map_steps(plan, start, middle, limits, most=most)
    second = yield from map_steps(plan, middle, stop, limits, most=most)
    return StepMap([*first.steps, *second.steps], is_whole=first.is_whole and second.is_whole)
