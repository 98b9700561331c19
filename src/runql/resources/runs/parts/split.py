"""Lists and scans of many runs in parts of about the same size, each with the ids of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from runql.quick_dataclasses import dataclass
from runql.resources.history.window import last_step
from runql.resources.runs.parts.counts import count_histories
from runql.resources.runs.query import DEFAULT_ORDER, RunQuery
from runql.transport.flow import Flow
from runql.values import as_json

PAGE: Final = 500
"""Runs that a request lists."""


@dataclass(frozen=True, slots=True)
class CountedRun:
    """A run, and what the server counts of it.

    Attributes:
        id: the server's own id.
        name: its id.
        rows: of its history, as far as the server counts them.
        end: the step behind its last one; None where the server does not know it.
    """

    id: str
    name: str
    rows: int
    end: int | None


def split_runs(query: RunQuery, most: int, known: Sequence[str] | None) -> Flow[list[RunQuery]]:
    """Return queries for parts of a list; one request for each 500 runs at least, none where the ids are known."""
    names = query.ids if known is None else tuple(known)
    if names is None:
        names = tuple(run.name for run in (yield from count_runs(query, with_ends=False)))
    parts = min(most, len(names)) or 1
    cuts = [place * len(names) // parts for place in range(parts + 1)]
    return [chosen_runs(query, names[start:stop]) for start, stop in pairwise(cuts)]


def balanced(weights: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return the bounds of at most ``most`` parts next to each other, the heaviest of them as light as possible.

    Args:
        weights: at least 1 each.
        most: parts; each has an item where there are as many items.
    """
    parts = min(most, len(weights)) or 1
    low, high = max(weights, default=0), sum(weights)
    while low < high:
        middle = (low + high) // 2
        if _parts_of(weights, middle) <= parts:
            high = middle
        else:
            low = middle + 1
    bounds: list[tuple[int, int]] = []
    start, weight = 0, 0
    for index, each in enumerate(weights):
        left = parts - len(bounds)
        if index > start and (weight + each > low or len(weights) - index < left):
            bounds.append((start, index))
            start, weight = index, 0
        weight += each
    return [*bounds, (start, len(weights))]


def _parts_of(weights: Sequence[int], capacity: int) -> int:
    parts, weight = 1, 0
    for each in weights:
        if weight + each > capacity:
            parts, weight = parts + 1, 0
        weight += each
    return parts


def chosen_runs(query: RunQuery, names: Sequence[str], ends: Sequence[int | None] = ()) -> RunQuery:
    """Return the query for exactly these runs, whose rows end before these steps."""
    known = tuple(ends) if any(end is not None for end in ends) else ()
    return replace(query, filters="{}", order=DEFAULT_ORDER, limit=None, ids=tuple(names), ends=known)


def count_runs(query: RunQuery, *, with_ends: bool) -> Flow[list[CountedRun]]:
    """Return the runs of a list, with what the server counts; at least one request for each 500 of them."""
    counted = yield from count_histories(query, max(PAGE, query.per_page), with_keys=with_ends)
    return [
        CountedRun(
            run.id, run.name, run.history_line_count or 0, _end(run.history_line_count, run.history_keys)
        )
        for run in counted
    ]


def _end(rows: int | None, history_keys: object) -> int | None:
    if rows == 0:
        return 0
    last = last_step(as_json(history_keys))
    return None if last is None else last + 1
