"""Collects rows of runs and writes them in files of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive.layout import FileNote
from runql.archive.tables import write_rows
from runql.frames.batches import STEP
from runql.transport.flow import Flow, offload
from runql.values import JSONValue, dump_json

if TYPE_CHECKING:
    from runql.archive.tables import Row

MOST_ROWS: Final = 16_384
MOST_BYTES: Final = 16 << 20


class Parts:
    """Rows that become files ``<kind>/<unit>-<part>.parquet``.

    Attributes:
        unit: the number of the unit.
        notes: the files written so far, by their paths in the archive.
        count: rows added so far, with those of earlier calls.
    """

    def __init__(
        self, kind: str, unit: int, place: Callable[[str], Path], *, first: int = 0, by_step: bool = False
    ) -> None:
        """Begin.

        Args:
            kind: the folder.
            unit: the number of the unit.
            place: path of a file of the archive.
            first: the number of the first file.
            by_step: begin a file only with a row of a higher step, so that a scan can go on behind a file.
        """
        self._kind = kind
        self.unit: int = unit
        self._place = place
        self._next = first
        self._by_step = by_step
        self._rows: list[Row] = []
        self._owners: list[str] = []
        self._bytes = 0
        self.notes: dict[str, FileNote] = {}
        self.count: int = 0

    @property
    def last_step(self) -> JSONValue:
        """The step of the last row that was added."""
        return self._rows[-1].get(STEP) if self._rows else None

    def is_due(self, row: Row) -> bool:
        """Whether to write the rows so far before this one is added."""
        if len(self._rows) < MOST_ROWS and self._bytes < MOST_BYTES:
            return False
        return not self._by_step or _is_higher(row.get(STEP), self.last_step)

    def add(self, owner: str, row: Row) -> None:
        """Add a row of a run."""
        self._rows.append(row)
        self._owners.append(owner)
        self._bytes += _size(row)
        self.count += 1

    def write(self) -> Flow[None]:
        """Write what was added since the last file; nothing where that is no row.

        Raises:
            LocalFileError: the file cannot be written.
        """
        if not self._rows:
            return
        name = f"{self._kind}/{self.unit:06d}-{self._next:04d}.parquet"
        target, rows, owners = self._place(name), self._rows, self._owners
        self.notes[name] = yield from offload(lambda: write_rows(target, rows, owners))
        self._next += 1
        self._rows, self._owners, self._bytes = [], [], 0


def _size(row: Row) -> int:
    """About the bytes that a row takes in memory."""
    size = 64
    for value in row.values():
        if isinstance(value, str):
            size += 64 + len(value)
        elif isinstance(value, (dict, list)):
            size += 64 + 2 * len(dump_json(value))
        else:
            size += 64
    return size


def _is_higher(step: JSONValue, than: JSONValue) -> bool:
    if isinstance(step, bool) or isinstance(than, bool):
        return False
    return isinstance(step, int) and isinstance(than, int) and step > than
