"""Brackets of early stopping: records which runs reached them, and stops the worse runs."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from runql_server import lenient_json
from runql_server.runs import lines
from runql_server.runs.history_keys import HistoryKeys, KeyInfo
from runql_server.sweeps import trials
from runql_server.sweeps.early_stopping import Hyperband
from runql_server.sweeps.sweeps import Sweep


@dataclass(frozen=True)
class _Reached:
    """A run's best value after ``iteration`` history rows with the metric."""

    run_name: str
    iteration: int
    value: float


def stop_worse_runs(connection: sqlite3.Connection, sweep: Sweep, hyperband: Hyperband) -> None:
    """Record the newly reached brackets, and stop the runs that are worse than others there. Needs a transaction."""
    new = list(_record(connection, sweep, hyperband))
    reached = _all_reached(connection, sweep)
    for each in reached if hyperband.strict else new:
        others = [other.value for other in reached if other.iteration == each.iteration]
        if hyperband.stops(each.value, others, maximize=sweep.parsed.maximize):
            trials.stop(connection, sweep, each.run_name)


def _record(connection: sqlite3.Connection, sweep: Sweep, hyperband: Hyperband) -> Iterator[_Reached]:
    metric = sweep.parsed.metric or ""
    query = """SELECT runs.id, runs.name, (SELECT MAX(iteration) FROM sweep_brackets WHERE run_id = runs.id) AS last
        FROM runs WHERE project_id = ? AND sweep = ?"""
    for row in connection.execute(query, (sweep.project_number, sweep.name)).fetchall():
        keys = lines.load_history_keys(connection, row["id"])
        iterations = 0 if keys is None else _iterations(keys, metric)
        due = [each for each in hyperband.brackets if (row["last"] or 0) < each <= iterations]
        values = _values(connection, row["id"], metric) if due else []
        for iteration in due:
            reached = _Reached(
                row["name"], iteration, _best(values[:iteration], maximize=sweep.parsed.maximize)
            )
            # SQLite stores NaN as NULL.
            connection.execute(
                "INSERT OR REPLACE INTO sweep_brackets (run_id, iteration, value) VALUES (?, ?, ?)",
                (row["id"], iteration, reached.value),
            )
            yield reached


def _all_reached(connection: sqlite3.Connection, sweep: Sweep) -> list[_Reached]:
    query = """SELECT runs.name, iteration, value FROM sweep_brackets JOIN runs ON runs.id = sweep_brackets.run_id
        WHERE runs.project_id = ? AND runs.sweep = ?"""
    rows = connection.execute(query, (sweep.project_number, sweep.name))
    return [
        _Reached(row["name"], row["iteration"], math.nan if row["value"] is None else row["value"])
        for row in rows
    ]


def _iterations(keys: HistoryKeys, metric: str) -> int:
    """Count the rows with the metric, which may be nested in objects."""
    if metric in keys.keys:
        return keys.keys[metric].total
    members, info = keys.keys, KeyInfo()
    for part in metric.split("."):
        if part not in members:
            return 0
        info = members[part]
        members = info.members
    return info.total


def _values(connection: sqlite3.Connection, run: int, metric: str) -> list[float]:
    values: list[float] = []
    for row in connection.execute("SELECT text FROM history WHERE run_id = ? ORDER BY step, line", (run,)):
        found = lenient_json.lookup(lenient_json.parse_object(row["text"], what="history"), metric)
        if found is not None:
            (value,) = found
            values.append(
                math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
            )
    return values


def _best(values: list[float], *, maximize: bool) -> float:
    known = [value for value in values if not math.isnan(value)]
    return (max if maximize else min)(known, default=math.nan)
