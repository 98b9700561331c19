"""Checks that a response is about the project, run or sweep that was requested."""

from __future__ import annotations

import unicodedata
from typing import Protocol, TypeVar

from runql.errors import (
    MismatchedResponseError,
    ProjectNotFoundError,
    RunNotFoundError,
    SweepNotFoundError,
)
from runql.paths import RunAddress


class NamedProject(Protocol):
    """A response's project."""

    @property
    def name(self) -> str: ...

    @property
    def entity_name(self) -> str: ...


class Named(Protocol):
    """A response's run, sweep, collection or type."""

    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=NamedProject)
N = TypeVar("N", bound=Named)
N_co = TypeVar("N_co", bound=Named, covariant=True)
C_co = TypeVar("C_co", covariant=True)


class WithRun(NamedProject, Protocol[N_co]):
    """A response's project with the requested run."""

    @property
    def run(self) -> N_co | None: ...


class WithRuns(NamedProject, Protocol[C_co]):
    """A response's project with a page of its runs."""

    @property
    def runs(self) -> C_co | None: ...


class WithSweep(NamedProject, Protocol[N_co]):
    """A response's project with the requested sweep."""

    @property
    def sweep(self) -> N_co | None: ...


def require_project(found: P | None, entity: str, project: str) -> P:
    """Return the requested project.

    Some servers find a renamed project by its old name. Such a response is refused, because it looks like the response
    to another request; the error contains the new name.

    Raises:
        ProjectNotFoundError: the server returned null: the project is absent or hidden.
        MismatchedResponseError: the response is about another one.
    """
    if found is None:
        raise ProjectNotFoundError(entity, project)
    if not (is_same(entity, found.entity_name) and is_same(project, found.name)):
        raise MismatchedResponseError(
            f"project {entity}/{project}", f"project {found.entity_name}/{found.name}"
        )
    return found


def require_run(found: WithRun[N_co] | None, entity: str, project: str, run: str) -> N_co:
    """Return the requested run from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project has no such run.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.run is None:
        raise RunNotFoundError(entity, project, run)
    require_name(f"run {entity}/{project}/", run, home.run.name)
    return home.run


def require_runs(found: WithRuns[C_co] | None, entity: str, project: str) -> C_co:
    """Return the page of runs from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.runs is None:
        raise ProjectNotFoundError(entity, project)
    return home.runs


def require_sweep(found: WithSweep[N_co] | None, entity: str, project: str, sweep: str) -> N_co:
    """Return the requested sweep from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        SweepNotFoundError: the project has no such sweep.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.sweep is None:
        raise SweepNotFoundError(entity, project, sweep)
    require_name(f"sweep {entity}/{project}/", sweep, home.sweep.name)
    return home.sweep


def require_run_project(place: RunAddress, project: NamedProject | None) -> None:
    """Check that the project in a response is the run's; passes if the server hides the project.

    Raises:
        MismatchedResponseError: the response is about another project.
    """
    if project is not None:
        require_project(project, place.entity, place.project)


def require_name(kind: str, requested: str, found: str) -> None:
    """Check that a response has the requested name; see `is_same`.

    Raises:
        MismatchedResponseError: it has another name.
    """
    if not is_same(requested, found):
        raise MismatchedResponseError(f"{kind}{requested}", f"{kind}{found}")


def require_id(kind: str, requested: str, found: str) -> None:
    """Check that a response has the requested id of the server; upper and lower case differ.

    Raises:
        MismatchedResponseError: it has another id.
    """
    if requested != found:
        raise MismatchedResponseError(f"{kind} {requested}", f"{kind} {found}")


def is_same(requested: str, found: str) -> bool:
    """Whether two names are the same to a server; some servers ignore case."""
    return requested == found or _folded(requested) == _folded(found)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
