"""Fetching exports: whole files, or of large ones the parts that hold the asked columns and steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from runql.frames.export_wish import ExportWish
from runql.frames.parquet_layout import TAIL, UnreadableParquetError, footer_start, is_worthwhile
from runql.frames.sparse_file import SparseFile
from runql.resources.export_listing import ExportListing
from runql.transport.byte_ranges import ByteRange, FilePart
from runql.transport.flow import Flow, download, download_part, gather, offload

if TYPE_CHECKING:
    import polars as pl

    from runql.frames.parquet_arrow import PartialParquet
    from runql.frames.parquet_layout import Layout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """What was read of a run's exports.

    Attributes:
        frames: the wanted columns and rows, a frame for each file.
        repeats: whether files, or files and live rows, have rows in common.
    """

    frames: list[pl.DataFrame]
    repeats: bool


def read_files(listing: ExportListing, wish: ExportWish, limit: int) -> Flow[ExportedRows]:
    """Fetch and read what is wanted of a run's exports.

    One request a file for whole rows. With keys two or more: one for the end of the file, which tells where its columns
    are, and one for each part that holds asked columns of row groups with asked steps; one for the whole file where
    that takes no longer. Up to ``limit`` requests are under way at once, of parts twice as many, as they go to a storage.

    Raises:
        AnswerError, TransportError: a file cannot be fetched.
        UnreadableParquetError: what was fetched is no export, or rows are missing from it.
    """
    if wish.keys is None or find_spec("pyarrow") is None:
        contents = yield from gather([download(url) for url in listing.urls], limit=limit)
        return (yield from worked(lambda: _read_whole(contents, listing, wish)))
    return (yield from _read_parts(listing, wish, limit))


def _read_whole(contents: list[bytes], listing: ExportListing, wish: ExportWish) -> ExportedRows:
    from runql.frames.parquet_polars import count_steps, frame_of_file, wanted  # noqa: PLC0415 - optional

    frames: list[pl.DataFrame] = []
    steps: list[pl.DataFrame] = []
    while contents:
        frame = frame_of_file(contents.pop())
        frames.append(wanted(frame, wish))
        steps.append(frame.select("_step"))
    total = sum(frame.height for frame in steps)
    repeats = has_repeats(listing, total)
    if repeats:
        _check_steps(listing, total, count_steps(steps, listing.live_steps))
    return ExportedRows(frames, repeats)


def _read_parts(listing: ExportListing, wish: ExportWish, limit: int) -> Flow[ExportedRows]:
    files = yield from open_files(listing, limit)
    repeats = has_repeats(listing, sum(file.layout.rows for file in files))
    # Rows that are there twice can only be told by reading all steps.
    bounds = (0, None) if repeats else (wish.start, wish.stop)
    chosen = [(file, file.layout.groups_within(*bounds)) for file in files]
    yield from fetch_groups(chosen, wish, limit)
    return (yield from worked(lambda: _read_fetched(chosen, listing, wish, repeats=repeats)))


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that is read part by part.

    Attributes:
        url: its address.
        end: its last bytes, as they came.
        parquet: what is here of it.
    """

    url: str
    end: FilePart
    parquet: PartialParquet

    @property
    def layout(self) -> Layout:
        """What the footer tells."""
        return self.parquet.layout


Chosen: TypeAlias = "tuple[RemoteFile, Sequence[int]]"
"""A file, and the row groups that are wanted of it."""


def open_files(listing: ExportListing, limit: int) -> Flow[list[RemoteFile]]:
    """Fetch the ends of a run's exports, and read their footers; one request a file, two where the footer is long."""
    # pyarrow takes longer to load than a request takes, and most of a request is waiting.
    fetched = yield from gather([_load(), *map(_fetch_end, listing.urls)], limit=limit + 1)
    ends = fetched[1:]
    return (
        yield from worked(
            lambda: [
                RemoteFile(url, end[0], _opened(end)) for url, end in zip(listing.urls, ends, strict=True)
            ]
        )
    )


def fetch_groups(chosen: Sequence[Chosen], wish: ExportWish, limit: int) -> Flow[None]:
    """Fetch what is wanted of row groups and not here yet."""
    fetching = [each for file, groups in chosen for each in _fetch_rest(file, groups, wish)]
    yield from gather(fetching, limit=2 * limit)


def frames_of_groups(chosen: Sequence[Chosen], wish: ExportWish) -> list[pl.DataFrame]:
    """The asked columns of row groups whose bytes are here, a frame for each file.

    Raises:
        UnreadableParquetError: they cannot be read.
    """
    from runql.frames.parquet_polars import frame_of_arrow  # noqa: PLC0415 - optional

    return [
        frame_of_arrow(file.parquet.read(groups, wish.of(file.layout.columns))) for file, groups in chosen
    ]


def _load() -> Flow[list[FilePart]]:
    yield from offload(lambda: import_module("runql.frames.parquet_arrow"))
    return []


def _fetch_end(url: str) -> Flow[list[FilePart]]:
    """The last bytes of a file, with all of its footer."""
    tail = yield from download_part(url, ByteRange(-TAIL))
    start = footer_start(tail.content, tail.size)
    if start is None or start >= tail.start:
        return [tail]
    return [tail, (yield from _same_file(url, ByteRange(start, tail.start), tail))]


def _fetch_rest(file: RemoteFile, groups: Sequence[int], wish: ExportWish) -> list[Flow[None]]:
    """What to fetch of a file beside its end."""
    here = file.parquet.file
    ranges = [
        each for each in file.layout.ranges(groups, wish.of(file.layout.columns)) if not here.holds(*each)
    ]
    if not is_worthwhile(ranges, here.size):
        ranges = [(0, file.end.start)]

    def fetch(start: int, stop: int) -> Flow[None]:
        part = yield from _same_file(file.url, ByteRange(start, stop), file.end)
        here.add(part.start, part.content)

    return [fetch(start, stop) for start, stop in ranges]


def _same_file(url: str, wanted: ByteRange, known: FilePart) -> Flow[FilePart]:
    part = yield from download_part(url, wanted)
    if part.size != known.size or part.etag != known.etag:
        # Bytes of no file: the footer that follows is not found there.
        return FilePart(0, b"", known.size)
    return part


def _opened(end: Sequence[FilePart]) -> PartialParquet:
    from runql.frames.parquet_arrow import PartialParquet  # noqa: PLC0415 - optional

    file = SparseFile(end[0].size)
    for part in end:
        file.add(part.start, part.content)
    return PartialParquet(file)


def _read_fetched(
    chosen: Sequence[Chosen],
    listing: ExportListing,
    wish: ExportWish,
    *,
    repeats: bool,
) -> ExportedRows:
    from runql.frames.parquet_polars import count_steps, wanted  # noqa: PLC0415 - optional

    whole = frames_of_groups(chosen, wish)
    if repeats:
        total = sum(frame.height for frame in whole)
        _check_steps(listing, total, count_steps(whole, listing.live_steps))
    return ExportedRows([wanted(frame, wish) for frame in whole], repeats)


def has_repeats(listing: ExportListing, exported: int) -> bool:
    """Whether rows are there more than once; rows that are nowhere are an error."""
    total = exported + listing.live_count
    if listing.line_count is None:
        return True
    if total < listing.line_count:
        raise UnreadableParquetError(f"{listing.line_count} rows were logged, the exports tell of {total}")
    return total > listing.line_count


def _check_steps(listing: ExportListing, exported: int, different: int) -> None:
    """Where rows are there twice, they can be told by their steps only if each row has its own.

    Where the server does not count, no step may be there twice.
    """
    rows = exported + listing.live_count if listing.line_count is None else listing.line_count
    if different != rows:
        raise UnreadableParquetError("the exports overlap, and rows of the same step cannot be told apart")


def worked(work: Callable[[], T]) -> Flow[T]:
    """Do the work of reading away from the event loop; what cannot be read is raised here, where a flow can catch it."""

    def caught() -> T | UnreadableParquetError:
        try:
            return work()
        except UnreadableParquetError as error:
            return error

    result = yield from offload(caught)
    if isinstance(result, UnreadableParquetError):
        raise result
    return result
