"""Fetching exports: whole files, or of large ones the parts that hold the asked columns and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runql.frames.export_selection import ExportWish
from runql.frames.parquet_layout import UnreadableParquetError
from runql.resources.history.exports.listing import ExportListing
from runql.resources.history.exports.parts import (
    AT_A_TIME,
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


@dataclass(frozen=True, slots=True)
class _WholeFile:
    rows: pl.DataFrame
    steps: pl.DataFrame


def read_files(listing: ExportListing, wish: ExportWish, limit: int) -> Flow[ExportedRows]:
    """Fetch and read what is wanted of a run's exports.

    One request a file for whole rows. With keys two or more: one for the end of the file, which tells where its columns
    are, and one for each part that holds asked columns of row groups with asked steps; one for the whole file where
    that takes no longer. No more than `AT_A_TIME` is fetched before it is read: with pyarrow, whole rows of a file that is
    larger, or than its share of that where files are fetched at once, are one request more, and one for each portion.
    Up to ``limit`` requests are under way at once, of parts twice as many, as they go to a storage.

    Raises:
        AnswerError, TransportError: a file cannot be fetched.
        UnreadableParquetError: what was fetched is no export, or rows are missing from it.
    """
    can_read_parts = find_spec("pyarrow") is not None
    if wish.keys is not None and can_read_parts:
        return (yield from _read_parts(listing.urls, [], [], listing, wish, limit))
    most = AT_A_TIME // min(limit, len(listing.urls)) if can_read_parts else None
    # The beginnings of many large files would be more than may be in memory.
    reading = [_read_small(url, wish, most, keep=place < limit) for place, url in enumerate(listing.urls)]
    found = yield from gather(reading, limit=limit)
    for each in found:
        if isinstance(each, UnreadableParquetError):
            raise each
    whole = [each for each in found if isinstance(each, _WholeFile)]
    large = [(url, each) for url, each in zip(listing.urls, found, strict=True) if isinstance(each, FilePart)]
    urls, starts = [url for url, _ in large], [start for _, start in large]
    found.clear()
    large.clear()
    return (yield from _read_parts(urls, starts, whole, listing, wish, limit))


def _read_small(
    url: str, wish: ExportWish, most: int | None, *, keep: bool
) -> Flow[_WholeFile | FilePart | UnreadableParquetError]:
    """A file that has no more than ``most`` bytes; the beginning of one that has, of which nothing is left if not to ``keep``.

    What cannot be read is given: an error that no driver knows would end the flows around this one.
    """
    if most is None:
        content = yield from download(url)
    else:
        start = yield from download_part(url, ByteRange(0, most))
        if not start.is_whole:
            return start if keep else replace(start, content=b"")
        content = start.content
    try:
        return (yield from worked(lambda: _whole(content, wish)))
    except UnreadableParquetError as error:
        return error


def _whole(content: bytes, wish: ExportWish) -> _WholeFile:
    from runql.frames.parquet_polars import frame_of_file, wanted  # noqa: PLC0415 - optional

    frame = frame_of_file(content)
    return _WholeFile(wanted(frame, wish), frame.select("_step"))


def _read_parts(
    urls: Sequence[str],
    starts: list[FilePart],
    whole: Sequence[_WholeFile],
    listing: ExportListing,
    wish: ExportWish,
    limit: int,
) -> Flow[ExportedRows]:
    """Read files part by part, of which the first bytes may be here, and join them to those that were read whole."""
    files = yield from open_files(urls, limit, starts)
    starts.clear()
    frames, steps = [file.rows for file in whole], [file.steps for file in whole]
    read = sum(each.height for each in steps)
    repeats = has_repeats(listing, read + sum(file.layout.rows for file in files))
    # Rows that are there twice can only be told by reading all steps.
    left = groups_of(files, 0, None) if repeats else groups_of(files, wish.start, wish.stop)
    while left:
        groups = first_portion(left, wish, AT_A_TIME)
        del left[: len(groups)]
        parts = yield from read_groups(groups, wish, limit)
        frames += yield from worked(partial(_all_wanted, parts, wish))
        steps += [frame.select("_step") for frame in parts] if repeats else []
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
