"""Whether a response is about what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.unit.resources.answers import page_of
from tests.unit.transport.stepping import answered, played

from runql.errors import (
    MismatchedResponseError,
    ProjectNotFoundError,
    RunNotFoundError,
    SchemaDriftError,
    SweepNotFoundError,
)
from runql.paths import RunAddress
from runql.resources.project import list_project_page
from runql.resources.records.identity import (
    is_same,
    require_id,
    require_project,
    require_run,
    require_run_project,
    require_runs,
    require_sweep,
)
from runql.resources.runs.query import RunQuery, list_full_page
from runql.resources.sweeps.lookup import read_sweeps


@dataclass
class Named:
    name: str


@dataclass
class Home:
    """A response's project."""

    name: str = "p"
    entity_name: str = "e"
    run: Named | None = None
    sweep: Named | None = None
    runs: list[Named] | None = None


def test_what_was_asked_for_is_returned() -> None:
    home = Home(run=Named("r"), sweep=Named("s"), runs=[])
    assert require_project(home, "e", "p") is home
    assert require_run(home, "e", "p", "r") is home.run
    assert require_sweep(home, "e", "p", "s") is home.sweep
    assert require_runs(home, "e", "p") is home.runs


def test_null_is_not_found() -> None:
    for require in (require_project, require_runs):
        with pytest.raises(ProjectNotFoundError, match="e/p"):
            require(None, "e", "p")
    with pytest.raises(ProjectNotFoundError, match="e/p"):
        require_runs(Home(), "e", "p")
    with pytest.raises(RunNotFoundError, match="e/p/r"):
        require_run(Home(), "e", "p", "r")
    with pytest.raises(SweepNotFoundError, match="e/p/s"):
        require_sweep(Home(), "e", "p", "s")


@pytest.mark.parametrize(
    ("home", "found"),
    [
        (Home("q", run=Named("r")), "project e/q"),
        (Home(entity_name="f", run=Named("r")), "project f/p"),
        (Home(run=Named("other")), "run e/p/other"),
    ],
)
def test_something_else_is_refused_and_the_error_names_both(home: Home, found: str) -> None:
    with pytest.raises(MismatchedResponseError, match="nothing of it was used") as caught:
        require_run(home, "e", "p", "r")
    assert caught.value.found == found
    assert "e/p" in caught.value.asked
    assert "use its new name" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "found", "same"),
    [
        ("p", "p", True),
        ("Team", "team", True),
        ("STRASSE", "straße", True),
        ("\u00e9t\u00e9", "e\u0301te\u0301", True),
        ("p", "p2", False),
        ("p", "", False),
        ("a-b", "a_b", False),
    ],
)
def test_names_are_compared_as_servers_find_them(asked: str, found: str, same: bool) -> None:
    assert is_same(asked, found) is same


def test_ids_of_the_servers_own_are_compared_as_they_are() -> None:
    require_id("run", "UnVu", "UnVu")
    with pytest.raises(MismatchedResponseError, match="run UnVu"):
        require_id("run", "UnVu", "unvu")


def test_a_hidden_project_says_nothing() -> None:
    place = RunAddress("e", "p", "r")
    require_run_project(place, None)
    with pytest.raises(MismatchedResponseError):
        require_run_project(place, Home("q"))


def test_a_page_of_another_projects_runs_is_refused() -> None:
    with pytest.raises(MismatchedResponseError, match=r"project e/q.*project e/p"):
        played(list_full_page(RunQuery("e", "q"), None), [page_of("a", "b")])


def test_projects_of_another_entity_are_refused() -> None:
    node = {
        "id": "P",
        "name": "p",
        "entityName": "e",
        "createdAt": "2026-01-01T00:00:00",
        "updatedAt": None,
        "description": None,
        "access": None,
        "isBenchmark": False,
    }
    page = {
        "pageInfo": {"endCursor": None, "hasNextPage": False},
        "edges": [{"cursor": "c", "node": node}],
    }
    reply = answered({"models": page})
    assert len(played(list_project_page("E", 10, None), [reply])[0].nodes) == 1
    with pytest.raises(MismatchedResponseError, match="projects of f"):
        played(list_project_page("f", 10, None), [reply])


def test_a_response_with_other_sweeps_is_refused_and_one_without_them_is_none() -> None:
    with pytest.raises(SchemaDriftError, match=r"project\.sweep1: Field required"):
        played(read_sweeps("e", "p", ["a", "b"]), [answered({"project": {"sweep0": None}})])
