"""Scans of many runs in parts of about as many rows, which give the same rows each time."""

from __future__ import annotations

from dataclasses import replace

from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.parts.split import CountedRun, balanced, chosen_runs, count_runs
from runql.transport.flow import Flow


def split_scan(plan: HistoriesPlan, most: int) -> Flow[list[HistoriesPlan]]:
    """Return plans for parts of a scan, with the last step of each run; one request for each 500 runs."""
    query = plan.query
    counted = yield from count_runs(query, with_ends=True)
    if query.ids is not None:
        # A run that was deleted stays in its part, which reports it.
        found, ends = {run.name: run for run in counted}, query.end_steps
        listed = [found.get(name) or CountedRun(name, name, 0, None) for name in query.ids]
        counted = [replace(run, end=ends.get(run.name, run.end)) for run in listed]
    parts = [counted[start:stop] for start, stop in balanced([run.rows + 1 for run in counted], most)]
    return [
        replace(
            plan,
            query=chosen_runs(query, [run.name for run in part], [run.end for run in part]),
            heights=tuple(run.rows for run in part),
        )
        for part in parts
    ]
