"""The pages of sweeps: the list of a project, and one sweep with the values that its runs tried."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from runql_server import lenient_json
from runql_server.errors import NotFoundError, RequestError
from runql_server.lenient_json import JsonValue
from runql_server.listing import pages
from runql_server.pages.handlers import Visit
from runql_server.pages.parts import ranges
from runql_server.pages.rendering import visible
from runql_server.pages.run import bare_config, leaves, run_path
from runql_server.runs.run_values import sql_number
from runql_server.runs.runs import Run
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import Sweep

MOST_RUNS: Final = 1000
"""Runs of a sweep that its page draws and lists: the newest."""

_MOST_SWEEPS: Final = 1000
_LONGEST_LABEL: Final = 60
_BEST_FIRST: Final = {True: ("best", "max", "last"), False: ("best", "min", "last")}


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: its parameters and the value of the sweep's metric."""

    run: Run
    path: str
    parameters: dict[str, JsonValue]
    metric: JsonValue


def sweep_list(visit: Visit) -> Response:
    """List the sweeps of a project, the newest first."""
    project = visit.project
    found = sweeps.page(visit.connection, project.number, after=0, first=_MOST_SWEEPS)
    return visit.page(
        "sweeps.html", project=project, sweeps=[(each, _method(each)) for each in reversed(found)]
    )


def sweep_page(visit: Visit) -> Response:
    """Show a sweep, its runs as lines through the axes of their parameters."""
    project, name = visit.project, visit.parts["sweep"]
    sweep = sweeps.find(visit.connection, project.number, name)
    if sweep is None:
        raise NotFoundError(f"sweep {project.entity_name}/{project.name}/{name} not found")
    page = pages.list_runs(
        visit.connection,
        project.number,
        filters=lenient_json.dump({"sweep": sweep.name}),
        order="-created_at",
        first=MOST_RUNS,
        after=None,
        crash_before=visit.store.crash_before(),
    )
    metric, names = _metric(sweep), _parameters(sweep)
    order = _BEST_FIRST[metric is not None and sweep.parsed.maximize]
    trials = [_trial(edge.node, names, metric, order) for edge in page.edges]
    rows = [[_drawable(value) for value in (*trial.parameters.values(), trial.metric)] for trial in trials]
    axes, problems = ranges.read([*names, *([metric] if metric else [])], rows, visit.query)
    chosen = [all(axis.holds(row) for axis in axes) for row in range(len(trials))]
    drawn = [
        {
            "name": visible(trial.run.display_name, _LONGEST_LABEL),
            "path": trial.path,
            "values": row,
            "out": not is_chosen,
        }
        for trial, row, is_chosen in zip(trials, rows, chosen, strict=True)
    ]
    return visit.page(
        "sweep.html",
        project=project,
        sweep=sweep,
        method=_method(sweep),
        metric=metric,
        best=_best(visit, sweep),
        names=names,
        trials=[trial for trial, is_chosen in zip(trials, chosen, strict=True) if is_chosen],
        total=len(trials),
        problems=problems,
        left_out=sweep.run_count - len(trials),
        drawn=drawn,
        axes=axes,
        labels=[axis.label for axis in axes],
        ranges=[axis.range for axis in axes],
        running=any(trial.run.running for trial in trials),
    )


def _trial(run: Run, names: list[str], metric: str | None, order: tuple[str, ...]) -> Trial:
    config = dict(leaves(bare_config(lenient_json.parse_object(run.config_text, what="config"))))
    summary = lenient_json.parse_object(run.summary_text, what="summary")
    value = summary.get(metric, dict(leaves(summary)).get(metric)) if metric else None
    if isinstance(value, dict):
        # `define_metric` makes an object of statistics; the sweep looks for the best one.
        value = next((value[name] for name in order if name in value), None)
    return Trial(run, run_path(run), {name: config.get(name) for name in names}, value)


def _drawable(value: JsonValue) -> JsonValue:
    """Return what has a place on an axis: NaN and the infinities have none, and long strings are cut."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        number = sql_number(value)
        return number if math.isfinite(number) else None
    return visible(value if isinstance(value, str) else lenient_json.dump(value), _LONGEST_LABEL)


# A stored configuration may be one that no agent can search: its page shows it all the same.
def _method(sweep: Sweep) -> str:
    try:
        return sweep.method
    except RequestError as error:
        return str(error)


def _metric(sweep: Sweep) -> str | None:
    try:
        return sweep.parsed.metric
    except RequestError:
        return None


def _best(visit: Visit, sweep: Sweep) -> float | None:
    try:
        return sweeps.best_loss(visit.connection, sweep)
    except RequestError:
        return None


def _parameters(sweep: Sweep) -> list[str]:
    """Return the paths of the parameters; nested ones are under ``parameters`` of their own."""
    found: list[str] = []
    try:
        pending: list[tuple[str, JsonValue]] = [("", sweep.parsed.document.get("parameters"))]
    except RequestError:
        return []
    while pending:
        prefix, entries = pending.pop(0)
        if isinstance(entries, dict):
            for name, entry in entries.items():
                if isinstance(entry, dict) and isinstance(entry.get("parameters"), dict):
                    pending.append((f"{prefix}{name}.", entry["parameters"]))
                else:
                    found.append(prefix + name)
    return list(dict.fromkeys(found))
