"""Keeps rows until the types of all columns are known: few in memory, many in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

from runql.errors import LocalFileError
from runql.frames.batches import Batch
from runql.frames.dtypes import DType
from runql.frames.stored_batch import StoredBatch, columns_of, load_batch, store_batch
from runql.frames.unified_columns import UnifiedColumns

MOST_CELLS: Final = 1 << 20
"""Cells that are kept in memory; beyond that, all rows are in files."""


class RowSpool:
    """Rows in the order in which they were added. The folder is removed with this object."""

    def __init__(self, unified: UnifiedColumns, most_cells: int | None = None) -> None:
        self._unified = unified
        self._most = MOST_CELLS if most_cells is None else most_cells
        self._cells = 0
        self._kept: list[Batch] = []
        self._paths: list[Path] = []
        self._folder: Path | None = None

    @property
    def folder(self) -> Path | None:
        """Where the rows are; None while they are in memory."""
        return self._folder

    def add(self, batches: Sequence[Batch]) -> None:
        """Add rows.

        Raises:
            LocalFileError: the folder cannot be written.
        """
        for batch in batches:
            columns = columns_of(batch)
            self._unified.see(columns)
            self._cells += batch.height * len(columns)
            self._kept.append(batch)
        if self._folder is not None or self._cells > self._most:
            self._store()

    def dtypes(self) -> dict[str, DType]:
        """The type of each column, over all rows."""
        return self._unified.dtypes()

    def pieces(self) -> Iterator[StoredBatch]:
        """Return the rows, one piece in memory at a time.

        Raises:
            LocalFileError: the folder cannot be read.
        """
        for path in self._paths:
            with self._file_errors("read"):
                piece = load_batch(path)
            yield piece
            del piece
        for batch in self._kept:
            yield StoredBatch(columns_of(batch), batch.height)

    def _store(self) -> None:
        with self._file_errors("write"):
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="runql-rows-"))
                weakref.finalize(self, _remove, self._folder, os.getpid())
            while self._kept:
                path = self._folder / f"{len(self._paths):08d}.rows"
                store_batch(path, self._kept[0], None)
                self._paths.append(path)
                del self._kept[0]

    @contextlib.contextmanager
    def _file_errors(self, verb: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise LocalFileError(
                f"cannot {verb} rows in {self._folder or tempfile.gettempdir()}", error
            ) from error


def _remove(folder: Path, process: int) -> None:
    # A forked child inherits the object, and the folder belongs to its parent.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
