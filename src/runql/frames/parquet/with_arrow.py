"""Reads chosen row groups and columns with pyarrow, from a parquet file that is not here as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from runql.frames.parquet.exported_frames import frame_of_arrow
from runql.frames.parquet.layout import Layout, UnreadableParquetError, read_layout
from runql.frames.sparse_file import SparseFile

_ERRORS = (pa.ArrowException, OSError, ValueError, TypeError)


class PartialParquet:
    """A parquet file of which at least the footer is here.

    Attributes:
        file: its bytes; more may be added.
        layout: where its columns and row groups are.
    """

    def __init__(self, file: SparseFile) -> None:
        """Read the footer.

        Raises:
            UnreadableParquetError: the file is no export.
        """
        self.file = file
        try:
            self._parquet = pq.ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=False)
            self.layout: Layout = read_layout(self._parquet)
        except _ERRORS as error:
            raise UnreadableParquetError(f"the footer of an export cannot be read: {error}") from error

    def frame(self, groups: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
        """The rows of some row groups; the bytes of these columns must be here.

        Raises:
            UnreadableParquetError: they cannot be read.
        """
        try:
            # The stub has lists without their items.
            found = self._parquet.read_row_groups(list(groups), columns=list(columns))  # pyright: ignore[reportUnknownMemberType] - see above
            table = found.select(list(columns))
        except (*_ERRORS, KeyError) as error:
            raise UnreadableParquetError(f"an export cannot be read: {error}") from error
        return frame_of_arrow(table)
