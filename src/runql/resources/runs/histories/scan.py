"""Scans of the full histories of many runs: one frame, frame after frame, or a parquet file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.arguments import checked_path, positive
from runql.bars import checked_progress, reported, reported_in_loop
from runql.frames.asked_types import FrameSchema
from runql.frames.batches import Batch
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader, RowReader
from runql.postponed import postponed
from runql.resources.history.arrow.members import ArrowScan, AsyncArrowScan
from runql.resources.pages.next_item import AsyncNextItem, NextItem
from runql.resources.records.tables import Contents, Shown, described
from runql.resources.records.travelling import Travelling
from runql.resources.runs.histories.collect import read_histories, sink_histories
from runql.resources.runs.histories.cursor import HistoriesCursor
from runql.resources.runs.histories.formats import SCAN_LEADING, OutputFormat
from runql.resources.runs.histories.page import HistoriesPart, HistoriesPlan
from runql.resources.runs.histories.split import split_scan
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import polars_types as pl
    from runql.frames.streams.plan import StreamPlan
    from runql.resources.history.arrow.streams import StreamProgress
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient RetryingClient Schema pl"))

F_co = TypeVar("F_co", covariant=True)
HANDED_OUT = "was handed out"


class HistoriesScan(ArrowScan, Travelling, Shown, Generic[F_co]):
    """Every row of every run of a list, never downsampled; nothing is sent before rows are requested::

        frame = api.runs("team/project").scan_histories(keys=["loss"]).collect()

    Rows come run after run in list order, in step order within a run. Frames have `run_id` and `_step` first, then the
    metrics by name; `run_id` replaces a metric of that name. Sends one request a page of runs, which brings the whole
    histories of the runs that fit. A longer run takes one for each ``page_size`` rows, ``max_concurrency`` at once. A page
    that is too much for the server is requested again in halves, down to one run.

    Raises: `IncompleteHistoriesError`, some runs cannot be read. With ``partial="allow"`` of `Api` the result lacks
    these runs as a whole, and `PartialResultWarning` names them. It stays an error when no run can be read, or when the
    list or the deadline ends early.
    """

    def __init__(
        self,
        client: RetryingClient,
        plan: HistoriesPlan,
        output: OutputFormat[F_co],
        *,
        pivot: bool,
        progress: Progress | bool | None = None,
    ) -> None:
        self._client = client
        self._plan = plan
        self._output = output
        self._pivot = pivot
        self._progress = checked_progress(progress)
        self._next: NextItem[F_co] = NextItem(self.__iter__)

    _STAYS = frozenset({"_next", "_progress", "_shared_streams"})

    def _settle(self) -> None:
        self._progress = None
        self._next = NextItem(self.__iter__)

    def _token(self) -> tuple[object, ...]:
        return repr(self._plan), self._output.token(), self._pivot

    def split(self, n: int, *, workers: int = 1) -> list[HistoriesScan[F_co]]:
        """Return at most ``n`` scans of about as many rows, which together read the rows of this one in its order::

            parts = api.runs("team/vision").scan_histories(keys=["loss"]).split(8, workers=4)
            with ProcessPoolExecutor(4) as pool:
                frames = list(pool.map(HistoriesScan.collect, parts))

        Each part names its runs by id and ends each of them at its last step of now, so reading a part again gives the same
        rows. Rows that are logged later are left out. The server reports the last step of a running run late: rows behind
        it are left out, too. A run without a reported step is read to its end. A run that was deleted since is in the
        `IncompleteHistoriesError` of its part.

        Args:
            n: parts at most, at least 1. There are fewer where there are fewer runs, and one for no runs.
            workers: processes that read parts at the same time; each uses such a part of the rate limit, see `Api`.

        Raises:
            IncompleteHistoriesError: the server does not return a run even alone.
            ValueError: ``n`` or ``workers`` is below 1, or the scan has ``pivot``.

        Requests: one for each 500 runs, more where that is too much for the server; none for a part.
        """
        refuse_pivot("split", pivot=self._pivot)
        most, processes = positive("n", n), positive("workers", workers)
        plans = self._client.run(split_scan(self._plan, most))
        client = self._client if processes == 1 else self._client.with_share(1 / processes)
        return [HistoriesScan(client, plan, self._output, pivot=False) for plan in plans]

    def __repr__(self) -> str:
        return described("HistoriesScan", self._plan.words())

    def _contents(self) -> Contents:
        return self._plan.contents()

    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        refuse_pivot("stream", pivot=self._pivot)
        return stream_plan(self._plan, self._output.schema, schema)

    def _portions(self, report: Progress | None) -> BatchStream:
        return BatchStream(self._plan, ColumnReader(), self._client.sample_limits, report)

    def _stream_progress(self) -> StreamProgress:
        return stream_progress(self._progress)

    def __next__(self) -> F_co:
        return self._next.take()

    def collect(self, *, progress: Progress | bool | None = None) -> F_co:
        """Return all rows as one frame, its types inferred over every value.

        With ``pivot=True`` the frame has one row for each step of any run, rising, and a column for each run and metric;
        see `runql.frames.wide.widen` for names and limits.

        Args:
            progress: as in `Runs.scan_histories`, for this call; None for what was said there.

        Raises:
            IncompleteHistoriesError: some runs cannot be read, or the list ended early; the rows of the others are in
                its ``partial``, as dicts.
            FrameValueError: a value does not fit the schema.
            ValueError: with ``pivot``: there are more than 20,000 columns.
        """
        with scan_progress(self._progress, progress) as report:
            part = self._client.run(
                read_histories(self._plan, self._output.reader(), self._client.sample_limits, report)
            )
        return make_frame(self._plan, self._output, part, pivot=self._pivot)

    def __iter__(self) -> Iterator[F_co]:
        """Return frame after frame from the first one, each bounded in rows.

        A frame holds the runs of a page, or ``max_concurrency`` windows of a long run; its types are inferred over its
        own values. The first page is requested alone; then the next page is requested while one is read.
        ``next(scan)`` continues behind the frame of the last ``next``.

        Raises:
            IncompleteHistoriesError: at the end, when some runs cannot be read; a long one may have been returned in part.
                With ``partial="allow"`` only in that case.
            ValueError: with ``pivot``, because each of its rows needs every run.
        """
        refuse_pivot("iterate", pivot=self._pivot)
        with reported_in_loop(self._progress, "histories", "runs") as report:
            stream = BatchStream(self._plan, self._output.reader(), self._client.sample_limits, report)
            while (batches := self._client.run(stream.next_batches())) is not None:
                yield self._output.make(batches)

    def lazy(self, *, run_columns: Sequence[str] = (), run_schema: Schema | None = None) -> pl.LazyFrame:
        """Return a lazy frame of polars that reads the runs and steps which a query chooses, as it is collected::

            scan = api.runs("team/project").scan_histories()
            total = scan.lazy().select(pl.col("loss").sum()).collect()

        Columns are `run_id`, `_step` and the metrics by name, of the types in ``schema``. Other metrics have the types
        that the server counts: numbers are floats, lists, objects and mixtures JSON strings. So a query returns the same
        as on the frame of `collect` with these types.

        Comparisons of `_step` and choices of `run_id` become bounds and a filter, and ``head`` ends the reading. A query
        of at most half of the metrics requests these alone; rows that lack them arrive too.

        Requests: for the types, unless ``keys`` and ``schema`` have them, one for the first 250 runs, then one for each
        1,000, or for fewer that have 40,000 metrics together; more where that is too much for the server. A query sends
        those of the rows it needs, and one a page of runs where it needs columns of runs. Runs whose rows lack metrics
        since, or share steps, are requested again, alone or with their page.

        Args:
            run_columns: fields of each row's run, such as ``state`` or ``tags``, as in `Runs.to_polars`. They replace
                metrics of their names; comparisons of them become a filter of runs where the server can decide it.
            run_schema: likewise, column to dtype; it names those of config and summary, as ``{"config.lr": float}``.

        Raises:
            FrameValueError: by the query, a value does not fit its type, or its metric is newer than the lazy frame.
            IncompleteHistoriesError: the server does not return the metrics of a run even alone; by the query, some
                runs cannot be read.
            MissingExtraError: polars is not installed; raised before anything is sent.
            ValueError: with ``pivot``, an unknown column of runs, or one of config or summary without a dtype.
            TypeError: ``run_columns`` is no list of str, ``run_schema`` no mapping of names to dtypes.
        """
        from runql.resources.runs.histories.lazy import lazy_histories

        refuse_pivot("read", pivot=self._pivot)
        require("polars", needed_for="HistoriesScan.lazy")
        limits = self._client.sample_limits

        def stream(plan: HistoriesPlan) -> BatchStream:
            return BatchStream(plan, ColumnReader(), limits)

        return lazy_histories(self._client, self._plan, self._output.schema, run_columns, run_schema, stream)

    def sink_parquet(
        self,
        path: str | os.PathLike[str],
        *,
        partition_by: str | Sequence[str] | None = None,
        progress: Progress | bool | None = None,
    ) -> None:
        """Write all rows into one parquet file, atomically, or into a folder of files; needs pyarrow, whatever the format.

        The schema is inferred over all rows, as in `collect` with ``format="arrow"``. Memory holds one or two responses:
        until the end, rows are kept in a hidden folder next to the file. A call for the same file and rows resumes an
        interrupted one: it sends one request for each 500 runs of the list, then reads the runs that are missing, have
        more rows, or have logged since.

        Args:
            path: of the file, or of the folder.
            partition_by: one or more columns of strings, integers or booleans, such as ``run_id``. Files are named
                ``path/run_id=abc/part-0.parquet``, and do not have these columns. Characters that are not ASCII letters,
                digits, ``_``, ``-``, ``.`` or ``~`` are percent-encoded; a row without a value, or with an empty string,
                is in ``__HIVE_DEFAULT_PARTITION__``, where readers find it missing. The folder appears with all of its files, by one renaming. It
                replaces one that an earlier call wrote, which is moved away just before.
            progress: as in `Runs.scan_histories`, for this call; None for what was said there. Runs that an interrupted
                call has read count as read.

        Raises:
            IncompleteHistoriesError: some runs cannot be read; the file is not written, the rows of the others are kept.
                With ``partial="allow"`` the file is written without these runs, and nothing is kept.
            FrameValueError: a value does not fit the schema; the file is not written, all rows are kept for the next call.
            LocalFileError: the file cannot be written, another call is writing it, or with ``partition_by`` there is
                something that no call has written.
            MissingExtraError: pyarrow is not installed; raised before anything is sent.
            ValueError: with ``pivot``, or ``partition_by`` names no column, or one whose values cannot name folders. Where
                that follows from the rows, they are kept for the next call.
            TypeError: ``partition_by`` is no str or list of str.
        """
        server, limits = self._client.settings.base_url, self._client.sample_limits
        with scan_progress(self._progress, progress) as report:
            self._client.run(
                checked_sink(
                    self._plan, self._output, path, server, limits, report, partition_by, pivot=self._pivot
                )
            )


class AsyncHistoriesScan(AsyncArrowScan, Travelling, Shown, Generic[F_co]):
    """The async twin of `HistoriesScan`: ``await scan.collect()``, ``async for frame in scan``, ``await scan.sink_parquet(path)``."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        plan: HistoriesPlan,
        output: OutputFormat[F_co],
        *,
        pivot: bool,
        progress: Progress | bool | None = None,
    ) -> None:
        self._client = client
        self._plan = plan
        self._output = output
        self._pivot = pivot
        self._progress = checked_progress(progress)
        self._next: AsyncNextItem[F_co] = AsyncNextItem(self.__aiter__)

    _STAYS = frozenset({"_next", "_progress", "_shared_streams"})

    def _settle(self) -> None:
        self._progress = None
        self._next = AsyncNextItem(self.__aiter__)

    def _token(self) -> tuple[object, ...]:
        return repr(self._plan), self._output.token(), self._pivot

    async def split(self, n: int, *, workers: int = 1) -> list[AsyncHistoriesScan[F_co]]:
        """Return at most ``n`` scans of about as many rows, which together read the rows of this one in its order::

            parts = api.runs("team/vision").scan_histories(keys=["loss"]).split(8, workers=4)
            with ProcessPoolExecutor(4) as pool:
                frames = list(pool.map(HistoriesScan.collect, parts))

        Each part names its runs by id and ends each of them at its last step of now, so reading a part again gives the same
        rows. Rows that are logged later are left out. The server reports the last step of a running run late: rows behind
        it are left out, too. A run without a reported step is read to its end. A run that was deleted since is in the
        `IncompleteHistoriesError` of its part.

        Args:
            n: parts at most, at least 1. There are fewer where there are fewer runs, and one for no runs.
            workers: processes that read parts at the same time; each uses such a part of the rate limit, see `Api`.

        Raises:
            IncompleteHistoriesError: the server does not return a run even alone.
            ValueError: ``n`` or ``workers`` is below 1, or the scan has ``pivot``.

        Requests: one for each 500 runs, more where that is too much for the server; none for a part.
        """
        refuse_pivot("split", pivot=self._pivot)
        most, processes = positive("n", n), positive("workers", workers)
        plans = await self._client.run(split_scan(self._plan, most))
        client = self._client if processes == 1 else self._client.with_share(1 / processes)
        return [AsyncHistoriesScan(client, plan, self._output, pivot=False) for plan in plans]

    def __repr__(self) -> str:
        return described("AsyncHistoriesScan", self._plan.words())

    def _contents(self) -> Contents:
        return self._plan.contents()

    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        refuse_pivot("stream", pivot=self._pivot)
        return stream_plan(self._plan, self._output.schema, schema)

    def _portions(self, report: Progress | None) -> BatchStream:
        return BatchStream(self._plan, ColumnReader(), self._client.sample_limits, report)

    def _stream_progress(self) -> StreamProgress:
        return stream_progress(self._progress)

    async def __anext__(self) -> F_co:
        return await self._next.take()

    async def collect(self, *, progress: Progress | bool | None = None) -> F_co:
        """Return all rows as one frame, its types inferred over every value.

        See `HistoriesScan.collect` for its requests and errors.
        """
        with scan_progress(self._progress, progress) as report:
            part = await self._client.run(
                read_histories(self._plan, self._output.reader(), self._client.sample_limits, report)
            )
        return make_frame(self._plan, self._output, part, pivot=self._pivot)

    async def __aiter__(self) -> AsyncIterator[F_co]:
        """As `HistoriesScan.__iter__`."""
        refuse_pivot("iterate", pivot=self._pivot)
        with reported_in_loop(self._progress, "histories", "runs") as report:
            stream = BatchStream(self._plan, self._output.reader(), self._client.sample_limits, report)
            while (batches := await self._client.run(stream.next_batches())) is not None:
                yield self._output.make(batches)

    async def sink_parquet(
        self,
        path: str | os.PathLike[str],
        *,
        partition_by: str | Sequence[str] | None = None,
        progress: Progress | bool | None = None,
    ) -> None:
        """Write all rows into one parquet file, atomically, or into a folder of files; needs pyarrow,
        whatever the format.

        See `HistoriesScan.sink_parquet` for its requests and errors.
        """
        server, limits = self._client.settings.base_url, self._client.sample_limits
        with scan_progress(self._progress, progress) as report:
            await self._client.run(
                checked_sink(
                    self._plan, self._output, path, server, limits, report, partition_by, pivot=self._pivot
                )
            )


class BatchStream:
    """The rows of many runs in portions, for iteration."""

    def __init__(
        self, plan: HistoriesPlan, reader: RowReader, limits: SampleLimits, report: Progress | None = None
    ) -> None:
        self._report = report
        self._ended = 0
        self._cursor = HistoriesCursor(plan, reader, limits=limits)
        self._has_begun = False
        self._has_read = False

    def next_batches(self) -> Flow[list[Batch] | None]:
        """Return the next rows; None at the end.

        Raises:
            IncompleteHistoriesError: at the end, when some runs could not be read. Where the caller allows partial
                results, only when none could be read, or the first rows of one were returned.
        """
        ahead, self._has_begun = self._has_begun, True
        while (part := (yield from self._cursor.next_part(bounded=True, ahead=ahead))) is not None:
            self._has_read = self._has_read or bool(part.ended)
            self._ended += len(part.ended)
            if self._report is not None:
                self._report(self._ended, self._cursor.total)
            if part.batches:
                return part.batches
        unread = self._cursor.unread
        may_lack = self._has_read and not self._cursor.cut_off
        if unread.reasons and not (may_lack and unread.may_be_left_out()):
            raise unread.error([], HANDED_OUT)
        return None


F = TypeVar("F")


def scan_progress(
    of_scan: Progress | bool | None, of_call: Progress | bool | None
) -> AbstractContextManager[Progress | None]:
    """Return the progress of a call, in runs; see `reported`."""
    return reported(of_scan if of_call is None else of_call, "histories", "runs")


def stream_progress(of_scan: Progress | bool | None) -> StreamProgress:
    """Return the progress of an Arrow stream, in runs."""
    from runql.resources.history.arrow.streams import StreamProgress

    return StreamProgress(
        lambda: reported(of_scan, "histories", "runs"), lambda: reported_in_loop(of_scan, "histories", "runs")
    )


def stream_plan(plan: HistoriesPlan, of_scan: FrameSchema, of_call: Schema | None) -> StreamPlan:
    """Check the schema of a call, and return the columns of a stream: those of a frame."""
    from runql.frames.streams.plan import StreamPlan

    keys = plan.scan.keys
    checked = FrameSchema.checked(of_call, None if keys is None else (*SCAN_LEADING, *keys))
    columns = StreamPlan(SCAN_LEADING, keys or (), keys is None, "sorted", of_scan)
    return columns.with_schema(checked)


def make_frame(plan: HistoriesPlan, output: OutputFormat[F], part: HistoriesPart, *, pivot: bool) -> F:
    """All rows as one frame."""
    if not pivot:
        return output.make(part.batches)
    keys = [key for key in plan.scan.keys or () if key != "_step"]
    runs = list(dict.fromkeys(run.name for run in part.ended))
    return output.pivoted(part.batches, runs, one_metric=len(keys) == 1)


def checked_sink(
    plan: HistoriesPlan,
    output: OutputFormat[object],
    path: str | os.PathLike[str],
    server: str,
    limits: SampleLimits,
    report: Progress | None,
    partition_by: str | Sequence[str] | None,
    *,
    pivot: bool,
) -> Flow[None]:
    """Check the arguments of `HistoriesScan.sink_parquet`, and return its flow."""
    from runql.resources.runs.histories.partitions import checked_partitions

    refuse_pivot("write", pivot=pivot)
    keys = plan.scan.keys
    columns = None if keys is None else tuple(dict.fromkeys((*SCAN_LEADING, *keys)))
    names = checked_partitions(partition_by, columns, output.schema)
    require("pyarrow", needed_for="HistoriesScan.sink_parquet")
    target = checked_path("path", path).absolute()
    return sink_histories(plan, output.reader(), target, server, limits, output.schema, report, names)


def refuse_pivot(what: str, *, pivot: bool) -> None:
    """Refuse a pivoted scan where not all runs are read at once.

    Raises:
        ValueError: with ``pivot``.
    """
    if pivot:
        raise ValueError(
            f"cannot {what} a pivoted scan piece by piece, because each of its rows needs every run: "
            "use collect(), or leave out pivot"
        )
