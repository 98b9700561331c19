"""Reads chosen row groups and columns with polars, from a parquet file that is not here as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import polars as pl

from runql.frames.parquet.exported_frames import polars_errors
from runql.frames.parquet.footer import layout_of_footer
from runql.frames.parquet.layout import MAGIC, TRAILER, Layout, UnreadableParquetError, belongs_to
from runql.frames.sparse_file import SparseFile


class PolarsParquet:
    """A parquet file of which at least the footer is here, for files that fit in memory; as `PartialParquet`.

    polars reads bytes: those that were not fetched are zeros, which it skips.

    Attributes:
        file: its bytes; more may be added.
        layout: where its columns and row groups are.
    """

    def __init__(self, file: SparseFile, end: bytes) -> None:
        """Read the footer, with which ``end`` begins; it reaches to the end of the file.

        Raises:
            UnreadableParquetError: the file is no export.
        """
        self.file = file
        self.layout: Layout = layout_of_footer(end[:-TRAILER])
        self._end = end

    def frame(self, groups: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
        """The rows of some row groups; the bytes of these columns must be here.

        Raises:
            UnreadableParquetError: they cannot be read.
        """
        chunks = [chunk for group in groups for chunk in self.layout.groups[group].chunks]
        if any(self.file.missing(each.start, each.stop) for each in chunks if belongs_to(each.path, columns)):
            raise UnreadableParquetError("an export cannot be read: a part of it was not fetched")
        # polars looks at the mark at the beginning, and at the footer, which may have been released.
        self.file.add(0, MAGIC)
        self.file.add(self.file.size - len(self._end), self._end)
        content = self.file.filled()
        rows = [group.rows for group in self.layout.groups]
        with polars_errors():
            lazy = pl.scan_parquet(content, use_statistics=False).select(list(columns))
            parts = [
                lazy.slice(sum(rows[:first]), sum(rows[first:stop])).collect()
                for first, stop in ([*_runs(groups)] or [(0, 0)])
            ]
            found = pl.concat(parts, rechunk=False) if len(parts) > 1 else parts[0]
        if found.height != sum(rows[group] for group in groups):
            raise UnreadableParquetError("an export has fewer rows than its footer says")
        return found


def _runs(groups: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Row groups that follow each other, as half-open ranges."""
    for _, run in groupby(enumerate(groups), key=lambda placed: placed[1] - placed[0]):
        members = [group for _, group in run]
        yield members[0], members[-1] + 1
