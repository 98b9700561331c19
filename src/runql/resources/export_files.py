"""Fetching exports: whole files, or of large ones the parts that hold the asked columns and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runql.frames.export_wish import ExportWish
from runql.frames.parquet_layout import UnreadableParquetError
from runql.resources.export_listing import ExportListing
from runql.resources.export_parts import (
    AT_A_TIME,
    RemoteFile,
    first_portion,
    groups_of,
    open_files,
    read_groups,
    worked,
)
from runql.transport.byte_ranges import ByteRange, FilePart
from runql.transport.flow import Flow, download, download_part, gather

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """What was read of a run's exports.

    Attributes:
        frames: the wanted columns and rows, at least a frame for each file that has any.
        repeats: whether files, or files and live rows, have rows in common.
    """

    frames: list[pl.DataFrame]
    repeats: bool


def read_files(listing: ExportListing, wish: ExportWish, limit: int) -> Flow[ExportedRows]:
    """Fetch and read what is wanted of a run's exports.

    One request a file for whole rows. With keys two or more: one for the end of the file, which tells where its columns
    are, and one for each part that holds asked columns of row groups with asked steps; one for the whole file where
    that takes no longer. Of what is larger than `AT_A_TIME` no more than that is fetched before it is read: with pyarrow,
    whole rows of such files are one request more a file, and one for each portion. Up to ``limit`` requests are under
    way at once, of parts twice as many, as they go to a storage.

    Raises:
        AnswerError, TransportError: a file cannot be fetched.
        UnreadableParquetError: what was fetched is no export, or rows are missing from it.
    """
    if find_spec("pyarrow") is None:
        contents = yield from gather([download(url) for url in listing.urls], limit=limit)
        return (yield from worked(lambda: _read_whole(contents, listing, wish)))
    starts: list[FilePart] = []
    if wish.keys is None:
        most = ByteRange(0, AT_A_TIME // len(listing.urls))
        starts = yield from gather([download_part(url, most) for url in listing.urls], limit=limit)
        if all(start.is_whole for start in starts):
            contents = [start.content for start in starts]
            starts.clear()
            return (yield from worked(lambda: _read_whole(contents, listing, wish)))
    files = yield from open_files(listing, limit, starts)
    starts.clear()
    return (yield from _read_parts(files, listing, wish, limit))


def _read_whole(contents: list[bytes], listing: ExportListing, wish: ExportWish) -> ExportedRows:
    from runql.frames.parquet_polars import frame_of_file, wanted  # noqa: PLC0415 - optional

    frames: list[pl.DataFrame] = []
    steps: list[pl.DataFrame] = []
    while contents:
        frame = frame_of_file(contents.pop())
        frames.append(wanted(frame, wish))
        steps.append(frame.select("_step"))
    repeats = has_repeats(listing, sum(frame.height for frame in steps))
    if repeats:
        _check_steps(listing, steps)
    return ExportedRows(frames, repeats)


def _read_parts(
    files: Sequence[RemoteFile], listing: ExportListing, wish: ExportWish, limit: int
) -> Flow[ExportedRows]:
    repeats = has_repeats(listing, sum(file.layout.rows for file in files))
    # Rows that are there twice can only be told by reading all steps.
    left = groups_of(files, 0, None) if repeats else groups_of(files, wish.start, wish.stop)
    frames: list[pl.DataFrame] = []
    steps: list[pl.DataFrame] = []
    while left:
        groups = first_portion(left, wish, AT_A_TIME)
        del left[: len(groups)]
        whole = yield from read_groups(groups, wish, limit)
        frames += yield from worked(partial(_all_wanted, whole, wish))
        steps += [frame.select("_step") for frame in whole] if repeats else []
    if repeats:
        yield from worked(lambda: _check_steps(listing, steps))
    return ExportedRows(frames, repeats)


def _all_wanted(frames: Sequence[pl.DataFrame], wish: ExportWish) -> list[pl.DataFrame]:
    from runql.frames.parquet_polars import wanted  # noqa: PLC0415 - optional

    return [wanted(frame, wish) for frame in frames]


def has_repeats(listing: ExportListing, exported: int) -> bool:
    """Whether rows are there more than once; rows that are nowhere are an error."""
    total = exported + listing.live_count
    if listing.line_count is None:
        return True
    if total < listing.line_count:
        raise UnreadableParquetError(f"{listing.line_count} rows were logged, the exports tell of {total}")
    return total > listing.line_count


def _check_steps(listing: ExportListing, exported: Sequence[pl.DataFrame]) -> None:
    """Where rows are there twice, they can be told by their steps only if each row has its own.

    Where the server does not count, no step may be there twice.
    """
    from runql.frames.parquet_polars import count_steps  # noqa: PLC0415 - optional

    total = sum(frame.height for frame in exported) + listing.live_count
    rows = total if listing.line_count is None else listing.line_count
    if count_steps(exported, listing.live_steps) != rows:
        raise UnreadableParquetError("the exports overlap, and rows of the same step cannot be told apart")
