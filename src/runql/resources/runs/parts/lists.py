"""Lists of runs in parts, and what of a list travels to another process."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import field
from typing import TYPE_CHECKING, Self

from runql.arguments import positive
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.pages.listing import Listing
from runql.resources.records.travelling import Travelling
from runql.resources.runs.query import RunQuery
from runql.resources.runs.record import ListedPage
from runql.transport.files.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY, Flow, gather
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient AsyncRun RetryingClient Run"))


@dataclass(eq=False)
class ListShape:
    """The shape in which the pages of a list are read.

    Attributes:
        lazy: whether in the light shape.
        strict: whether an order by what no run of the first page has is an error.
        light_pages: the pages that were read in the light shape.
    """

    lazy: bool
    strict: bool = False
    light_pages: list[ListedPage] = field(default_factory=list[ListedPage])

    def upgrade(self) -> Flow[None]:
        """Read the light pages again in the full shape, and every later page in it."""
        yield from gather([page.load() for page in self.light_pages], limit=DEFAULT_CONCURRENCY)
        self.lazy = False
        self.light_pages.clear()


class SplittableRuns(Travelling):
    """The members of `Runs` for other processes; a list travels as its query."""

    _client: RetryingClient
    _query: RunQuery
    _shape: ListShape
    _listing: Listing[RunFields | FullRunFields, Run]
    _include_sweeps: bool
    _prefetch: bool

    _STAYS = frozenset({"_listing", "_progress", "_returned", "_shared_streams", "_turn"})

    @abstractmethod
    def _begin(
        self,
        client: RetryingClient,
        query: RunQuery,
        shape: ListShape,
        progress: Progress | bool | None,
        *,
        include_sweeps: bool,
        prefetch: bool = False,
    ) -> None:
        """Begin a list of this query."""

    def _settle(self) -> None:
        shape = ListShape(lazy=self._shape.lazy, strict=self._shape.strict)
        self._begin(
            self._client,
            self._query,
            shape,
            None,
            include_sweeps=self._include_sweeps,
            prefetch=self._prefetch,
        )

    def _token(self) -> tuple[object, ...]:
        return repr(self._query), self._shape.lazy, self._shape.strict, self._include_sweeps

    def split(self, n: int, *, workers: int = 1) -> list[Self]:
        """Return at most ``n`` lists of about as many runs, which hold the runs of this list in its order::

            for part in api.runs("team/vision").split(4):
                executor.submit(read, part)

        Each part names its runs by id: it lists the same ones each time, also when others were added or their values
        changed. A run that was deleted since raises `RunNotFoundError`; with ``partial="allow"`` a warning names it.

        Args:
            n: parts at most, at least 1. There are fewer where there are fewer runs, and one for no runs.
            workers: processes that read parts at the same time; each uses such a part of the rate limit, see `Api`.

        Raises:
            IncompleteHistoriesError: the server does not return a run even alone.
            ValueError: ``n`` or ``workers`` is below 1.

        Requests: one for each 500 runs, more where that is too much for the server; none where all pages were read.
        """
        from runql.resources.runs.parts.split import split_runs

        most, processes = positive("n", n), positive("workers", workers)
        known = None if self._listing.more else [run.id for run in self._listing.items]
        queries = self._client.run(split_runs(self._query, most, known))
        client = self._client if processes == 1 else self._client.with_share(1 / processes)
        return [self._part(client, query) for query in queries]

    def _part(self, client: RetryingClient, query: RunQuery) -> Self:
        part = object.__new__(type(self))
        shape = ListShape(lazy=self._shape.lazy)
        part._begin(client, query, shape, None, include_sweeps=self._include_sweeps, prefetch=self._prefetch)
        return part


class AsyncSplittableRuns(Travelling):
    """The members of `AsyncRuns` for other processes; a list travels as its query."""

    _client: AsyncRetryingClient
    _query: RunQuery
    _shape: ListShape
    _listing: Listing[RunFields | FullRunFields, AsyncRun]
    _include_sweeps: bool
    _prefetch: bool

    _STAYS = frozenset({"_listing", "_progress", "_returned", "_shared_streams", "_turn"})

    @abstractmethod
    def _begin(
        self,
        client: AsyncRetryingClient,
        query: RunQuery,
        shape: ListShape,
        progress: Progress | bool | None,
        *,
        include_sweeps: bool,
        prefetch: bool = False,
    ) -> None:
        """Begin a list of this query."""

    def _settle(self) -> None:
        shape = ListShape(lazy=self._shape.lazy, strict=self._shape.strict)
        self._begin(
            self._client,
            self._query,
            shape,
            None,
            include_sweeps=self._include_sweeps,
            prefetch=self._prefetch,
        )

    def _token(self) -> tuple[object, ...]:
        return repr(self._query), self._shape.lazy, self._shape.strict, self._include_sweeps

    async def split(self, n: int, *, workers: int = 1) -> list[Self]:
        """Return at most ``n`` lists of about as many runs, which hold the runs of this list in its order::

            for part in api.runs("team/vision").split(4):
                executor.submit(read, part)

        Each part names its runs by id: it lists the same ones each time, also when others were added or their values
        changed. A run that was deleted since raises `RunNotFoundError`; with ``partial="allow"`` a warning names it.

        Args:
            n: parts at most, at least 1. There are fewer where there are fewer runs, and one for no runs.
            workers: processes that read parts at the same time; each uses such a part of the rate limit, see `Api`.

        Raises:
            IncompleteHistoriesError: the server does not return a run even alone.
            ValueError: ``n`` or ``workers`` is below 1.

        Requests: one for each 500 runs, more where that is too much for the server; none where all pages were read.
        """
        from runql.resources.runs.parts.split import split_runs

        most, processes = positive("n", n), positive("workers", workers)
        known = None if self._listing.more else [run.id for run in self._listing.items]
        queries = await self._client.run(split_runs(self._query, most, known))
        client = self._client if processes == 1 else self._client.with_share(1 / processes)
        return [self._part(client, query) for query in queries]

    def _part(self, client: AsyncRetryingClient, query: RunQuery) -> Self:
        part = object.__new__(type(self))
        shape = ListShape(lazy=self._shape.lazy)
        part._begin(client, query, shape, None, include_sweeps=self._include_sweeps, prefetch=self._prefetch)
        return part
