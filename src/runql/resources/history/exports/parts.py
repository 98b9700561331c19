"""Reads exports part by part: the footers first, then the row groups and columns that are selected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.layout import (
    TAIL,
    RowGroup,
    UnreadableParquetError,
    bridge_gaps,
    footer_start,
    is_worthwhile,
)
from runql.frames.sparse_file import SparseFile
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.transport.byte_ranges import ByteRange, FilePart
from runql.transport.flow import Flow, download_part, download_whole, gather, offload

if TYPE_CHECKING:
    import polars as pl

    from runql.frames.parquet.layout import Layout
    from runql.frames.parquet.with_arrow import PartialParquet
    from runql.frames.parquet.with_polars import PolarsParquet
else:
    globals().update(postponed("pl"))

T = TypeVar("T")

MOST_TRIES: Final = 2
"""How often a file is requested that fails: its rows then come from GraphQL."""

LONGEST_FOOTER: Final = 1 << 18
"""Bytes of a footer that is read without pyarrow, which reads longer ones faster."""

PARTS_AT_ONCE: Final = 3
"""Requests for parts that run at once, for each of whole files: a part is small, and mostly waited for."""

MOST_BYTES_IN_MEMORY: Final = 1 << 26
"""Bytes of parquet that may be in memory in addition to the rows that were read from them."""


@dataclass(slots=True)
class RemoteFile:
    """A file that is read part by part.

    Attributes:
        url: its address.
        end: its last bytes, as they arrived; the whole file where the storage sends no parts, or others than asked for.
        parquet: the parts of it that are here.
        needs_whole: whether a request for a part was in vain.
    """

    url: str
    end: FilePart
    parquet: PartialParquet | PolarsParquet
    needs_whole: bool = False

    @property
    def layout(self) -> Layout:
        """Where its columns and row groups are."""
        return self.parquet.layout


@dataclass(frozen=True, slots=True)
class FileGroup:
    """A row group of a file that is read part by part."""

    file: RemoteFile
    index: int

    @property
    def row_group(self) -> RowGroup:
        """Its entry in the footer."""
        return self.file.layout.groups[self.index]

    def ranges(self, selection: ExportSelection) -> list[tuple[int, int]]:
        """The bytes of the selected columns."""
        return self.file.layout.ranges([self.index], selection.columns_of(self.file.layout.columns))


def open_files(urls: Sequence[str], limit: int, starts: Sequence[FilePart] = ()) -> Flow[list[RemoteFile]]:
    """Fetch the ends of files and read their footers.

    One request a file, two where the footer is long, or the storage sends other bytes than its last ones.

    Args:
        urls: of the files.
        limit: requests that run at once.
        starts: the first bytes of each file, where they are here already.
    """
    if not urls:
        return []
    ends = yield from gather([_fetch_end(url) for url in urls], limit=limit)
    for place, start in enumerate(starts):
        if _is_same(start, ends[place][0]):
            ends[place].append(start)
    # pyarrow takes longer to load than most exports take to read.
    by_polars = not arrow_is_loaded() and sum(end[0].size for end in ends) <= MOST_BYTES_IN_MEMORY
    return (
        yield from offload_parsing(
            lambda: [
                RemoteFile(url, end[0], _open_parquet(end, by_polars=by_polars))
                for url, end in zip(urls, ends, strict=True)
            ]
        )
    )


def groups_of(files: Sequence[RemoteFile], start: int, stop: int | None) -> list[FileGroup]:
    """The row groups that may hold rows of ``start <= step < stop``, file by file."""
    return [FileGroup(file, index) for file in files for index in file.layout.groups_within(start, stop)]


def first_portion(groups: Sequence[FileGroup], selection: ExportSelection, most: int) -> list[FileGroup]:
    """The first row groups for which at most ``most`` bytes are fetched, bridged gaps included; at least one."""
    size, taken = 0, list[FileGroup]()
    ends: dict[str, list[tuple[int, int]]] = {}
    for group in groups:
        before = ends.get(group.file.url, [])
        joined = bridge_gaps([*before, *group.ranges(selection)])
        size += _bytes_of(joined) - _bytes_of(before)
        if taken and size > most:
            break
        taken.append(group)
        ends[group.file.url] = joined[-1:]
    return taken


def _bytes_of(ranges: Sequence[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in ranges)


def read_groups(
    groups: Sequence[FileGroup], selection: ExportSelection, limit: int
) -> Flow[list[pl.DataFrame]]:
    """Fetch and read the selected columns of row groups, a frame for each file; release their bytes then.

    Raises:
        AnswerError, TransportError: they cannot be fetched.
        UnreadableParquetError: they cannot be read.
    """
    chosen = _by_file(groups)
    room = MOST_BYTES_IN_MEMORY // max(1, len(chosen))
    fetching = [each for file, indices in chosen for each in _fetch_rest(file, indices, selection, room)]
    at_once = PARTS_AT_ONCE * limit
    yield from gather(fetching, limit=at_once, at_first=at_once)
    yield from gather([_complete(file) for file, _ in chosen if file.needs_whole], limit=limit)
    frames = yield from offload_parsing(
        lambda: [
            file.parquet.frame(indices, selection.columns_of(file.layout.columns)) for file, indices in chosen
        ]
    )
    for file, _ in chosen:
        file.parquet.file.forget(file.end.start)
    return frames


def _by_file(groups: Sequence[FileGroup]) -> list[tuple[RemoteFile, list[int]]]:
    """The row groups of each file, in order of the first."""
    found: dict[str, tuple[RemoteFile, list[int]]] = {}
    for group in groups:
        found.setdefault(group.file.url, (group.file, []))[1].append(group.index)
    return list(found.values())


def _fetch_end(url: str) -> Flow[list[FilePart]]:
    """Fetch the last bytes of a file, with all of its footer."""
    tail = yield from download_part(url, ByteRange(-TAIL), most_attempts=MOST_TRIES)
    if tail is None:
        return [(yield from download_whole(url, most_attempts=MOST_TRIES))]
    start = footer_start(tail.content, tail.size)
    if start is None or start >= tail.start:
        return [tail]
    part = yield from download_part(url, ByteRange(start, tail.start), most_attempts=MOST_TRIES)
    if part is None:
        return [(yield from download_whole(url, most_attempts=MOST_TRIES))]
    # Bytes of another file are dropped: the reader then finds bytes missing, and raises.
    return [tail, part] if _is_same(part, tail) else [tail]


def _fetch_rest(
    file: RemoteFile, groups: Sequence[int], selection: ExportSelection, room: int
) -> list[Flow[None]]:
    """The fetches for row groups that are not here; for the whole file where that is cheaper and there is ``room``."""
    here = file.parquet.file
    wanted = file.layout.ranges(groups, selection.columns_of(file.layout.columns))
    ranges = [gap for start, stop in wanted for gap in here.missing(start, stop)]
    if here.size <= room and not is_worthwhile(ranges, here.size):
        ranges = here.missing(0, file.end.start)

    def fetch(start: int, stop: int) -> Flow[None]:
        if file.needs_whole or file.end.is_whole:
            return
        part = yield from download_part(file.url, ByteRange(start, stop), most_attempts=MOST_TRIES)
        if part is None:
            file.needs_whole = True
        elif _is_same(part, file.end):
            here.add(part.start, part.content)
            file.end = part if part.is_whole else file.end

    return [fetch(start, stop) for start, stop in ranges]


def _complete(file: RemoteFile) -> Flow[None]:
    """Fetch the whole of a file whose storage sends other parts than asked for."""
    whole = yield from download_whole(file.url, most_attempts=MOST_TRIES)
    file.needs_whole = False
    if _is_same(whole, file.end):
        file.parquet.file.add(0, whole.content)
        file.end = whole


def _is_same(part: FilePart, known: FilePart) -> bool:
    return part.size == known.size and part.etag == known.etag


def arrow_is_loaded() -> bool:
    """Whether this process has loaded pyarrow's reader."""
    return "pyarrow.parquet" in sys.modules


def _open_parquet(end: Sequence[FilePart], *, by_polars: bool) -> PartialParquet | PolarsParquet:
    file = SparseFile(end[0].size)
    for part in end:
        file.add(part.start, part.content)
    start = footer_start(end[0].content, file.size)
    if by_polars and start is not None and file.size - start <= LONGEST_FOOTER:
        from runql.frames.parquet.with_polars import PolarsParquet  # noqa: PLC0415 - optional

        file.seek(start)
        with readable_parts():
            return PolarsParquet(file, file.read())
    from runql.frames.parquet.with_arrow import PartialParquet  # noqa: PLC0415 - optional

    return PartialParquet(file)


@contextmanager
def readable_parts() -> Generator[None]:
    """Turn the error of a part that is not here into one of ours.

    Raises:
        UnreadableParquetError: a part was not fetched.
    """
    try:
        yield
    except OSError as error:
        raise UnreadableParquetError(f"an export cannot be read: {error}") from error


def offload_parsing(parse: Callable[[], T]) -> Flow[T]:
    """Parse away from the event loop, and raise `UnreadableParquetError` here, where a flow can catch it."""

    def parse_or_error() -> T | UnreadableParquetError:
        try:
            return parse()
        except UnreadableParquetError as error:
            return error

    result = yield from offload(parse_or_error)
    if isinstance(result, UnreadableParquetError):
        raise result
    return result
