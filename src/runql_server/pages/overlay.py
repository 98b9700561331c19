"""The curves of several runs of a project, one over the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from runql_server.errors import NotFoundError
from runql_server.lenient_json import JsonValue
from runql_server.pages.handlers import Visit
from runql_server.pages.run import RunLine, axes_of, metrics_of, run_path
from runql_server.pages.wanted import Wanted
from runql_server.runs import runs
from runql_server.runs.runs import Run

MOST_RUNS: Final = 30
"""Runs of one page: a chart of more lines shows nothing."""


@dataclass(frozen=True)
class Chosen:
    """One run of the page, and the last numbers of its history."""

    run: Run
    path: str
    last: dict[str, JsonValue]


def overlay(visit: Visit, given: Sequence[str]) -> Response:
    """Show the curves of runs: ``runs=a,b`` or ``runs=a&runs=b``, with ``keys=`` only those of these keys.

    The runs beyond the first 30 are behind a link. Those that are gone are named.
    """
    found: dict[str, Run] = {}
    missing: list[str] = []
    for name, run in _named(visit, given):
        if run is None:
            missing.append(name)
        else:
            found[name] = run
    if not found:
        project = visit.project
        raise NotFoundError(f"run {project.entity_name}/{project.name}/{missing[0]} not found")
    names, wanted = list(found), Wanted.read(visit.query)
    chosen = [_chosen(visit, found[name]) for name in names[:MOST_RUNS]]
    metrics = {key for each in chosen for key in each.last}
    keys, unknown = _keys(visit.query.getlist("keys"), metrics)
    parts = visit.query.getlist("keys")
    rest = [("runs", name) for name in names[MOST_RUNS:]] + [("keys", part) for part in parts]
    return visit.page(
        "overlay.html",
        project=visit.project,
        chosen=chosen,
        back=wanted.address(),
        left_out=len(names) - len(chosen),
        rest=wanted.address(*rest),
        missing=missing,
        drawn=[RunLine.of(each.run) for each in chosen],
        metrics=sorted(keys),
        **axes_of(visit, [each.run for each in chosen], sorted(keys)),
        unknown=unknown,
    )


def _chosen(visit: Visit, run: Run) -> Chosen:
    return Chosen(run, run_path(run), {metric.key: metric.last for metric in metrics_of(visit, run)})


def _keys(given: Iterable[str], metrics: set[str]) -> tuple[set[str], list[str]]:
    """Return the keys to draw, and those that no run has; a comma may be in a key."""
    parts = [part for part in given if part]
    if not parts:
        return metrics, []
    names = dict.fromkeys(name for part in parts for name in _names(part, part in metrics))
    return metrics & set(names), [name for name in names if name not in metrics]


def _named(visit: Visit, given: Iterable[str]) -> Iterator[tuple[str, Run | None]]:
    """Find the runs of these ids; a comma may be in an id."""
    for part in given:
        whole = _find(visit, part)
        if whole is not None:
            yield part, whole
        else:
            for name in _names(part, is_one=False):
                yield name, _find(visit, name)


def _names(part: str, is_one: bool) -> list[str]:
    return [part] if is_one else [name for name in part.split(",") if name]


def _find(visit: Visit, name: str) -> Run | None:
    return runs.find(visit.connection, visit.project.number, name, crash_before=visit.store.crash_before())
