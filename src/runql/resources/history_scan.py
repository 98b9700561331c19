"""A scan as the reader sees it: rows one by one, or one frame of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from runql.frames.batches import Batch
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.resources.export_listing import ExportListing, can_read_exports
from runql.resources.history import Row
from runql.resources.next_item import AsyncNextItem, NextItem
from runql.resources.scan import Known, ScanPlan
from runql.resources.scan_position import ScanPosition
from runql.transport.flow import Flow

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from runql.resources.export_rows import ExportRows
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient


class HistoryScan:
    """Every row of a run's history, in step order, read window by window while you iterate.

    Each ``for`` and each ``to_*`` reads anew, from the first row. ``next(scan)`` goes on behind the row that the last
    ``next`` returned; the first one starts at the first row. Rows are dicts; with keys they hold `_step` and the asked keys only.
    Sends one request a window of ``page_size`` steps and at most one more; one in all where the run holds no more
    rows than ``page_size``. Where the rows are few and the steps many, windows are cut by rows: one request for up to
    50,000 steps of rows, one for each ``page_size`` rows, and at most two more. A frame is read ``at_once`` windows at a
    time, from the texts of rows straight to columns where polars is installed; iterating asks for one window, then for
    two at once, four and so on up to ``at_once``, so that few rows cost few requests and memory stays bounded.

    Where a run needs more than one window, the first request asks for its exports, too; before a frame of more than
    ``at_once`` windows it is a request of its own. When there are any and polars is installed, the rows come from these
    parquet files: one request a file for whole rows; with keys and pyarrow, two or more for the parts that hold them;
    with pyarrow, what is larger than 64 MiB comes in portions of that size. Rows that are in no file yet come by
    windows. Whatever is wrong with a file, all rows come by windows. Iterating gives the first window's rows before any file is fetched, then fetches 4 MiB at a time.
    """

    def __init__(self, client: RetryingClient, plan: ScanPlan, known: Known) -> None:
        self._client = client
        self._plan = plan
        self._known = known
        self._next: NextItem[Row] = NextItem(self.__iter__)

    def __next__(self) -> Row:
        return self._next.take()

    def __iter__(self) -> Iterator[Row]:
        position = ScanPosition(self._plan, self._known)
        if (listing := self._client.run(find_exports(position, with_rows=True))) is not None:
            yield from position.early_rows()
            exports = rest_of_exports(self._plan, self._known, position, listing)
            while (some := self._client.run(exports.next_rows())) is not None:
                for part in some:
                    yield from part
            if exports.plan is None:
                return
            position = ScanPosition(exports.plan, self._known)
        ahead = 1
        while (rows := self._client.run(position.next_rows(ahead))) is not None:
            yield from rows
            # These are gone before the next arrive: memory holds what is read at once, not twice that.
            del rows
            ahead = min(2 * ahead, self._plan.at_once)

    def to_pandas(self) -> pd.DataFrame:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_pandas` for dtypes."""
        require("pandas", needed_for="HistoryScan.to_pandas")
        return to_pandas(self._client.run(scan_table(self._plan, self._known)))

    def to_polars(self) -> pl.DataFrame:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_polars` for dtypes."""
        require("polars", needed_for="HistoryScan.to_polars")
        return to_polars(self._client.run(scan_table(self._plan, self._known)))

    def to_arrow(self) -> pa.Table:
        """One row a step, one column a metric, `_step` first; see `runql.frames.to_arrow` for dtypes."""
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        return to_arrow(self._client.run(scan_table(self._plan, self._known)))


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
        position = ScanPosition(self._plan, self._known)
        if (listing := await self._client.run(find_exports(position, with_rows=True))) is not None:
            for row in position.early_rows():
                yield row
            exports = rest_of_exports(self._plan, self._known, position, listing)
            while (some := await self._client.run(exports.next_rows())) is not None:
                for part in some:
                    for row in part:
                        yield row
            if exports.plan is None:
                return
            position = ScanPosition(exports.plan, self._known)
        ahead = 1
        while (rows := await self._client.run(position.next_rows(ahead))) is not None:
            for row in rows:
                yield row
            del rows
            ahead = min(2 * ahead, self._plan.at_once)

    async def to_pandas(self) -> pd.DataFrame:
        """As `HistoryScan.to_pandas`."""
        require("pandas", needed_for="HistoryScan.to_pandas")
        return to_pandas(await self._client.run(scan_table(self._plan, self._known)))

    async def to_polars(self) -> pl.DataFrame:
        """As `HistoryScan.to_polars`."""
        require("polars", needed_for="HistoryScan.to_polars")
        return to_polars(await self._client.run(scan_table(self._plan, self._known)))

    async def to_arrow(self) -> pa.Table:
        """As `HistoryScan.to_arrow`."""
        require("pyarrow", needed_for="HistoryScan.to_arrow")
        return to_arrow(await self._client.run(scan_table(self._plan, self._known)))


def find_exports(position: ScanPosition, *, with_rows: bool) -> Flow[ExportListing | None]:
    """Where a run's exports are, when there are any and something here reads them."""
    return (yield from position.find_exports(with_rows=with_rows)) if can_read_exports() else None


def rest_of_exports(
    plan: ScanPlan, known: Known, position: ScanPosition, listing: ExportListing
) -> ExportRows:
    """The rows behind what was read of a run, from its exports."""
    from runql.resources.export_rows import ExportRows  # noqa: PLC0415 - few runs have any

    return ExportRows(replace(plan, min_step=position.offset), listing, partial(read_batches, known))


def read_batches(known: Known, plan: ScanPlan) -> Flow[list[Batch]]:
    """All rows of a scan from GraphQL."""
    position = ScanPosition(plan, known)
    found: list[Batch] = []
    while (batches := (yield from position.next_batches(ahead=None))) is not None:
        found += batches
    return found


def scan_table(plan: ScanPlan, known: Known) -> Flow[Table]:
    """All rows of a scan as one table; types are decided over every value."""
    position = ScanPosition(plan, known, ColumnReader())
    listing = yield from find_exports(position, with_rows=False)
    if listing is not None:
        from runql.resources.export_scan import table_of_exports  # noqa: PLC0415 - few runs have any

        table = yield from table_of_exports(plan, listing, partial(read_batches, known))
        if table is not None:
            return table
    builder = TableBuilder()
    while (batches := (yield from position.next_batches(ahead=None))) is not None:
        while batches:
            builder.add(batches.pop(0))
    return builder.build(leading=plan.columns)
