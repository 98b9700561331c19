"""Lists of runs whose config and summary are instances of a user's types: `TypedRuns`, and `AsyncTypedRuns`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.errors import UnexpectedValueError
from runql.postponed import postponed
from runql.projections.checked import OnInvalid, checked_on_invalid
from runql.projections.projection import projection_of
from runql.resources.records.tables import described
from runql.resources.runs.editing import EditableRun

if TYPE_CHECKING:
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient AsyncRun RetryingClient Run"))

C = TypeVar("C")
S = TypeVar("S")
C_co = TypeVar("C_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TypedRun(Generic[C_co, S_co]):
    """A run of `TypedRuns`.

    Attributes:
        run: the run itself.
        config: an instance of the type that `Runs.typed` was given; None without one.
        summary: likewise.
    """

    run: Run
    config: C_co
    summary: S_co


@dataclass(frozen=True, slots=True)
class AsyncTypedRun(Generic[C_co, S_co]):
    """The async twin of `TypedRun`."""

    run: AsyncRun
    config: C_co
    summary: S_co


class TypedRuns(Generic[C_co, S_co]):
    """Runs with their config and summary as instances of a user's types; `Runs.typed` makes them::

        for each in api.runs("team/vision").typed(config=Train, summary=Scores):
            print(each.run.name, each.config.lr, each.summary.acc)

    Each ``for`` begins with the first run, and requests no page twice.

    Requests: those of the list of runs, one a page; with ``lazy=True`` two.

    Raises: `UnexpectedValueError`, a value is not of the type, with ``on_invalid="raise"``.
    """

    def __init__(self, client: RetryingClient, runs: Iterable[Run], values: TypedValues[C_co, S_co]) -> None:
        self._client = client
        self._runs = runs
        self._values = values
        self._skipped: list[tuple[Run, UnexpectedValueError]] = []

    def __repr__(self) -> str:
        return described("TypedRuns", f"of {self._runs!r}")

    @property
    def skipped(self) -> list[tuple[Run, UnexpectedValueError]]:
        """The runs that the latest iteration left out, each with its error; only with ``on_invalid="skip"``."""
        return list(self._skipped)

    def __iter__(self) -> Iterator[TypedRun[C_co, S_co]]:
        self._skipped = []
        runs = iter(self._runs)
        while (found := self._next(runs)) is not None:
            yield found

    def _next(self, runs: Iterator[Run]) -> TypedRun[C_co, S_co] | None:
        with self._client.call():
            for run in runs:
                found = self._values.of(run)
                if not isinstance(found, UnexpectedValueError):
                    return TypedRun(run, *found)
                self._skipped.append((run, found))
        return None


class AsyncTypedRuns(Generic[C_co, S_co]):
    """The async twin of `TypedRuns`: ``async for each in runs.typed(config=Train)``."""

    def __init__(
        self, client: AsyncRetryingClient, runs: AsyncIterable[AsyncRun], values: TypedValues[C_co, S_co]
    ) -> None:
        self._client = client
        self._runs = runs
        self._values = values
        self._skipped: list[tuple[AsyncRun, UnexpectedValueError]] = []

    def __repr__(self) -> str:
        return described("AsyncTypedRuns", f"of {self._runs!r}")

    @property
    def skipped(self) -> list[tuple[AsyncRun, UnexpectedValueError]]:
        """The runs that the latest iteration left out, each with its error; only with ``on_invalid="skip"``."""
        return list(self._skipped)

    async def __aiter__(self) -> AsyncIterator[AsyncTypedRun[C_co, S_co]]:
        self._skipped = []
        runs = aiter(self._runs)
        while (found := await self._next(runs)) is not None:
            yield found

    async def _next(self, runs: AsyncIterator[AsyncRun]) -> AsyncTypedRun[C_co, S_co] | None:
        with self._client.call():
            async for run in runs:
                # Sends nothing, unless the run was listed with ``lazy=True``.
                await run.load()
                found = self._values.of(run)
                if not isinstance(found, UnexpectedValueError):
                    return AsyncTypedRun(run, *found)
                self._skipped.append((run, found))
        return None


@dataclass(frozen=True, slots=True)
class TypedValues(Generic[C_co, S_co]):
    """Makes instances of a run's config and summary.

    Attributes:
        config: from a run that is loaded.
        summary: likewise.
        on_invalid: what to do with a run whose values do not fit.
    """

    config: Callable[[EditableRun], C_co]
    summary: Callable[[EditableRun], S_co]
    on_invalid: OnInvalid

    def of(self, run: EditableRun) -> tuple[C_co, S_co] | UnexpectedValueError:
        """Return a run's config and summary; the error where one does not fit and is to be left out.

        Raises:
            UnexpectedValueError: one does not fit, with ``on_invalid="raise"``.
        """
        try:
            return self.config(run), self.summary(run)
        except UnexpectedValueError as error:
            if self.on_invalid == "raise":
                raise
            return error


def typed_values(
    config: type[C] | None, summary: type[S] | None, on_invalid: OnInvalid
) -> TypedValues[C | None, S | None]:
    """Check the arguments of a caller; a type that is None makes None.

    Raises:
        TypeError: both are None, or one has no fields.
        ValueError: ``on_invalid`` is unknown.
    """
    if config is None and summary is None:
        raise TypeError("typed() needs the type of the config, of the summary, or both: typed(config=Train)")
    for name, kind in (("config", config), ("summary", summary)):
        if kind is not None:
            projection_of(name, kind)
    return TypedValues(
        lambda run: None if config is None else run.config_as(config),
        lambda run: None if summary is None else run.summary_as(summary),
        checked_on_invalid(on_invalid),
    )
