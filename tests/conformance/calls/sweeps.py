"""Calls of sweeps."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import PATH, the_api
from tests.conformance.library import Library

SWEEPS = Calls()


def the_sweep(library: Library) -> Mapping[str, Thing]:
    """The project's sweep."""
    api = library.api()
    return {"": api.sweep(f"{PATH}/{api.run(f'{PATH}/swept-0').sweep_name}")}


SWEEPS.attributes(
    "Sweep",
    (
        "id",
        "entity",
        "project",
        "name",
        "config",
        "order",
        "expected_run_count",
        "state",
        "path",
        "url",
        "best_loss",
        "display_name",
    ),
    on=the_sweep,
)


@SWEEPS.of("Api.sweep", on=the_api)
def sweep(api: Thing) -> object:
    """by its path, and by that of its URL."""
    name = api.run(f"{PATH}/swept-0").sweep_name
    return [api.sweep(f"{PATH}/{name}").config, api.sweep(f"{PATH}/sweeps/{name}").id == name]


@SWEEPS.of("Api.sweep", on=the_api)
def sweep_that_is_missing(api: Thing) -> object:
    """one that is missing."""
    return api.sweep(f"{PATH}/no-such-sweep").id


@SWEEPS.of("Sweep.runs", on=the_sweep)
def runs_of_a_sweep(found: Thing) -> object:
    """their ids and losses."""
    return [[run.id, run.summary["loss"]] for run in found.runs]


@SWEEPS.of("Sweep.best_run", on=the_sweep)
def best_run(found: Thing) -> object:
    """by the configured metric, and by others."""
    return [found.best_run(order).id for order in (None, "loss", "-loss", "+loss", "summary_metrics.loss")]


@SWEEPS.of("Sweep.best_run", on=the_sweep)
def best_run_by_a_column(found: Thing) -> object:
    """by a column of runs, descending."""
    return found.best_run("createdAt").id


@SWEEPS.of("Sweep.load", on=the_sweep)
def load_a_sweep(found: Thing) -> object:
    """`load(force=True)`."""
    found.load(force=True)
    return [found.id, found.state]


@SWEEPS.of("Sweep.run_count_expected", "Sweep.username", on=the_sweep)
def older_names_of_a_sweep(found: Thing) -> object:
    """how many runs are expected, and whose it is."""
    return [found.run_count_expected, found.username]


@SWEEPS.of("Sweep.to_html", on=the_sweep)
def sweep_to_html(found: Thing) -> object:
    """its form, plain and hidden."""
    return [
        found.to_html().count("iframe"),
        found.to_html(height=200, hidden=True).count("Display W&B sweep"),
    ]
