"""A scan as the reader sees it: rows one by one, or one frame of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoryError
from runql.frames.batches import Batch
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader, RowReader
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.resources.history.cursor import ScanPosition
from runql.resources.history.exports.listing import ExportListing, can_read_exports
from runql.resources.history.plan import Known, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.pages.next_item import AsyncNextItem, NextItem
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from runql.resources.history.exports.rows import ExportRows
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient

MOST_PASSES = 4
"""Times that a scan is begun anew when rows were left out; each time the limits of the server are known better."""


class HistoryScan:
    """Every row of a run's history, in step order, read window by window while you iterate.

    Each ``for`` and each ``to_*`` reads anew, from the first row. ``next(scan)`` goes on behind the row that the last
    ``next`` returned; the first one starts at the first row. Rows are dicts; with keys they hold `_step` and the asked keys only.
    Sends one request a window of ``page_size`` steps and at most one more; one in all where the run holds no more
    rows than ``page_size``. Where the rows are few and the steps many, windows are cut by rows: one request for up to
    50,000 steps of rows, one for each ``page_size`` rows, and at most two more. A frame is read ``max_concurrency`` windows at a
    time, from the texts of rows straight to columns where polars is installed; iterating asks for one window, then for
    two at once, four and so on up to ``max_concurrency``, so that few rows cost few requests and memory stays bounded.

    Where a run needs more than one window, the first request asks for its exports, too; before a frame of more than
    ``max_concurrency`` windows it is a request of its own. When there are any and polars is installed, the rows come from these
    parquet files: one request a file for whole rows; with keys and pyarrow, two or more for the parts that hold them;
    with pyarrow, what is larger than 64 MiB comes in portions of that size. Rows that are in no file yet come by
    windows. Whatever is wrong with a file, all rows come by windows. Iterating gives the first window's rows before any file is fetched, then fetches 4 MiB at a time.

    Where the server sends fewer rows than it counts, or may have, windows are read again and in smaller ones: a request
    or two for each.

    Raises:
        IncompleteHistoryError: the server does not send every row; those that came are in its ``partial``, or were
            handed out.
        CorruptHistoryError: a row cannot be read.
    """

    def __init__(self, client: RetryingClient, plan: ScanPlan, known: Known) -> None:
        self._client = client
        self._plan = plan
        self._known = known
        self._next: NextItem[Row] = NextItem(self.__iter__)

    def __next__(self) -> Row:
        return self._next.take()

    def __iter__(self) -> Iterator[Row]:
        position = self._position(self._plan)
        if (listing := self._client.run(find_exports(position, with_rows=True))) is not None:
            yield from position.early_rows()
            limits = self._client.sample_limits
            exports = rest_of_exports(self._plan, self._known, position, listing, limits)
            while (some := self._client.run(exports.next_rows())) is not None:
                for part in some:
                    yield from part
            if exports.plan is None:
                return
            position = self._position(exports.plan)
        ahead = 1
        while (rows := self._client.run(position.next_rows(ahead))) is not None:
            yield from rows
            # These are gone before the next arrive: memory holds what is read at once, not twice that.
            del rows
            ahead = min(2 * ahead, self._plan.max_concurrency)

    def _position(self, plan: ScanPlan) -> ScanPosition:
        return ScanPosition(plan, self._known, limits=self._client.sample_limits, streams=True)

    def _table(self) -> Flow[Table]:
        return scan_table(self._plan, self._known, self._client.sample_limits)

    def to_pandas(self) -> pd.DataFrame:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_pandas` for dtypes."""
        require("pandas", needed_for="HistoryScan.to_pandas")
        return to_pandas(self._client.run(self._table()))

    def to_polars(self) -> pl.DataFrame:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_polars` for dtypes."""
        require("polars", needed_for="HistoryScan.to_polars")
        return to_polars(self._client.run(self._table()))

    def to_arrow(self) -> pa.Table:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_arrow` for dtypes."""
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        return to_arrow(self._client.run(self._table()))


class AsyncHistoryScan:
    """As `HistoryScan`: ``async for``, ``await anext(scan)``, ``await scan.to_polars()``."""

    def __init__(self, client: AsyncRetryingClient, plan: ScanPlan, known: Known) -> None:
        self._client = client
        self._plan = plan
        self._known = known
        self._next: AsyncNextItem[Row] = AsyncNextItem(self.__aiter__)

    async def __anext__(self) -> Row:
        return await self._next.take()

    async def __aiter__(self) -> AsyncIterator[Row]:
        position = self._position(self._plan)
        if (listing := await self._client.run(find_exports(position, with_rows=True))) is not None:
            for row in position.early_rows():
                yield row
            limits = self._client.sample_limits
            exports = rest_of_exports(self._plan, self._known, position, listing, limits)
            while (some := await self._client.run(exports.next_rows())) is not None:
                for part in some:
                    for row in part:
                        yield row
            if exports.plan is None:
                return
            position = self._position(exports.plan)
        ahead = 1
        while (rows := await self._client.run(position.next_rows(ahead))) is not None:
            for row in rows:
                yield row
            del rows
            ahead = min(2 * ahead, self._plan.max_concurrency)

    def _position(self, plan: ScanPlan) -> ScanPosition:
        return ScanPosition(plan, self._known, limits=self._client.sample_limits, streams=True)

    def _table(self) -> Flow[Table]:
        return scan_table(self._plan, self._known, self._client.sample_limits)

    async def to_pandas(self) -> pd.DataFrame:
        """As `HistoryScan.to_pandas`."""
        require("pandas", needed_for="HistoryScan.to_pandas")
        return to_pandas(await self._client.run(self._table()))

    async def to_polars(self) -> pl.DataFrame:
        """As `HistoryScan.to_polars`."""
        require("polars", needed_for="HistoryScan.to_polars")
        return to_polars(await self._client.run(self._table()))

    async def to_arrow(self) -> pa.Table:
        """As `HistoryScan.to_arrow`."""
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        return to_arrow(await self._client.run(self._table()))


def find_exports(position: ScanPosition, *, with_rows: bool) -> Flow[ExportListing | None]:
    """Where a run's exports are, when there are any and something here reads them."""
    return (yield from position.find_exports(with_rows=with_rows)) if can_read_exports() else None


def rest_of_exports(
    plan: ScanPlan, known: Known, position: ScanPosition, listing: ExportListing, limits: SampleLimits
) -> ExportRows:
    """The rows behind what was read of a run, from its exports."""
    from runql.resources.history.exports.rows import ExportRows  # noqa: PLC0415 - few runs have any

    rest = replace(plan, min_step=position.offset)
    return ExportRows(rest, listing, partial(read_live_rows, known, limits))


def read_live_rows(known: Known, limits: SampleLimits, plan: ScanPlan, rows: int) -> Flow[list[Batch]]:
    """All rows of a scan from GraphQL, of which there are so many."""
    return read_batches(plan, replace(known, rows=rows), RowReader(), limits)


def read_batches(plan: ScanPlan, known: Known, reader: RowReader, limits: SampleLimits) -> Flow[list[Batch]]:
    """All rows of a scan from GraphQL.

    Raises:
        IncompleteHistoryError: the server leaves out rows, however few are asked for.
    """
    return (yield from rest_of_scan(ScanPosition(plan, known, reader, limits), plan, known, reader, limits))


def rest_of_scan(
    position: ScanPosition, plan: ScanPlan, known: Known, reader: RowReader, limits: SampleLimits
) -> Flow[list[Batch]]:
    """All rows that are left of a scan.

    Where it turns out that rows were left out, all is read once more, and each window made sure of.

    Raises:
        IncompleteHistoryError: the server leaves out rows, however few are asked for.
    """
    found: list[Batch] = []
    while (batches := (yield from position.next_batches(ahead=None))) is not None:
        found += batches
    if not position.is_incomplete:
        return found
    for left in reversed(range(MOST_PASSES)):
        found.clear()
        position = ScanPosition(plan, known, reader, limits, streams=True, doubts=True)
        try:
            while (batches := (yield from position.next_batches(plan.max_concurrency))) is not None:
                found += batches
        except IncompleteHistoryError as error:
            if not left:
                raise error.with_partial([row for batch in found for row in batch.to_rows()]) from error
        else:
            break
    return found


def scan_table(plan: ScanPlan, known: Known, limits: SampleLimits) -> Flow[Table]:
    """All rows of a scan as one table; types are decided over every value."""
    reader = ColumnReader()
    position = ScanPosition(plan, known, reader, limits)
    listing = yield from find_exports(position, with_rows=False)
    if listing is not None:
        from runql.resources.history.exports.scan import table_of_exports  # noqa: PLC0415 - few runs have any

        table = yield from table_of_exports(plan, listing, partial(read_live_rows, known, limits))
        if table is not None:
            return table
    batches = yield from rest_of_scan(position, plan, known, reader, limits)
    builder = TableBuilder()
    while batches:
        builder.add(batches.pop(0))
    return builder.build(leading=plan.columns)
