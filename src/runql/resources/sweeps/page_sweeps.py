"""The sweeps of a list of runs: those of a page in one request, when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.transport.flow import Flow, share_read
from runql.transport.single_flight import SingleFlight

if TYPE_CHECKING:
    from runql_graphql.fragments import SweepFields

S = TypeVar("S")


class SweepCache(Generic[S]):
    """The sweeps of a list of runs. Each sweep is read once, and all its runs share it."""

    def __init__(self, entity: str, project: str, make: Callable[[SweepFields], S]) -> None:
        self._entity = entity
        self._project = project
        self._make = make
        self._found: dict[str, S | None] = {}
        self._reads = SingleFlight()

    def look_up(self, name: str, together_with: Iterable[str | None] = ()) -> Flow[S | None]:
        """One sweep, None when it is absent.

        When it was not read yet, one request reads it and those of ``together_with`` that are missing.
        """

        def read() -> Flow[None]:
            # Its models are needed by few lists: those whose sweeps somebody asks for.
            from runql.resources.sweeps.lookup import read_sweeps

            asked = dict.fromkeys([name, *(each for each in together_with if each)])
            missing = [each for each in asked if each not in self._found]
            found = yield from read_sweeps(self._entity, self._project, missing)
            made = {each: None if fields is None else self._make(fields) for each, fields in found.items()}
            self._found.update(made)

        yield from share_read(self._reads, lambda: name not in self._found, read)
        return self._found[name]


class PageSweeps(Generic[S]):
    """The sweeps that the runs of one page belong to."""

    def __init__(self, cache: SweepCache[S], names: Iterable[str | None] = ()) -> None:
        self._cache = cache
        self._names = tuple(dict.fromkeys(names))

    def of_run(self, name: str | None) -> Flow[S | None]:
        """The sweep of a run; the first call for a page reads the sweeps of all its runs, by one request."""
        if not name:
            return None
        return (yield from self._cache.look_up(name, self._names))
