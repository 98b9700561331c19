"""The pages of sweeps: the list of a project, and one sweep with the values that its runs tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from runql_server import lenient_json
from runql_server.errors import NotFoundError, RequestError
from runql_server.lenient_json import JsonValue
from runql_server.listing import pages
from runql_server.pages.handlers import Visit
from runql_server.pages.run import bare_config, leaves, run_path
from runql_server.runs.runs import Run
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import Sweep

MOST_RUNS: Final = 1000
"""Runs of a sweep that its page draws and lists: the newest."""

_MOST_SWEEPS: Final = 1000


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
    trials = [_trial(edge.node, names, metric) for edge in page.edges]
    drawn = [
        {
            "name": trial.run.display_name,
            "path": trial.path,
            "values": [*trial.parameters.values(), trial.metric],
        }
        for trial in trials
    ]
    return visit.page(
        "sweep.html",
        project=project,
        sweep=sweep,
        method=_method(sweep),
        metric=metric,
        best=_best(visit, sweep),
        names=names,
        trials=trials,
        left_out=sweep.run_count - len(trials),
        drawn=drawn,
        axes=[*names, *([metric] if metric else [])],
        running=sweep.state == "RUNNING",
    )


def _trial(run: Run, names: list[str], metric: str | None) -> Trial:
    config = dict(leaves(bare_config(lenient_json.parse_object(run.config_text, what="config"))))
    summary = lenient_json.parse_object(run.summary_text, what="summary")
    value = summary.get(metric, dict(leaves(summary)).get(metric)) if metric else None
    return Trial(
        run, run_path(run), {name: config.get(name) for name in names}, lenient_json.to_strict(value)
    )


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
    pending: list[tuple[str, JsonValue]] = [("", sweep.parsed.document.get("parameters"))]
    while pending:
        prefix, entries = pending.pop(0)
        if isinstance(entries, dict):
            for name, entry in entries.items():
                if isinstance(entry, dict) and isinstance(entry.get("parameters"), dict):
                    pending.append((f"{prefix}{name}.", entry["parameters"]))
                else:
                    found.append(prefix + name)
    return found
