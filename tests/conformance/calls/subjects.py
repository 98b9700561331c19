"""Subjects of calls: an entry point, the runs of the project, one of them, its files, a run to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.conformance.calls.call import Subjects, Thing
from tests.conformance.library import Library
from tests.conformance.write_project import CHANGES, PROJECT

ENTITY = "local"
PATH = f"{ENTITY}/{PROJECT}"
RICH = f"{PATH}/rich"


def the_library(library: Library) -> Mapping[str, Thing]:
    """The library itself."""
    return {"": library}


def the_api(library: Library) -> Mapping[str, Thing]:
    """An entry point."""
    return {"": library.api()}


def the_runs(library: Library) -> Mapping[str, Thing]:
    """The list of all runs of the project, without loaded pages."""
    return {"": library.api().runs(PATH)}


def every_run(library: Library) -> Mapping[str, Thing]:
    """Each run of the project, from the list."""
    return {run.id: run for run in library.api().runs(PATH)}


def run(*names: str) -> Subjects:
    """Runs of the project, each loaded alone."""

    def found(library: Library) -> Mapping[str, Thing]:
        api = library.api()
        return {name: api.run(f"{PATH}/{name}") for name in names}

    return found


def target(name: str) -> Subjects:
    """The run that the call of this name may change."""
    if name not in CHANGES:
        raise ValueError(f"write_project.CHANGES lacks {name}")

    def found(library: Library) -> Mapping[str, Thing]:
        return {"": library.api().run(f"{ENTITY}/changes/{name}")}

    return found


def each(read: Callable[[Thing], Mapping[str, Thing]], of: Subjects) -> Subjects:
    """What belongs to subjects, such as the files of a run."""

    def found(library: Library) -> Mapping[str, Thing]:
        return {label: part for thing in of(library).values() for label, part in read(thing).items()}

    return found
