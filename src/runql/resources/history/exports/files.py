"""Fetches exports: whole files, or of large ones the parts that hold the selected columns and steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.layout import UnreadableParquetError
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.history.exports.listing import ExportListing
from runql.resources.history.exports.parts import (
    MOST_BYTES_IN_MEMORY,
    MOST_TRIES,
    first_portion,
    groups_of,
    offload_parsing,
    open_files,
    read_groups,
)
from runql.transport.byte_ranges import ByteRange, FilePart
from runql.transport.flow import Flow, download, download_part, download_whole, gather

if TYPE_CHECKING:
    import polars as pl
else:
    globals().update(postponed("pl"))


Count: TypeAlias = Callable[[int], None]
"""Called with the number of rows that were read."""


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """The rows that were read from a run's exports.

    Attributes:
        frames: the selected columns and rows, at least a frame for each file that has any.
        repeats: whether files, or files and live rows, have rows in common.
    """

    frames: list[pl.DataFrame]
    repeats: bool


@dataclass(frozen=True, slots=True)
class _WholeFile:
    rows: pl.DataFrame
    steps: pl.DataFrame


def read_files(
    listing: ExportListing, selection: ExportSelection, limit: int, count: Count | None = None
) -> Flow[ExportedRows]:
    """Fetch and read the selected rows of a run's exports.

    Whole rows take one request a file. With keys and pyarrow, a file takes two requests or more: one for its footer,
    and one for each part that holds selected columns and steps; one for the whole file where that is as fast, or where the
    storage sends other parts. No more than
    `MOST_BYTES_IN_MEMORY` is fetched before it is read: with pyarrow, whole rows of a larger file take one more request, and
    one for each portion. At most ``limit`` requests run at once, of parts thrice as many.

    Calls ``count`` with the rows of each file or portion that was read.

    Raises:
        AnswerError, TransportError: a file cannot be fetched.
        UnreadableParquetError: a file is no export, or rows are missing from it.
    """
    can_read_parts = find_spec("pyarrow") is not None
    if selection.keys is not None and can_read_parts:
        return (yield from _read_parts(listing.urls, [], [], listing, selection, limit, count))
    most = MOST_BYTES_IN_MEMORY // min(limit, len(listing.urls)) if can_read_parts else None
    # The beginnings of many large files together would exceed what may be in memory.
    reading = [
        _read_small(url, selection, most, count, keep=place < limit) for place, url in enumerate(listing.urls)
    ]
    found = yield from gather(reading, limit=limit)
    for each in found:
        if isinstance(each, UnreadableParquetError):
            raise each
    whole = [each for each in found if isinstance(each, _WholeFile)]
    large = [(url, each) for url, each in zip(listing.urls, found, strict=True) if isinstance(each, FilePart)]
    urls, starts = [url for url, _ in large], [start for _, start in large]
    found.clear()
    large.clear()
    return (yield from _read_parts(urls, starts, whole, listing, selection, limit, count))


def _read_small(
    url: str, selection: ExportSelection, most: int | None, count: Count | None, *, keep: bool
) -> Flow[_WholeFile | FilePart | UnreadableParquetError]:
    """Read a file of at most ``most`` bytes; of a larger one return its beginning, emptied unless ``keep``.

    An error is returned, not raised: one that no driver knows would end the flows around this one.
    """
    if most is None:
        content = yield from download(url, most_attempts=MOST_TRIES)
    else:
        start = yield from download_part(url, ByteRange(0, most), most_attempts=MOST_TRIES)
        if start is None:
            start = yield from download_whole(url, most_attempts=MOST_TRIES)
        if not start.is_whole:
            return start if keep else replace(start, content=b"")
        content = start.content
    try:
        file = yield from offload_parsing(lambda: _parse_file(content, selection))
    except UnreadableParquetError as error:
        return error
    if count is not None:
        count(file.rows.height)
    return file


def _parse_file(content: bytes, selection: ExportSelection) -> _WholeFile:
    from runql.frames.parquet.exported_frames import frame_of_file, select_rows  # noqa: PLC0415 - optional

    frame = frame_of_file(content)
    return _WholeFile(select_rows(frame, selection), frame.select("_step"))


def _read_parts(
    urls: Sequence[str],
    starts: list[FilePart],
    whole: Sequence[_WholeFile],
    listing: ExportListing,
    selection: ExportSelection,
    limit: int,
    count: Count | None,
) -> Flow[ExportedRows]:
    """Read files part by part, of which the first bytes may be here, and add those that were read whole."""
    files = yield from open_files(urls, limit, starts)
    starts.clear()
    frames, steps = [file.rows for file in whole], [file.steps for file in whole]
    read = sum(each.height for each in steps)
    repeats = has_repeats(listing, read + sum(file.layout.rows for file in files))
    # Only the steps of all rows show which rows repeat.
    left = groups_of(files, 0, None) if repeats else groups_of(files, selection.start, selection.stop)
    while left:
        groups = first_portion(left, selection, MOST_BYTES_IN_MEMORY)
        del left[: len(groups)]
        parts = yield from read_groups(groups, selection, limit)
        selected = yield from offload_parsing(partial(_select_all, parts, selection))
        if count is not None:
            count(sum(each.height for each in selected))
        frames += selected
        steps += [frame.select("_step") for frame in parts] if repeats else []
    if repeats:
        yield from offload_parsing(lambda: _check_steps(listing, steps))
    return ExportedRows(frames, repeats)


def _select_all(frames: Sequence[pl.DataFrame], selection: ExportSelection) -> list[pl.DataFrame]:
    from runql.frames.parquet.exported_frames import select_rows  # noqa: PLC0415 - optional

    return [select_rows(frame, selection) for frame in frames]


def has_repeats(listing: ExportListing, exported: int) -> bool:
    """Whether some rows are in more than one place.

    Raises:
        UnreadableParquetError: some rows are in none.
    """
    total = exported + listing.live_count
    if listing.line_count is None:
        return True
    if total < listing.line_count:
        raise UnreadableParquetError(f"{listing.line_count} rows were logged, the exports hold {total}")
    return total > listing.line_count


def _check_steps(listing: ExportListing, exported: Sequence[pl.DataFrame]) -> None:
    """Make sure that each row has a step of its own, so that repeated rows can be recognised.

    Where the server does not count rows, no step may repeat.
    """
    from runql.frames.parquet.exported_frames import count_steps  # noqa: PLC0415 - optional

    total = sum(frame.height for frame in exported) + listing.live_count
    rows = total if listing.line_count is None else listing.line_count
    if count_steps(exported, listing.live_steps) != rows:
        raise UnreadableParquetError("the exports overlap, and some rows share a step")
