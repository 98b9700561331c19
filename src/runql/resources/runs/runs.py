"""The runs of a project: the documented `Runs`, and `AsyncRuns` for the async client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar, overload

from runql.arguments import checked_bool
from runql.paths import RunAddress
from runql.postponed import postponed
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, Listing, Page
from runql.resources.records.tables import described
from runql.resources.runs.async_run import AsyncRun
from runql.resources.runs.frames.run_frames import AsyncRunFrames, RunFrames
from runql.resources.runs.order import warn_if_unordered
from runql.resources.runs.parts.lists import AsyncSplittableRuns, ListShape, SplittableRuns
from runql.resources.runs.query import (
    RunQuery,
    checked_missing,
    list_full_page,
    list_light_page,
    refuse_absent,
)
from runql.resources.runs.record import ListedPage, RunRecord
from runql.resources.runs.run import Run
from runql.resources.sweeps.page_sweeps import PageSweeps, SweepCache
from runql.transport.files.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY, Flow
from runql.transport.sync import RetryingClient
from runql.values import Filters, Missing
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pandas_types as pd
    from runql.frames.library_types import polars_types as pl
    from runql.frames.library_types import pyarrow_types as pa
    from runql.projections.checked import OnInvalid
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.runs.histories.formats import SampleFormat, ScanFormat
    from runql.resources.runs.histories.page import HistoriesPlan
    from runql.resources.runs.histories.scan import AsyncHistoriesScan, HistoriesScan
    from runql.resources.runs.typed.typed_runs import AsyncTypedRuns, TypedRuns
    from runql.resources.sweeps.sweep import AsyncSweep, Sweep
    from runql.transport.aio import AsyncRetryingClient
    from runql_graphql.fragments import SweepFields
else:
    globals().update(
        postponed(
            "AsyncHistoriesScan AsyncRetryingClient AsyncTypedRuns HistoriesScan Match OnInvalid "
            "Row SampleFormat ScanFormat Schema Stream TypedRuns pa pd pl"
        )
    )

SCAN_PAGE_SIZE: Final = 10_000
R = TypeVar("R", bound=RunRecord)
C = TypeVar("C")
S = TypeVar("S")


class Runs(SplittableRuns, RunFrames, LazySequence[RunFields | FullRunFields, Run]):
    """The runs of a project that match a filter, in order, as a lazy list; `Api.runs` and `Project.runs` make them::

        runs = runql.Api().runs("team/vision", filters={"state": "finished"}, order="-created_at")
        for run in runs[:10]:
            print(run.name, run.summary.get("loss"))

    Indexes, negative indexes and slices read the pages that they need. Iterating again sends nothing for pages that
    were read. A run appears once, also when the server's list shifts between two pages.

    It is a `collections.abc.Sequence` of `Run`. Runs compare by identity, so ``in``, `index` and `count` find a run that
    came from this list. ``len`` is the server's count, at most ``limit``; a list that shifts may hold one run more or less.

    Requests: one a page, config and summary included; one for ``len`` when no page was read. With ``lazy=True`` pages
    come without config and summary, and the first look at one reads its whole page again, by one request.
    """

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
        progress: Progress | bool | None = None,
        prefetch: bool = False,
    ) -> None:
        query = RunQuery.checked(entity, project, filters, order, per_page, limit)
        shape = ListShape(lazy=lazy, strict=checked_missing(missing, lazy=lazy))
        self._begin(
            client,
            query,
            shape,
            progress,
            include_sweeps=include_sweeps,
            prefetch=checked_bool("prefetch", prefetch),
        )

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
        self._query, self._shape, self._include_sweeps = query, shape, include_sweeps
        entity, project = query.entity, query.project
        listing = _run_listing(
            query,
            partial(Run.listed, client, entity, project, include_sweeps=include_sweeps),
            SweepCache(entity, project, partial(_sweep, client, entity, project)),
            shape,
        )
        super().__init__(client, listing, progress)
        self._prefetch = prefetch

    def __repr__(self) -> str:
        return described("Runs", self._query.words())

    def upgrade_to_full(self) -> None:
        """Read config, summary and the rest of the runs that were listed with ``lazy=True``; nothing on a full list.

        Sends one request for each page that was read so far, eight of them at a time. Later pages are read in full. A
        run that has left its page stays light.
        """
        self._client.run(self._shape.upgrade())

    def _read_all(self, *, full: bool, report: Progress | None) -> Flow[list[Run]]:
        return _read_all(self._listing, self._shape, full=full, report=report)

    def _read_page(self, start: int, *, full: bool) -> Flow[list[Run]]:
        part = slice(start, start + self._query.per_page)
        return _read_part(self._listing, self._shape, part, full=full)

    def lazy(self, *, columns: Sequence[str] | None = None, schema: Schema | None = None) -> pl.LazyFrame:
        """Return a lazy frame of polars of one row a run, in list order, that reads only what a query needs::

            frame = runs.lazy(schema={"config.lr": float, "summary.loss": float})
            best = frame.filter(pl.col("config.lr") > 0.1).select("id", "summary.loss").collect()

        Comparisons of fields, of config and of summary become a filter where the server can decide them and the list has
        no ``limit``; polars compares the rest. ``head`` ends the reading. Making the frame sends nothing; a query
        sends one request a page, light where it needs neither config nor summary.

        Args:
            columns: these columns in this order, as in `Runs.to_polars`; None for the fields and what ``schema`` names.
            schema: column to dtype; it names each column of config and summary, as their types are needed before any run.

        Raises:
            ValueError: an unknown column, or one of config or summary without a dtype.
            TypeError: ``columns`` is no list of str, ``schema`` no mapping of names to dtypes.
            MissingExtraError: polars is not installed.
            FrameValueError: by the query, a value does not fit its dtype.
        """
        from runql.frames.extras import require
        from runql.resources.runs.frames.lazy import lazy_runs

        require("polars", needed_for="Runs.lazy")
        return lazy_runs(self._client, self._query, columns, schema)

    @overload
    def typed(
        self, *, config: type[C], summary: type[S], on_invalid: OnInvalid = "raise"
    ) -> TypedRuns[C, S]: ...

    @overload
    def typed(self, *, config: type[C], on_invalid: OnInvalid = "raise") -> TypedRuns[C, None]: ...

    @overload
    def typed(self, *, summary: type[S], on_invalid: OnInvalid = "raise") -> TypedRuns[None, S]: ...

    def typed(
        self,
        *,
        config: type[C] | None = None,
        summary: type[S] | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> TypedRuns[C | None, S | None]:
        """Return the runs with their config, their summary or both as instances of a type; reads as it is iterated.

        Args:
            config: a type such as a pydantic model, a dataclass or a TypedDict; its fields name the keys.
            summary: likewise.
            on_invalid: ``raise`` for a run with a value that does not fit, or ``skip`` it; see `TypedRuns.skipped`.

        Raises:
            TypeError: no type is given, or one has no fields.
            ValueError: ``on_invalid`` is unknown.
        """
        from runql.resources.runs.typed.typed_runs import TypedRuns, typed_values

        return TypedRuns(self._client, self, typed_values(config, summary, on_invalid))

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
        schema: Schema | None = None,
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
        schema: Schema | None = None,
    ) -> pl.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["pandas"],
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["polars"],
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pl.DataFrame: ...

    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: SampleFormat = "default",
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> list[Row] | pd.DataFrame | pl.DataFrame:
        """Return sampled rows of every run, in list order, each row with its run's id as `run_id`.

        Sends one request a page of runs, also for pages that were read already. A page that overloads the server (a
        failure, a timeout, a GraphQL error) is requested again in halves, down to one run.

        Args:
            samples: rows a run at most; the server downsamples a longer history evenly.
            keys: only rows that have all of these metrics, with the x axis.
            x_axis: the metric that is returned with ``keys``.
            format: ``default`` for a list of dicts, ``pandas`` or ``polars`` for one frame: the union of all runs'
                metrics, columns by name, types decided over every value.
            stream: ``default`` for metrics, ``system`` for the machine's. ``events`` and ``systemMetrics`` are other
                names for ``system``.
            schema: column to dtype, for a frame; each is a column of exactly this dtype, also where no row has it.

        Raises:
            ValueError: unknown format or stream, ``samples`` below 1, a column in ``schema`` that the frame does not have.
            TypeError: ``keys`` is no list of str, ``schema`` no mapping of names to dtypes.
            FrameValueError: a value does not fit the schema.
            MissingExtraError: the frame's library is not installed; raised before anything is sent.
            IncompleteHistoriesError: some runs cannot be read; the rows of the others are in its ``partial``. With
                ``partial="allow"`` of `Api` the result lacks these runs, and `PartialResultWarning` names them.
        """
        return self._client.run(_histories(self._query, samples, keys, x_axis, format, stream, schema))

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["polars"] = "polars",
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> HistoriesScan[pl.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["pandas"],
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> HistoriesScan[pd.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["arrow"],
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> HistoriesScan[pa.Table]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["default"],
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> HistoriesScan[list[Row]]: ...

    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: ScanFormat = "polars",
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> HistoriesScan[list[Row] | pd.DataFrame | pl.DataFrame | pa.Table]:
        """Return every row of every run, as a scan that reads when it is iterated or collected.

        Args:
            keys: only these metrics and `_step`; None for whole rows.
            min_step: the first step; None for the start.
            max_step: the step before which to end; None for the end, also of runs that still log.
            match: ``any`` for the rows that have at least one of the keys, ``all`` for those that have every key.
            format: of what the scan returns: a frame of polars, of pandas or of Arrow, or ``default`` for a list of dicts.
            schema: column to dtype, for frames; each is a column of exactly this dtype in every frame and file.
            pivot: `HistoriesScan.collect` returns one row for each step and a column for each run and metric, named
                ``metric/run``, or by the run alone where one key was requested.
            page_size: steps and rows that a request for a single run covers, at least 1.
            max_concurrency: such requests in flight at the same time, at least 1.
            progress: called with the runs that were read and their total, as each is read in whole. True draws a bar, False
                none. By default `HistoriesScan.collect` and `HistoriesScan.sink_parquet` draw one on a terminal or in a
                notebook when they take more than two seconds, rich is installed and ``RUNQL_PROGRESS`` is not 0; a loop
                draws none.

        Raises:
            ValueError: unknown format or match, a bound that is negative or the wrong way round, ``page_size`` or
                ``max_concurrency`` below 1, a column in ``schema`` that the frame does not have.
            TypeError: ``keys`` is no list of str, ``schema`` no mapping of names to dtypes, ``progress`` no function.
            MissingExtraError: the format's library is not installed; raised before anything is sent.
        """
        from runql.resources.runs.histories.formats import scan_format
        from runql.resources.runs.histories.scan import HistoriesScan

        plan = _histories_plan(self._query, keys, min_step, max_step, match, page_size, max_concurrency)
        return HistoriesScan(
            self._client,
            plan,
            scan_format(format, plan.scan.keys or (), schema),
            pivot=pivot,
            progress=progress,
        )


class AsyncRuns(AsyncSplittableRuns, AsyncRunFrames, AsyncLazySequence[RunFields | FullRunFields, AsyncRun]):
    """The async twin of `Runs`: ``async for run in runs``, ``await runs[-1]``, ``await runs.length``."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
        progress: Progress | bool | None = None,
        prefetch: bool = False,
    ) -> None:
        query = RunQuery.checked(entity, project, filters, order, per_page, limit)
        shape = ListShape(lazy=lazy, strict=checked_missing(missing, lazy=lazy))
        self._begin(
            client,
            query,
            shape,
            progress,
            include_sweeps=include_sweeps,
            prefetch=checked_bool("prefetch", prefetch),
        )

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
        self._query, self._shape, self._include_sweeps = query, shape, include_sweeps
        entity, project = query.entity, query.project
        listing = _run_listing(
            query,
            partial(AsyncRun.listed, client, entity, project, include_sweeps=include_sweeps),
            SweepCache(entity, project, partial(_async_sweep, client, entity, project)),
            shape,
        )
        super().__init__(client, listing, progress)
        self._prefetch = prefetch

    def __repr__(self) -> str:
        return described("AsyncRuns", self._query.words())

    async def upgrade_to_full(self) -> None:
        """Read config, summary and the rest of the runs that were listed with ``lazy=True``; nothing on a
        full list.

        See `Runs.upgrade_to_full` for its requests and errors.
        """
        await self._client.run(self._shape.upgrade())

    def _read_all(self, *, full: bool, report: Progress | None) -> Flow[list[AsyncRun]]:
        return _read_all(self._listing, self._shape, full=full, report=report)

    def _read_page(self, start: int, *, full: bool) -> Flow[list[AsyncRun]]:
        part = slice(start, start + self._query.per_page)
        return _read_part(self._listing, self._shape, part, full=full)

    @overload
    def typed(
        self, *, config: type[C], summary: type[S], on_invalid: OnInvalid = "raise"
    ) -> AsyncTypedRuns[C, S]: ...

    @overload
    def typed(self, *, config: type[C], on_invalid: OnInvalid = "raise") -> AsyncTypedRuns[C, None]: ...

    @overload
    def typed(self, *, summary: type[S], on_invalid: OnInvalid = "raise") -> AsyncTypedRuns[None, S]: ...

    def typed(
        self,
        *,
        config: type[C] | None = None,
        summary: type[S] | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> AsyncTypedRuns[C | None, S | None]:
        """Return the runs with their config, their summary or both as instances of a type; reads as it is iterated.

        Args:
            config: a type such as a pydantic model, a dataclass or a TypedDict; its fields name the keys.
            summary: likewise.
            on_invalid: ``raise`` for a run with a value that does not fit, or ``skip`` it; see `TypedRuns.skipped`.

        Raises:
            TypeError: no type is given, or one has no fields.
            ValueError: ``on_invalid`` is unknown.
        """
        from runql.resources.runs.typed.typed_runs import AsyncTypedRuns, typed_values

        return AsyncTypedRuns(self._client, self, typed_values(config, summary, on_invalid))

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
        schema: Schema | None = None,
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
        schema: Schema | None = None,
    ) -> pl.DataFrame: ...

    @overload
    async def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["pandas"],
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame: ...

    @overload
    async def histories(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        format: Literal["polars"],
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pl.DataFrame: ...

    async def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: SampleFormat = "default",
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> list[Row] | pd.DataFrame | pl.DataFrame:
        """Return sampled rows of every run, in list order, each row with its run's id as `run_id`.

        See `Runs.histories` for its requests and errors.
        """
        return await self._client.run(_histories(self._query, samples, keys, x_axis, format, stream, schema))

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["polars"] = "polars",
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> AsyncHistoriesScan[pl.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["pandas"],
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> AsyncHistoriesScan[pd.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["arrow"],
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> AsyncHistoriesScan[pa.Table]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["default"],
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> AsyncHistoriesScan[list[Row]]: ...

    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: ScanFormat = "polars",
        schema: Schema | None = None,
        pivot: bool = False,
        page_size: int = SCAN_PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | bool | None = None,
    ) -> AsyncHistoriesScan[list[Row] | pd.DataFrame | pl.DataFrame | pa.Table]:
        """Return every row of every run, as a scan that reads when it is iterated or collected.

        See `Runs.scan_histories` for its requests and errors.
        """
        from runql.resources.runs.histories.formats import scan_format
        from runql.resources.runs.histories.scan import AsyncHistoriesScan

        plan = _histories_plan(self._query, keys, min_step, max_step, match, page_size, max_concurrency)
        return AsyncHistoriesScan(
            self._client,
            plan,
            scan_format(format, plan.scan.keys or (), schema),
            pivot=pivot,
            progress=progress,
        )


def _read_all(
    listing: Listing[RunFields | FullRunFields, R],
    shape: ListShape,
    *,
    full: bool,
    report: Progress | None,
) -> Flow[list[R]]:
    """Read the pages that are left, and return all runs; with ``full`` every run in the full shape."""
    if full and shape.lazy:
        yield from shape.upgrade()
    yield from listing.reach(None, report=report)
    runs = [*listing.items]
    if full:
        # A run that left its page before the page was read in full.
        yield from RunRecord.load_missing(runs)
    return runs


def _read_part(
    listing: Listing[RunFields | FullRunFields, R], shape: ListShape, part: slice, *, full: bool
) -> Flow[list[R]]:
    """As `_read_all`, for some runs of the list."""
    if full and shape.lazy:
        yield from shape.upgrade()
    runs = yield from listing.between(part)
    if full:
        yield from RunRecord.load_missing(runs)
    return runs


def _histories(
    query: RunQuery,
    samples: int,
    keys: Sequence[str] | None,
    x_axis: str,
    format: SampleFormat,
    stream: Stream,
    schema: Schema | None,
) -> Flow[list[Row] | pd.DataFrame | pl.DataFrame]:
    from runql.resources.history.sampled import SampleOptions
    from runql.resources.runs.histories.formats import sample_format
    from runql.resources.runs.histories.sampled import sample_runs

    options = SampleOptions.checked(samples, keys, x_axis, stream)
    output = sample_format(format, options.columns, schema, has_any_column=options.keys is None)
    return output.make((yield from sample_runs(query, options, output.reader())))


def _histories_plan(
    query: RunQuery,
    keys: Sequence[str] | None,
    min_step: int | None,
    max_step: int | None,
    match: Match,
    page_size: int,
    max_concurrency: int,
) -> HistoriesPlan:
    from runql.resources.history.plan import ScanPlan
    from runql.resources.runs.histories.page import HistoriesPlan

    scan = ScanPlan.checked(
        RunAddress(query.entity, query.project, ""),
        keys=keys,
        match=match,
        page_size=page_size,
        min_step=min_step,
        max_step=max_step,
        max_concurrency=max_concurrency,
    )
    return HistoriesPlan(query, scan)


def _sweep(client: RetryingClient, entity: str, project: str, fields: SweepFields) -> Sweep:
    from runql.resources.sweeps.sweep import Sweep

    return Sweep.listed(client, entity, project, fields)


def _async_sweep(client: AsyncRetryingClient, entity: str, project: str, fields: SweepFields) -> AsyncSweep:
    from runql.resources.sweeps.sweep import AsyncSweep

    return AsyncSweep.listed(client, entity, project, fields)


def _run_listing(
    query: RunQuery,
    make: Callable[[RunFields | FullRunFields, ListedPage | None, PageSweeps[S]], R],
    sweep_cache: SweepCache[S],
    shape: ListShape,
) -> Listing[RunFields | FullRunFields, R]:
    sizes: dict[str | None, int] = {}

    def read(size: int, after: str | None) -> Flow[Page[RunFields | FullRunFields]]:
        sizes[after] = size
        sized = query.sized(size)
        page = yield from (list_light_page(sized, after) if shape.lazy else list_full_page(sized, after))
        refuse_absent(sized, page.absent)
        return Page([*page.nodes], page.after, page.cursor, page.more, page.total)

    def convert(page: Page[RunFields | FullRunFields]) -> list[R]:
        if page.after is None:
            warn_if_unordered(f"{query.entity}/{query.project}", query.order, page.nodes, strict=shape.strict)
        shared = ListedPage(query.sized(sizes[page.after]), page.after) if shape.lazy else None
        sweeps = PageSweeps(sweep_cache, [fields.sweep_name for fields in page.nodes])
        runs = [make(fields, shared, sweeps) for fields in page.nodes]
        if shared is not None:
            shared.runs.extend(runs)
            shape.light_pages.append(shared)
        return runs

    return Listing(read, convert, lambda run: run.storage_id, per_page=query.per_page, limit=query.limit)
