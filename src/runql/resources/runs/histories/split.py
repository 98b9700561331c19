"""Scans of many runs in parts of about as many rows, which give the same rows each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.parts.split import CountedRun, balanced, chosen_runs, count_runs
from runql.transport.flow import Flow


def split_scan(plan: HistoriesPlan, most: int) -> Flow[list[HistoriesPlan]]:
    """Return plans for parts of a scan, with the last step of each run.

    Requests: one for each 500 runs; none for a part, whose rows were counted when it was made.
    """
    query = plan.query
    if query.ids is None:
        counted = yield from count_runs(query, with_ends=True)
    else:
        counted = yield from _count_chosen(plan, query.ids)
    parts = [counted[start:stop] for start, stop in balanced([run.rows + 1 for run in counted], most)]
    return [
        replace(
            plan,
            query=chosen_runs(query, [run.name for run in part], [run.end for run in part]),
            heights=tuple(run.rows for run in part),
        )
        for part in parts
    ]


def _count_chosen(plan: HistoriesPlan, ids: Sequence[str]) -> Flow[list[CountedRun]]:
    ends = plan.query.end_steps
    if len(plan.heights) == len(ids):
        return [
            CountedRun(name, name, rows, ends.get(name)) for name, rows in zip(ids, plan.heights, strict=True)
        ]
    # A run that was deleted stays in its part, which reports it.
    found = {run.name: run for run in (yield from count_runs(plan.query, with_ends=True))}
    listed = [found.get(name) or CountedRun(name, name, 0, None) for name in ids]
    return [replace(run, end=ends.get(run.name, run.end)) for run in listed]
