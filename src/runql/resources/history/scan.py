"""Scans of one run's history: its rows one after the other, or all in one frame."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Generic

from runql.bars import reported
from runql.errors import IncompleteHistoryError, UnexpectedValueError
from runql.frames.asked_types import NO_SCHEMA, FrameSchema, Schema
from runql.frames.batches import Batch, RowBatch
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader, RowReader
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.postponed import postponed
from runql.projections.rows import RowMaker
from runql.resources.history.arrow.members import ArrowScan, AsyncArrowScan
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.exports.listing import ExportListing, can_read_exports
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.row_report import RowReport
from runql.resources.history.sampled import Row
from runql.resources.pages.next_item import AsyncNextItem, NextItem
from runql.resources.records.tables import Contents, Shown, described
from runql.resources.records.travelling import Travelling
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from runql.frames.library_types import pandas_types as pd
    from runql.frames.library_types import polars_types as pl
    from runql.frames.library_types import pyarrow_types as pa
    from runql.frames.streams.plan import StreamPlan
    from runql.resources.history.exports.rows import ExportRows
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient

    # Type checkers know the default; Python does before 3.13 only by a library.
    R = TypeVar("R", default=Row)
else:
    from typing import TypeVar

    R = TypeVar("R")
    globals().update(postponed("AsyncRetryingClient RetryingClient pa pd pl"))

MOST_PASSES = 4
"""How often a scan begins again when rows were missing; each time it knows the limits of the server better."""


class HistoryScan(ArrowScan, Travelling, Shown, Generic[R]):
    """Every row of a run's history, in step order, never downsampled::

        for row in run.scan_history(keys=["loss"]):
            print(row["_step"], row["loss"])

    Rows are dicts, or instances of the type that ``row=`` named. Each ``for`` and each ``to_*`` begins with the first row; ``next(scan)`` continues where it was. Sends
    one request for each ``page_size`` steps (or rows, where these are fewer) and a few more; a frame with the default
    ``page_size`` one for each 5 MiB of rows, but up to ``max_concurrency`` where these are few. With polars, the rows of a run
    that the server has exported to parquet come from its files, one request or more for each.

    Raises: `IncompleteHistoryError`, the server does not return every row; `CorruptHistoryError`, a row cannot be read;
    `UnexpectedValueError`, a row is not of the type.
    """

    def __init__(
        self, client: RetryingClient, plan: ScanPlan, hints: HistoryHints, rows: RowMaker[R]
    ) -> None:
        self._client = client
        self._plan = plan
        self._hints = hints
        self._rows = rows
        self._next: NextItem[R] = NextItem(self.__iter__)

    _STAYS = frozenset({"_next", "_shared_streams"})

    def _settle(self) -> None:
        self._rows = copy(self._rows)
        self._rows.begin()
        self._next = NextItem(self.__iter__)

    def _token(self) -> tuple[object, ...]:
        return repr(self._plan), repr(self._rows)

    def __repr__(self) -> str:
        return described("HistoryScan", self._plan.words(self._plan.path))

    def _contents(self) -> Contents:
        return scan_contents(self._plan, self._hints)

    def __next__(self) -> R:
        return self._next.take()

    def __iter__(self) -> Iterator[R]:
        self._rows.begin()
        stream = RowStream(self._plan, self._hints, self._client.sample_limits)
        while (rows := self._next_rows(stream)) is not None:
            yield from rows
            # Release these rows before the next arrive.
            del rows

    def _next_rows(self, stream: RowStream) -> Iterator[R] | None:
        # However many windows without a row are between two rows, the step from one to the other is one call.
        with self._client.call():
            while (rows := self._client.run(stream.next_rows())) is not None:
                made = iter(self._rows.make(rows))
                for first in made:
                    return chain([first], made)
        return None

    @property
    def skipped(self) -> list[tuple[Row, UnexpectedValueError]]:
        """The rows that the latest iteration left out, each with its error; only with ``on_invalid="skip"``."""
        return list(self._rows.skipped)

    def to_pandas(
        self, *, schema: Schema | None = None, progress: Progress | bool | None = None
    ) -> pd.DataFrame:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_pandas` for dtypes.

        Args:
            schema: column to dtype; each is a column of exactly this dtype, also where no row has it.
            progress: called with the rows that have arrived, and their total or None; rows of exports count file by file
                or portion by portion. True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            FrameValueError: a value does not fit the schema.
            TypeError, ValueError: no dtype, or no column of this frame; raised before anything is sent.
        """
        require("pandas", needed_for="HistoryScan.to_pandas")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = self._client.run(self._table(schema, report))
        return to_pandas(table)

    def to_polars(
        self, *, schema: Schema | None = None, progress: Progress | bool | None = None
    ) -> pl.DataFrame:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_polars` for dtypes.

        Args:
            schema: column to dtype; each is a column of exactly this dtype, also where no row has it.
            progress: called with the rows that have arrived, and their total or None; rows of exports count file by file
                or portion by portion. True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            FrameValueError: a value does not fit the schema.
            TypeError, ValueError: no dtype, or no column of this frame; raised before anything is sent.
        """
        require("polars", needed_for="HistoryScan.to_polars")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = self._client.run(self._table(schema, report))
        return to_polars(table)

    def to_arrow(self, *, schema: Schema | None = None, progress: Progress | bool | None = None) -> pa.Table:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_arrow` for dtypes.

        Args:
            schema: column to dtype; each is a column of exactly this dtype, also where no row has it.
            progress: called with the rows that have arrived, and their total or None; rows of exports count file by file
                or portion by portion. True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            FrameValueError: a value does not fit the schema.
            TypeError, ValueError: no dtype, or no column of this frame; raised before anything is sent.
        """
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = self._client.run(self._table(schema, report))
        return to_arrow(table)

    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        return stream_plan(self._plan, scan_schema(self._plan, schema))

    def _portions(self, report: Progress | None) -> RowStream:  # noqa: ARG002 - only lists of runs report
        return RowStream(self._plan, self._hints, self._client.sample_limits, ColumnReader())

    def lazy(self, *, schema: Schema | None = None) -> pl.LazyFrame:
        """Return a lazy frame of polars that reads the steps which a query chooses, as it is collected.

        See `HistoriesScan.lazy` for columns and types; there is no `run_id`.

        Requests: one for the types, unless ``keys`` and ``schema`` have them; then those of the rows.

        Args:
            schema: column to dtype; each is a column of exactly this dtype, also where no row has it.

        Raises:
            FrameValueError: by the query, a value does not fit its type, or its metric is newer than the lazy frame.
            MissingExtraError: polars is not installed; raised before anything is sent.
            TypeError, ValueError: no dtype, or no column of this frame; raised before anything is sent.
        """
        from runql.resources.history.lazy.frame import lazy_history  # noqa: PLC0415 - few scans are lazy

        require("polars", needed_for="HistoryScan.lazy")
        limits, checked = self._client.sample_limits, scan_schema(self._plan, schema)

        def stream(plan: ScanPlan) -> RowStream:
            return RowStream(plan, self._hints, limits, ColumnReader())

        return lazy_history(self._client, self._plan, self._hints, checked, stream)

    def _table(self, schema: Schema | None, report: Progress | None) -> Flow[Table]:
        checked = scan_schema(self._plan, schema)
        return scan_table(self._plan, self._hints, self._client.sample_limits, checked, report)


class AsyncHistoryScan(AsyncArrowScan, Travelling, Shown, Generic[R]):
    """The async twin of `HistoryScan`: ``async for``, ``await anext(scan)``, ``await scan.to_polars()``."""

    def __init__(
        self, client: AsyncRetryingClient, plan: ScanPlan, hints: HistoryHints, rows: RowMaker[R]
    ) -> None:
        self._client = client
        self._plan = plan
        self._hints = hints
        self._rows = rows
        self._next: AsyncNextItem[R] = AsyncNextItem(self.__aiter__)

    _STAYS = frozenset({"_next", "_shared_streams"})

    def _settle(self) -> None:
        self._rows = copy(self._rows)
        self._rows.begin()
        self._next = AsyncNextItem(self.__aiter__)

    def _token(self) -> tuple[object, ...]:
        return repr(self._plan), repr(self._rows)

    def __repr__(self) -> str:
        return described("AsyncHistoryScan", self._plan.words(self._plan.path))

    def _contents(self) -> Contents:
        return scan_contents(self._plan, self._hints)

    async def __anext__(self) -> R:
        return await self._next.take()

    async def __aiter__(self) -> AsyncIterator[R]:
        self._rows.begin()
        stream = RowStream(self._plan, self._hints, self._client.sample_limits)
        while (rows := await self._next_rows(stream)) is not None:
            for row in rows:
                yield row
            del rows

    async def _next_rows(self, stream: RowStream) -> Iterator[R] | None:
        with self._client.call():
            while (rows := await self._client.run(stream.next_rows())) is not None:
                made = iter(self._rows.make(rows))
                for first in made:
                    return chain([first], made)
        return None

    @property
    def skipped(self) -> list[tuple[Row, UnexpectedValueError]]:
        """The rows that the latest iteration left out, each with its error; only with ``on_invalid="skip"``."""
        return list(self._rows.skipped)

    async def to_pandas(
        self, *, schema: Schema | None = None, progress: Progress | bool | None = None
    ) -> pd.DataFrame:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_pandas` for
        dtypes.
        """
        require("pandas", needed_for="HistoryScan.to_pandas")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = await self._client.run(self._table(schema, report))
        return to_pandas(table)

    async def to_polars(
        self, *, schema: Schema | None = None, progress: Progress | bool | None = None
    ) -> pl.DataFrame:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_polars` for
        dtypes.
        """
        require("polars", needed_for="HistoryScan.to_polars")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = await self._client.run(self._table(schema, report))
        return to_polars(table)

    async def to_arrow(
        self, *, schema: Schema | None = None, progress: Progress | bool | None = None
    ) -> pa.Table:
        """Return one row a step and one column a metric, `_step` first; see `runql.frames.to_arrow` for
        dtypes.
        """
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        with reported(progress, f"history of {self._plan.run.run_id}", "rows") as report:
            table = await self._client.run(self._table(schema, report))
        return to_arrow(table)

    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        return stream_plan(self._plan, scan_schema(self._plan, schema))

    def _portions(self, report: Progress | None) -> RowStream:  # noqa: ARG002 - only lists of runs report
        return RowStream(self._plan, self._hints, self._client.sample_limits, ColumnReader())

    def _table(self, schema: Schema | None, report: Progress | None) -> Flow[Table]:
        checked = scan_schema(self._plan, schema)
        return scan_table(self._plan, self._hints, self._client.sample_limits, checked, report)


class RowStream:
    """The rows of a scan in portions, for iteration: from windows, or from exports and then from windows.

    The number of windows that are requested at once doubles with each portion, up to ``max_concurrency``: reading few
    rows sends few requests, and memory stays bounded.
    """

    def __init__(
        self,
        plan: ScanPlan,
        hints: HistoryHints,
        limits: SampleLimits,
        reader: RowReader | None = None,
    ) -> None:
        # Memory is bounded by windows of the size that the caller knows.
        self._plan = plan = replace(plan, adapts_size=False)
        self._hints = hints
        self._limits = limits
        self._reader = reader
        self._cursor = self._cursor_of(plan)
        self._exports: ExportRows | None = None
        self._has_begun = False
        self._ahead = 1

    def next_rows(self) -> Flow[Iterator[Row] | None]:
        """Return the next rows, perhaps none of them; None at the end."""
        batches = yield from self.next_batches()
        return None if batches is None else chain.from_iterable(batch.to_rows() for batch in batches)

    def next_batches(self) -> Flow[Iterator[Batch] | None]:
        """Return the next rows as the reader makes them; those of exports are dicts."""
        if not self._has_begun:
            self._has_begun = True
            listing = yield from find_exports(self._cursor, with_rows=True)
            if listing is not None:
                self._exports = rest_of_exports(self._plan, self._hints, self._cursor, listing, self._limits)
                return iter(self._cursor.early_batches())
        if self._exports is not None:
            parts = yield from self._exports.next_rows()
            if parts is not None:
                return map(RowBatch, parts)
            if self._exports.plan is None:
                return None
            self._cursor, self._exports = self._cursor_of(self._exports.plan), None
        batches = yield from self._cursor.next_batches(self._ahead)
        self._ahead = min(2 * self._ahead, self._plan.max_concurrency)
        return None if batches is None else iter(batches)

    def _cursor_of(self, plan: ScanPlan) -> ScanCursor:
        return ScanCursor(plan, self._hints, self._reader, self._limits, streams=True)


def batches_of(scan: HistoryScan[Row]) -> Iterator[Batch]:
    """Return the rows of a scan in portions, as columns where polars reads them exactly, else as dicts."""
    # The class has no public member for it: columns as they arrive have types that later rows may change.
    client, plan, hints = scan._client, scan._plan, scan._hints  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as above
    stream = RowStream(plan, hints, client.sample_limits, ColumnReader())
    while (batches := client.run(stream.next_batches())) is not None:
        yield from batches
        # Release these rows before the next arrive.
        del batches


def scan_contents(plan: ScanPlan, hints: HistoryHints) -> Contents:
    """Return what a scan reads, and what is known of the run."""
    fields = {"run": plan.path, **plan.options, "page_size": plan.page_size}
    return Contents(
        {**fields, "rows when the run was read": hints.line_count, "last step then": hints.last_step}
    )


def find_exports(cursor: ScanCursor, *, with_rows: bool) -> Flow[ExportListing | None]:
    """Return a run's exports; None where it has none, or no library here reads them."""
    return (yield from cursor.find_exports(with_rows=with_rows)) if can_read_exports() else None


def rest_of_exports(
    plan: ScanPlan, hints: HistoryHints, cursor: ScanCursor, listing: ExportListing, limits: SampleLimits
) -> ExportRows:
    """The rows behind those that the cursor has read, from the exports of the run."""
    from runql.resources.history.exports.rows import ExportRows  # noqa: PLC0415 - few runs have any

    rest = replace(plan, min_step=cursor.offset)
    return ExportRows(rest, listing, partial(read_live_rows, hints, limits))


def read_live_rows(hints: HistoryHints, limits: SampleLimits, plan: ScanPlan, rows: int) -> Flow[list[Batch]]:
    """Return all rows of a scan from GraphQL; the export listing says that there are ``rows`` of them."""
    return read_batches(plan, replace(hints, rows=rows), RowReader(), limits)


def read_batches(
    plan: ScanPlan, hints: HistoryHints, reader: RowReader, limits: SampleLimits
) -> Flow[list[Batch]]:
    """Return all rows of a scan from GraphQL.

    Raises:
        IncompleteHistoryError: the server leaves out rows, however few are requested.
    """
    return (yield from read_rest(ScanCursor(plan, hints, reader, limits), plan, hints, reader, limits))


def read_rest(
    cursor: ScanCursor,
    plan: ScanPlan,
    hints: HistoryHints,
    reader: RowReader,
    limits: SampleLimits,
    report: RowReport | None = None,
) -> Flow[list[Batch]]:
    """Return all rows behind the cursor.

    Where rows turn out to be missing, the scan begins again and checks each window.

    Raises:
        IncompleteHistoryError: the server leaves out rows, however few are requested.
    """
    found: list[Batch] = []
    while (batches := (yield from cursor.next_batches(ahead=None))) is not None:
        found += batches
    if not cursor.is_incomplete:
        return found
    for left in reversed(range(MOST_PASSES)):
        found.clear()
        if report is not None:
            report.begin_again()
        cursor = ScanCursor(plan, hints, reader, limits, streams=True, doubts=True, report=report)
        try:
            while (batches := (yield from cursor.next_batches(plan.max_concurrency))) is not None:
                found += batches
        except IncompleteHistoryError as error:
            if not left:
                raise error.with_partial([row for batch in found for row in batch.to_rows()]) from error
        else:
            break
    return found


def scan_schema(plan: ScanPlan, schema: Schema | None) -> FrameSchema:
    """Check the schema of a frame of one run.

    Raises:
        TypeError: no mapping of names to dtypes.
        ValueError: a column that the frame does not have.
    """
    return FrameSchema.checked(schema, None if plan.keys is None else plan.columns, plan.path)


def stream_plan(plan: ScanPlan, schema: FrameSchema) -> StreamPlan:
    """Return the columns of a stream of one run's rows: those of a frame."""
    from runql.frames.streams.plan import StreamPlan  # noqa: PLC0415 - only Arrow streams need it

    return StreamPlan(plan.columns, (), plan.keys is None, "first_seen", schema)


def scan_table(
    plan: ScanPlan,
    hints: HistoryHints,
    limits: SampleLimits,
    schema: FrameSchema = NO_SCHEMA,
    report: Progress | None = None,
) -> Flow[Table]:
    """Return all rows of a scan as one table, its types inferred over every value where no schema has them.

    Calls ``report`` with the rows that have arrived, and their total where the server counts them.

    Raises:
        FrameValueError: a value does not fit the schema.
    """
    reader = ColumnReader()
    rows = None if report is None else RowReport(report)
    table = yield from _scan_table(plan, hints, limits, schema, rows, reader)
    if rows is not None:
        rows.finish(table.height)
    return table


def _scan_table(
    plan: ScanPlan,
    hints: HistoryHints,
    limits: SampleLimits,
    schema: FrameSchema,
    report: RowReport | None,
    reader: RowReader,
) -> Flow[Table]:
    cursor = ScanCursor(plan, hints, reader, limits, report=report)
    listing = yield from find_exports(cursor, with_rows=False)
    if listing is not None:
        from runql.resources.history.exports.scan import table_of_exports  # noqa: PLC0415 - few runs have any

        table = yield from table_of_exports(
            plan, listing, partial(read_live_rows, hints, limits), schema, report
        )
        if table is not None:
            return table
    batches = yield from read_rest(cursor, plan, hints, reader, limits, report)
    builder = TableBuilder()
    while batches:
        builder.add(batches.pop(0))
    return builder.build(leading=plan.columns, schema=schema)
