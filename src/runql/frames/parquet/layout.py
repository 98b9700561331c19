"""Where the columns and row groups of a parquet file are, and which bytes of it to fetch."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from runql.quick_dataclasses import dataclass

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MAGIC: Final = b"PAR1"
TRAILER: Final = 8
"""Bytes behind a footer: its length and the mark."""

TAIL: Final = 1 << 17
"""Bytes of a file's end that are fetched first: they hold the footer of nearly every file, and all of a small file."""

REQUEST_COST: Final = 1 << 20
"""Bytes that arrive in the time that one more request takes."""


class UnreadableParquetError(ValueError):
    """The bytes are not a parquet file with a history."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The bytes of one leaf column in one row group."""

    path: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Some rows of the file.

    Attributes:
        rows: how many.
        first: their lowest step; minus infinity when the file does not say.
        last: their highest step; infinity when the file does not say.
        chunks: in the file's column order.
    """

    rows: int
    first: float
    last: float
    chunks: tuple[Chunk, ...]

    def may_hold(self, start: int, stop: int | None) -> bool:
        """Whether it may hold rows of ``start <= step < stop``."""
        return self.last >= start and (stop is None or self.first < stop)


@dataclass(frozen=True, slots=True)
class Layout:
    """The content of a file's footer."""

    groups: tuple[RowGroup, ...]
    columns: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(group.rows for group in self.groups)

    @property
    def first(self) -> float:
        """The lowest step."""
        return min((group.first for group in self.groups), default=math.inf)

    def groups_within(self, start: int, stop: int | None) -> list[int]:
        """The row groups that may hold rows of a half-open range of steps."""
        return [index for index, group in enumerate(self.groups) if group.may_hold(start, stop)]

    def ranges(self, groups: Sequence[int], columns: Collection[str]) -> list[tuple[int, int]]:
        """The bytes of columns in row groups, as half-open ranges in file order; small gaps are bridged."""
        wanted = [
            (chunk.start, chunk.stop)
            for index in groups
            for chunk in self.groups[index].chunks
            if belongs_to(chunk.path, columns)
        ]
        return bridge_gaps(wanted)


def belongs_to(path: str, columns: Collection[str]) -> bool:
    """Whether a leaf belongs to one of the columns. Dots may be part of a column's name, or of the path of a leaf."""
    return path in columns or any(path.startswith(f"{column}.") for column in columns)


def bridge_gaps(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges in order; two are joined where the gap between them costs less than one more request."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] <= REQUEST_COST:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def is_worthwhile(ranges: Sequence[tuple[int, int]], size: int) -> bool:
    """Whether fetching ranges takes less time than fetching the whole file of ``size`` bytes."""
    return sum(stop - start + REQUEST_COST for start, stop in ranges) < size + REQUEST_COST


def footer_start(tail: bytes, size: int) -> int | None:
    """Where the footer of a file of ``size`` bytes begins, read from its last bytes; None where it is no parquet file."""
    if len(tail) < len(MAGIC) + 4 or not tail.endswith(MAGIC):
        return None
    start = size - int.from_bytes(tail[-8:-4], "little") - 8
    return start if start >= len(MAGIC) else None


def read_layout(file: pq.ParquetFile) -> Layout:
    """The layout of an opened file.

    Raises:
        UnreadableParquetError: the file has no column of steps, or two columns of one name.
    """
    metadata = file.metadata
    leaves = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    columns = tuple(file.schema_arrow.names)
    if "_step" not in leaves or len(set(columns)) < len(columns):
        raise UnreadableParquetError("an export has one column for each metric, and one of steps")
    steps = leaves.index("_step")
    groups = [_group(metadata.row_group(index), leaves, steps) for index in range(metadata.num_row_groups)]
    return Layout(tuple(groups), columns)


def _group(group: pq.RowGroupMetaData, leaves: Sequence[str], steps: int) -> RowGroup:
    chunks: list[Chunk] = []
    for index, path in enumerate(leaves):
        column = group.column(index)
        offsets = [
            offset
            for offset in (column.dictionary_page_offset, column.data_page_offset)
            if offset is not None and offset > 0
        ]
        chunks.append(Chunk(path, min(offsets), min(offsets) + column.total_compressed_size))
    first, last = -math.inf, math.inf
    statistics = group.column(steps).statistics
    if statistics is not None and statistics.has_min_max:
        low, high = statistics.min, statistics.max
        if isinstance(low, int | float) and isinstance(high, int | float):
            first, last = low, high
    return RowGroup(group.num_rows, first, last, tuple(chunks))


def is_ascending(groups: Sequence[RowGroup]) -> bool:
    """Whether each row group ends before the next begins."""
    return all(earlier.last < later.first for earlier, later in pairwise(groups))
