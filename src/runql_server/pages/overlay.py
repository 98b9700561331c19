"""The curves of several runs of a project, one over the other."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from runql_server.errors import NotFoundError
from runql_server.pages.handlers import Visit
from runql_server.pages.run import RunLine, metrics_of, run_path
from runql_server.runs import runs
from runql_server.runs.runs import Run

_MOST_RUNS = 30


def overlay(visit: Visit, given: Sequence[str]) -> Response:
    """Show the curves of runs: ``runs=a,b`` or ``runs=a&runs=b``, with ``keys=`` only those of these keys."""
    found = _runs(visit, given)
    drawn = found[:_MOST_RUNS]
    metrics = {metric.key for run in drawn for metric in metrics_of(visit, run)}
    wanted = {key for part in visit.query.getlist("keys") for key in (part, *part.split(","))}
    return visit.page(
        "overlay.html",
        project=visit.project,
        runs=[(run, run_path(run)) for run in drawn],
        left_out=len(found) - len(drawn),
        drawn=[RunLine.of(run) for run in drawn],
        metrics=sorted(metrics & wanted if wanted else metrics),
        unknown=sorted(wanted - metrics) if wanted and not metrics & wanted else [],
    )


def _runs(visit: Visit, given: Sequence[str]) -> list[Run]:
    project, found = visit.project, dict[str, Run]()
    for part in given:
        # A comma may be in the id of a run.
        for name in [part] if _find(visit, part) is not None else part.split(","):
            run = _find(visit, name)
            if run is None:
                raise NotFoundError(f"run {project.entity_name}/{project.name}/{name} not found")
            found[name] = run
    return list(found.values())


def _find(visit: Visit, name: str) -> Run | None:
    return runs.find(visit.connection, visit.project.number, name, crash_before=visit.store.crash_before())
