"""The rows of a scan from exports, merged with the live rows; None where the files cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from runql.errors import AnswerError, TransportError
from runql.frames.asked_types import NO_SCHEMA, FrameSchema
from runql.frames.batches import Batch
from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.layout import UnreadableParquetError
from runql.frames.table import Table
from runql.postponed import postponed
from runql.resources.history.exports.files import Count, ExportedRows, read_files
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.history.exports.parts import offload_parsing
from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_report import RowReport
from runql.resources.history.sampled import Row
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow

if TYPE_CHECKING:
    import polars as pl
else:
    globals().update(postponed("pl"))

ReadLive: TypeAlias = Callable[[ScanPlan, int], Flow[list[Batch]]]
"""Reads all rows of a plan from GraphQL; the second argument is their number."""


def table_of_exports(
    plan: ScanPlan,
    listing: ExportListing,
    read_live: ReadLive,
    schema: FrameSchema = NO_SCHEMA,
    report: RowReport | None = None,
) -> Flow[Table | None]:
    """Return the same table as the rows would make if they came from GraphQL; see `scan_exports`.

    Where it is None, ``report`` counts from 0 again.

    Raises:
        FrameValueError: a value does not fit the schema.
    """
    from runql.frames.parquet.exported_frames import table_of  # noqa: PLC0415 - optional

    frame = yield from scan_exports(plan, listing, read_live, report)
    if frame is None:
        _forget(report)
        return None
    bounded = plan.min_step > 0 or plan.max_step is not None
    try:
        return (
            yield from offload_parsing(
                lambda: table_of(frame, leading=plan.columns, keep_empty=not bounded, schema=schema)
            )
        )
    except UnreadableParquetError:
        _forget(report)
        return None


def rows_of_exports(
    plan: ScanPlan, listing: ExportListing, read_live: ReadLive
) -> Flow[Iterator[list[Row]] | None]:
    """Return the rows of a scan as dicts, some thousands at a time; see `scan_exports`."""
    from runql.frames.parquet.exported_frames import check_values, rows_of  # noqa: PLC0415 - optional

    frame = yield from scan_exports(plan, listing, read_live)
    if frame is None:
        return None
    try:
        return rows_of((yield from offload_parsing(lambda: check_values(frame))))
    except UnreadableParquetError:
        return None


def scan_exports(
    plan: ScanPlan, listing: ExportListing, read_live: ReadLive, report: RowReport | None = None
) -> Flow[pl.DataFrame | None]:
    """Read a scan's rows from exports, and those that are in none from GraphQL; None where that does not work.

    Addresses that have expired are requested again, once. Any other fault of a file, or of the files together, raises
    nothing: the caller reads the rows from GraphQL instead.
    """
    exported: ExportedRows | None = None
    count = _counter(plan, listing, report)
    try:
        exported = yield from read_files(listing, selection_of(plan, listing), plan.max_concurrency, count)
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            return None
    except (TransportError, UnreadableParquetError):
        return None
    if exported is None:
        renewed = yield from list_exports(plan.run, with_keys=True)
        if renewed is None or not renewed.urls:
            return None
        listing = renewed
        _forget(report)
        try:
            exported = yield from read_files(
                listing, selection_of(plan, listing), plan.max_concurrency, count
            )
        except (AnswerError, TransportError, UnreadableParquetError):
            return None
    live = yield from _read_live(plan, listing, read_live)
    if count is not None and live:
        count(sum(batch.height for batch in live))
    try:
        return (yield from offload_parsing(lambda: _merge_live(plan, listing, exported, live)))
    except UnreadableParquetError:
        return None


def _counter(plan: ScanPlan, listing: ExportListing, report: RowReport | None) -> Count | None:
    if report is None:
        return None
    # The server counts all rows, not those of some keys or steps.
    expected = listing.line_count if plan.keys is None and plan.wants_every_step else None
    return lambda rows: report.add(rows, expected)


def _forget(report: RowReport | None) -> None:
    if report is not None:
        report.begin_again()


def selection_of(plan: ScanPlan, listing: ExportListing) -> ExportSelection:
    """The rows and columns that a scan selects from exports."""
    return ExportSelection(
        plan.keys,
        plan.match,
        plan.min_step,
        plan.max_step,
        listing.history_keys,
        plan.required,
        plan.every_row,
    )


def _read_live(plan: ScanPlan, listing: ExportListing, read_live: ReadLive) -> Flow[list[Batch]]:
    steps = listing.live_within(plan.min_step, plan.max_step)
    if not steps:
        return []
    return (yield from read_live(replace(plan, min_step=steps[0], max_step=steps[-1] + 1), len(steps)))


def _merge_live(
    plan: ScanPlan, listing: ExportListing, exported: ExportedRows, live: list[Batch]
) -> pl.DataFrame:
    from runql.frames.parquet.exported_frames import (  # noqa: PLC0415 - optional
        frames_of_batches,
        merge_frames,
        shares_steps,
    )

    steps = listing.live_within(plan.min_step, plan.max_step)
    fresh = frames_of_batches(live, steps)
    count = sum(frame.height for frame in fresh)
    if (plan.keys is None or plan.every_row) and count != len(steps):
        raise UnreadableParquetError(f"{len(steps)} rows are live, {count} were read")
    if steps and not exported.repeats and shares_steps(exported.frames, steps):
        raise UnreadableParquetError("live and exported rows have the same step")
    return merge_frames([*fresh, *exported.frames], selection_of(plan, listing), repeats=exported.repeats)
