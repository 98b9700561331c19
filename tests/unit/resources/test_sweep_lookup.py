"""Sweeps by name: one operation for several, each read once."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from tests.unit.resources.answers import in_project
from tests.unit.transport.stepping import answered, ended, played, returned, sent

from runql import ProjectNotFoundError, SweepNotFoundError
from runql.resources.sweeps.lookup import get_sweeps, read_sweep
from runql.resources.sweeps.page_sweeps import PageSweeps, SweepCache
from runql_graphql.fragments import SweepFields
from runql_graphql.operations import get_sweep

SCHEMA = build_schema((Path(__file__).parents[3] / "schema" / "wandb.graphql").read_text("utf-8"))


def body(name: str) -> dict[str, object]:
    return {
        "id": f"storage:{name}",
        "name": name,
        "method": "grid",
        "state": "RUNNING",
        "config": "{}",
        "createdAt": "2026-07-01T12:00:00",
        "runCount": 1,
    }


def cache() -> SweepCache[str]:
    return SweepCache("e", "p", lambda fields: fields.name.upper())


@pytest.mark.parametrize("count", [1, 2, 60])
def test_the_operation_for_several_is_valid(count: int) -> None:
    operation = get_sweeps(entity="e", project="p", sweeps=[f"s{number}" for number in range(count)])
    assert validate(SCHEMA, parse(operation.document)) == []
    assert operation.document.count("...SweepFields") == count
    assert operation.variables["sweep0"] == "s0"
    fragment = operation.document.partition("fragment ")[2]
    assert fragment == get_sweep(entity="e", project="p", sweep="s").document.partition("fragment ")[2]


def test_the_first_look_reads_the_whole_page_and_later_ones_nothing() -> None:
    page = PageSweeps(cache(), ["a", None, "b", "a", ""])
    found, effects = played(page.of_run("b"), [in_project(sweep0=body("b"), sweep1=body("a"))])
    assert found == "B"
    [operation] = [sent(effect) for effect in effects]
    assert operation.name == "GetSweeps"
    assert operation.variables == {"entity": "e", "project": "p", "sweep0": "b", "sweep1": "a"}
    assert returned(page.of_run("a")) == "A"


def test_the_next_page_asks_only_for_what_is_new() -> None:
    held = cache()
    played(PageSweeps(held, ["a"]).of_run("a"), [in_project(sweep0=body("a"))])
    following = PageSweeps(held, ["a", "c"])
    assert returned(following.of_run("a")) == "A"
    _, effects = played(following.of_run("c"), [in_project(sweep0=body("c"))])
    assert sent(effects[0]).variables == {"entity": "e", "project": "p", "sweep0": "c"}


def test_a_sweep_that_is_gone_is_asked_for_once() -> None:
    page = PageSweeps(cache(), ["gone"])
    assert played(page.of_run("gone"), [in_project(sweep0=None)])[0] is None
    assert returned(page.of_run("gone")) is None


@pytest.mark.parametrize("name", [None, ""])
def test_a_run_outside_sweeps_asks_for_nothing(name: str | None) -> None:
    assert returned(PageSweeps(cache(), ["a"]).of_run(name)) is None


def test_absent_projects_and_sweeps_are_told_apart() -> None:
    flow = PageSweeps(cache()).of_run("a")
    next(flow)
    with pytest.raises(ProjectNotFoundError):
        flow.send(answered({"project": None}))
    one = read_sweep("e", "p", "s")
    next(one)
    with pytest.raises(ProjectNotFoundError):
        one.send(answered({"project": None}))
    one = read_sweep("e", "p", "s")
    next(one)
    with pytest.raises(SweepNotFoundError, match="e/p/s"):
        one.send(in_project(sweep=None))
    one = read_sweep("e", "p", "s")
    next(one)
    assert isinstance(ended(one, in_project(sweep=body("s"))), SweepFields)
