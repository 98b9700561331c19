"""Whether a response is about what was asked for: the one place where that is judged."""

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
    """A response's project, and in it the run that was asked for."""

    @property
    def run(self) -> N_co | None: ...


class WithRuns(NamedProject, Protocol[C_co]):
    """A response's project, and a page of its runs."""

    @property
    def runs(self) -> C_co | None: ...


class WithSweep(NamedProject, Protocol[N_co]):
    """A response's project, and in it the sweep that was asked for."""

    @property
    def sweep(self) -> N_co | None: ...


def require_project(found: P | None, entity: str, project: str) -> P:
    """The project that was asked for.

    Servers may find a renamed project by its old name. Its response has the new name and is refused, because nothing
    tells it from the response to another request; the error names the new name.

    Raises:
        ProjectNotFoundError: the server answered null: it is absent or hidden.
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
    """The run that was asked for, from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.run is None:
        raise RunNotFoundError(entity, project, run)
    require_name(f"run {entity}/{project}/", run, home.run.name)
    return home.run


def require_runs(found: WithRuns[C_co] | None, entity: str, project: str) -> C_co:
    """The page of runs, from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.runs is None:
        raise ProjectNotFoundError(entity, project)
    return home.runs


def require_sweep(found: WithSweep[N_co] | None, entity: str, project: str, sweep: str) -> N_co:
    """The sweep that was asked for, from the response's project.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        SweepNotFoundError: the project holds no such sweep.
        MismatchedResponseError: the response is about another one.
    """
    home = require_project(found, entity, project)
    if home.sweep is None:
        raise SweepNotFoundError(entity, project, sweep)
    require_name(f"sweep {entity}/{project}/", sweep, home.sweep.name)
    return home.sweep


def require_run_project(place: RunAddress, project: NamedProject | None) -> None:
    """Refuse a run's response whose project is not the run's; nothing is compared where the server hides the project.

    Raises:
        MismatchedResponseError: it is another one.
    """
    if project is not None:
        require_project(project, place.entity, place.project)


def require_name(kind: str, asked: str, found: str) -> None:
    """Refuse a response about something of another name.

    Raises:
        MismatchedResponseError: ``found`` is not what was ``asked`` for.
    """
    if not is_same(asked, found):
        raise MismatchedResponseError(f"{kind}{asked}", f"{kind}{found}")


def require_id(kind: str, asked: str, found: str) -> None:
    """Refuse a response about something with another of the server's own ids, which are compared as they are.

    Raises:
        MismatchedResponseError: ``found`` is not what was ``asked`` for.
    """
    if asked != found:
        raise MismatchedResponseError(f"{kind} {asked}", f"{kind} {found}")


def is_same(asked: str, found: str) -> bool:
    """Whether two names mean the same to a server; some find names in any case."""
    return asked == found or _folded(asked) == _folded(found)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
