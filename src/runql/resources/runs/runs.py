"""The runs of a project: the documented `Runs` and its awaited twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, overload

from runql.arguments import shown
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, Listing, Page
from runql.resources.runs.async_run import AsyncRun
from runql.resources.runs.metrics import AsyncRunsMetrics, RunsMetrics
from runql.resources.runs.order import warn_if_unordered
from runql.resources.runs.query import RunQuery, list_full_page, list_light_page
from runql.resources.runs.record import ListedPage, RunRecord
from runql.resources.runs.run import Run
from runql.resources.sweeps.lookup import PageSweeps, SweepShelf
from runql.resources.sweeps.sweep import AsyncSweep, Sweep
from runql.transport.flow import DEFAULT_CONCURRENCY, Flow, gather
from runql.transport.sync import RetryingClient
from runql.values import JSONValue
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from runql.frames.batches import Batch
    from runql.resources.history.sampled import Row, Stream
    from runql.transport.aio import AsyncRetryingClient

Format: TypeAlias = Literal["default", "pandas", "polars"]
R = TypeVar("R", bound=RunRecord)
S = TypeVar("S")


class Runs(RunsMetrics, LazySequence[RunFields | FullRunFields, Run]):
    """The runs of a project that fit a filter, in order, read page by page as they are looked at.

    Indexing, negative indexes and slices read the pages they need; ``len`` and `length` need one. Iterating again
    starts over with what was read, without asking again. A run shows once, also when the server's list shifts between
    two pages. Sends one request a page, config and summary included; with ``lazy=True`` the pages come without them,
    and the first look at one sends one request for all runs of its page.
    """

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        filters: Mapping[str, JSONValue] | None = None,
        order: str | None = None,
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
    ) -> None:
        self._query = RunQuery.checked(entity, project, filters, order, per_page)
        self._shape = ListShape(lazy=lazy)
        super().__init__(
            client,
            _run_listing(
                self._query,
                partial(Run.listed, client, entity, project, include_sweeps=include_sweeps),
                SweepShelf(entity, project, partial(Sweep.listed, client, entity, project)),
                self._shape,
            ),
        )

    def __repr__(self) -> str:
        return f"<Runs {self._query.entity}/{self._query.project}>"

    def upgrade_to_full(self) -> None:
        """Read config, summary and the rest of the runs that were listed with ``lazy=True``; nothing on a full list.

        Sends one request for each page that was read so far, eight of them at a time. Pages that are read later come
        in full. A run that has left its page meanwhile stays as it is.
        """
        self._client.run(self._shape.upgrade())

    @overload
    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: Literal["default"] = "default",
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        format: Literal["pandas"],
        stream: Stream = "default",
    ) -> pd.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        format: Literal["polars"],
        stream: Stream = "default",
    ) -> pl.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["pandas"],
        stream: Stream = "default",
    ) -> pd.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["polars"],
        stream: Stream = "default",
    ) -> pl.DataFrame: ...

    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: Format = "default",
        stream: Stream = "default",
    ) -> list[Row] | pd.DataFrame | pl.DataFrame:
        """Return sampled rows of every run, in list order, each row with its run's id as `run_id`.

        Sends one request a page of runs, whatever the pages read so far. A page that is too much for the server (a
        failure, a timeout, a GraphQL error) is asked again in halves, down to one run.

        Args:
            samples: rows a run at most; a longer history is thinned evenly by the server.
            keys: only rows that have all of these metrics, with the x axis.
            x_axis: the metric that goes along with ``keys``.
            format: ``default`` for a list of dicts, ``pandas`` or ``polars`` for one frame: the union of all runs'
                metrics, columns by name, types decided over every value.
            stream: ``default`` for metrics, ``system`` for the machine's; ``events`` and ``systemMetrics`` are other
                names for ``system``.

        Raises:
            ValueError: unknown format or stream, ``samples`` below 1.
            TypeError: ``keys`` is no list of texts.
            MissingExtraError: the frame's library is not installed; raised before anything is sent.
            IncompleteHistoriesError: some runs cannot be read; what was read of the others is in its ``partial``.
        """
        return self._client.run(_histories(self._query, samples, keys, x_axis, format, stream))


class AsyncRuns(AsyncRunsMetrics, AsyncLazySequence[RunFields | FullRunFields, AsyncRun]):
    """As `Runs`, awaited: ``async for run in runs``, ``await runs[-1]``, ``await runs.length``."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        filters: Mapping[str, JSONValue] | None = None,
        order: str | None = None,
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
    ) -> None:
        self._query = RunQuery.checked(entity, project, filters, order, per_page)
        self._shape = ListShape(lazy=lazy)
        super().__init__(
            client,
            _run_listing(
                self._query,
                partial(AsyncRun.listed, client, entity, project, include_sweeps=include_sweeps),
                SweepShelf(entity, project, partial(AsyncSweep.listed, client, entity, project)),
                self._shape,
            ),
        )

    def __repr__(self) -> str:
        return f"<AsyncRuns {self._query.entity}/{self._query.project}>"

    async def upgrade_to_full(self) -> None:
        """As `Runs.upgrade_to_full`."""
        await self._client.run(self._shape.upgrade())

    @overload
    async def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: Literal["default"] = "default",
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    async def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        format: Literal["pandas"],
        stream: Stream = "default",
    ) -> pd.DataFrame: ...

    @overload
    async def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        format: Literal["polars"],
        stream: Stream = "default",
    ) -> pl.DataFrame: ...

    @overload
    async def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["pandas"],
        stream: Stream = "default",
    ) -> pd.DataFrame: ...

    @overload
    async def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["polars"],
        stream: Stream = "default",
    ) -> pl.DataFrame: ...

    async def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: Format = "default",
        stream: Stream = "default",
    ) -> list[Row] | pd.DataFrame | pl.DataFrame:
        """As `Runs.histories`."""
        return await self._client.run(_histories(self._query, samples, keys, x_axis, format, stream))


@dataclass(eq=False, slots=True)
class ListShape:
    """In which shape the pages of a list are read.

    Attributes:
        lazy: in the light one.
        light_pages: the pages that were read so.
    """

    lazy: bool
    light_pages: list[ListedPage] = field(default_factory=list[ListedPage])

    def upgrade(self) -> Flow[None]:
        """Read the light pages again in the full shape, and all later ones in it."""
        yield from gather([page.load() for page in self.light_pages], limit=DEFAULT_CONCURRENCY)
        self.lazy = False
        self.light_pages.clear()


def check_format(format: str) -> None:
    """Refuse an unknown format, or one whose library is not installed, before anything is sent."""
    from runql.frames.extras import require

    if format == "pandas":
        require("pandas", needed_for='Runs.histories(format="pandas")')
    elif format == "polars":
        require("polars", needed_for='Runs.histories(format="polars")')
    elif format != "default":
        raise ValueError(f"format must be 'default', 'pandas' or 'polars', not {shown(format)}")


def _histories(
    query: RunQuery, samples: int, keys: Sequence[str] | None, x_axis: str, format: Format, stream: Stream
) -> Flow[list[Row] | pd.DataFrame | pl.DataFrame]:
    from runql.frames.row_readers import ColumnReader
    from runql.resources.history.sampled import HistorySample
    from runql.resources.runs.histories.sampled import rows_of, sample_runs

    wish = HistorySample.checked(samples, keys, x_axis, stream)
    check_format(format)
    if format == "default":
        return rows_of((yield from sample_runs(query, wish)))
    batches = yield from sample_runs(query, wish, ColumnReader())
    return _framed(batches, wish.columns, format)


def _framed(
    batches: list[Batch], requested: Sequence[str], format: Literal["pandas", "polars"]
) -> pd.DataFrame | pl.DataFrame:
    from runql.frames.batches import RUN_ID
    from runql.frames.table import Table
    from runql.frames.to_pandas import to_pandas
    from runql.frames.to_polars import to_polars

    table = Table.from_batches(batches, leading=[RUN_ID], requested=requested, order="sorted")
    return to_pandas(table) if format == "pandas" else to_polars(table)


def _run_listing(
    query: RunQuery,
    listed: Callable[[RunFields | FullRunFields, ListedPage | None, PageSweeps[S]], R],
    shelf: SweepShelf[S],
    shape: ListShape,
) -> Listing[RunFields | FullRunFields, R]:
    def read(after: str | None) -> Flow[Page[RunFields | FullRunFields]]:
        page = yield from (list_light_page(query, after) if shape.lazy else list_full_page(query, after))
        return Page([*page.nodes], page.after, page.cursor, page.more, page.total)

    def convert(page: Page[RunFields | FullRunFields]) -> list[R]:
        if page.after is None:
            warn_if_unordered(f"{query.entity}/{query.project}", query.order, page.nodes)
        shared = ListedPage(query, page.after) if shape.lazy else None
        sweeps = PageSweeps(shelf, [fields.sweep_name for fields in page.nodes])
        runs = [listed(fields, shared, sweeps) for fields in page.nodes]
        if shared is not None:
            shared.runs.extend(runs)
            shape.light_pages.append(shared)
        return runs

    return Listing(read, convert, lambda run: run.storage_id)
