"""The page of a run: its curves, config, summary and system metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.responses import Response

from runql_server import lenient_json
from runql_server.errors import NotFoundError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.pages import axes
from runql_server.pages.axes import AXES
from runql_server.pages.handlers import Visit
from runql_server.pages.parts import console, files, lineage
from runql_server.pages.parts.media import MediaReader, is_medium
from runql_server.pages.rendering import url, visible
from runql_server.runs import lines, runs
from runql_server.runs.runs import Run

_LONGEST_LEGEND = 60
_MOST_LEVELS = 32


@dataclass(frozen=True)
class Metric:
    """One numeric key of a history, for readers without curves too."""

    key: str
    rows: int
    last: JsonValue

    @property
    def pair(self) -> tuple[str, JsonValue]:
        """Key and last value."""
        return self.key, self.last


def run_page(visit: Visit) -> Response:
    """Show a run."""
    run = run_of(visit)
    config = lenient_json.parse_object(run.config_text, what="config")
    summary = lenient_json.parse_object(run.summary_text, what="summary")
    system = lenient_json.parse_object(run.system_metrics or "{}", what="system metrics")
    metrics = metrics_of(visit, run)
    reader = MediaReader(visit.store, visit.connection, run)
    return visit.page(
        "run.html",
        run=run,
        path_here=run_path(run),
        media=reader.newest(leaves(summary)),
        steps=reader.keys(),
        console=console.before(visit.connection, run.number, None, most=console.FEW),
        files=files.some(visit.connection, run, most=files.FEW),
        logged=lineage.of_run(visit.connection, "outputs", run.number),
        used=lineage.of_run(visit.connection, "inputs", run.number),
        tags=runs.tags(visit.connection, run.number),
        metrics=metrics,
        **axes_of(visit, [run], [metric.key for metric in metrics]),
        system=[Metric(key, 0, value) for key, value in sorted(system.items())],
        config=list(leaves(bare_config(config))),
        summary=[
            (key, value) for key, value in leaves(summary) if not key.startswith("_") and not is_medium(value)
        ],
        drawn=[RunLine.of(run)],
    )


def run_of(visit: Visit) -> Run:
    """Return the run of the path; raises ``NotFoundError``."""
    project, name = visit.project, visit.parts["run"]
    found = runs.find(visit.connection, project.number, name, crash_before=visit.store.crash_before())
    if found is None:
        raise NotFoundError(f"run {project.entity_name}/{project.name}/{name} not found")
    return found


def metrics_of(visit: Visit, run: Run) -> list[Metric]:
    """List the numeric keys of a run's history, without the axes."""
    keys = lines.load_history_keys(visit.connection, run.number)
    found = {} if keys is None else keys.numeric()
    return [Metric(key, info.total, info.previous) for key, info in sorted(found.items()) if key not in AXES]


def axes_of(visit: Visit, shown: Iterable[Run], keys: Iterable[str]) -> dict[str, object]:
    """Return the keys that can be the x axis of these runs, and the step metric of each key that has one."""
    found, wanted = dict.fromkeys(AXES), list(keys)
    steps: dict[str, str] = {}
    for run in shown:
        known = axes.known(lines.load_history_keys(visit.connection, run.number))
        found |= dict.fromkeys(known)
        steps = axes.usable(axes.defined(run, wanted), known) | steps
    return {"axes": list(found), "steps_of": steps}


@dataclass(frozen=True)
class RunLine:
    """What a chart needs to know of a run."""

    name: str
    curves: str
    running: bool

    @classmethod
    def of(cls, run: Run) -> RunLine:
        """Describe a run."""
        return cls(visible(run.display_name, _LONGEST_LEGEND), f"{run_path(run)}/curves", run.running)


def run_path(run: Run) -> str:
    """Return the path of a run's page."""
    return url(run.entity_name, run.project_name, "runs", run.name)


def leaves(document: JsonObject, prefix: str = "", level: int = 0) -> Iterator[tuple[str, JsonValue]]:
    """Yield the values of a document by their paths; an object with ``_type`` or in great depth is one value."""
    for key, value in sorted(document.items()):
        if isinstance(value, dict) and value and "_type" not in value and level < _MOST_LEVELS:
            yield from leaves(value, f"{prefix}{key}.", level + 1)
        else:
            yield prefix + key, value


def bare_config(config: JsonObject) -> JsonObject:
    """Return the values of a config: each is under ``value``, and ``_wandb`` holds what the SDK notes about itself."""
    return {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in config.items()
        if key != "_wandb"
    }
