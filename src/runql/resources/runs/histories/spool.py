"""Keeps the rows of many runs next to their file until every run is read; needs pyarrow."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.errors import LocalFileError
from runql.frames.asked_types import NO_SCHEMA, FrameSchema
from runql.frames.batches import RUN_ID, STEP, Batch, ColumnBatch
from runql.frames.columns import as_values
from runql.frames.dtypes import DType
from runql.frames.stored_batch import StoredBatch, load_batch, load_note, store_batch
from runql.frames.to_arrow import to_arrow
from runql.frames.unified_columns import UnifiedColumns
from runql.quick_dataclasses import dataclass
from runql.resources.runs.histories.page import HistoriesPart, RunFingerprint
from runql.resources.runs.histories.partitions import (
    PartitionWriter,
    refuse_foreign_folder,
    replace_folder,
    restore_folder,
)
from runql.transport.files.part_file import PartFile, hidden_sibling, lock_in_place
from runql.values import JSONValue

if TYPE_CHECKING:
    import pyarrow as pa

LEADING: Final = (RUN_ID, STEP)
ROW_GROUP: Final = 65_536
SUFFIX: Final = ".rows"
_REMOVES_OPEN_FILES: Final = os.name == "posix"


@dataclass(frozen=True, slots=True)
class _RowRange:
    """Rows that follow each other in a file."""

    path: Path
    start: int
    stop: int


class HistoriesSpool:
    """The parts of a parquet file, in a hidden folder next to it that belongs to this file alone.

    A part counts once it is in the folder, however the process ends. A run counts once its last part does. Parts that
    belong to another request than this one are removed.
    """

    def __init__(
        self,
        target: Path,
        request_key: str,
        keys: Sequence[str] = (),
        schema: FrameSchema = NO_SCHEMA,
        partition_by: Sequence[str] = (),
    ) -> None:
        """Make the folder and read what is in it; ``keys`` become columns even where no row has them.

        With ``partition_by`` the target is a folder of files.

        Raises:
            LocalFileError: the folder cannot be written, another call is writing the same file, or the target is a
                folder that no call has written.
        """
        self._target = target
        self._partition_by = partition_by
        self._keys = keys
        self._schema = schema
        self._request = hashlib.sha256(request_key.encode()).hexdigest()
        self._folder = hidden_sibling(target, "runs")
        self._complete: dict[str, RunFingerprint] = {}
        self._rows: dict[str, list[_RowRange]] = {}
        # Of runs whose last part has not arrived.
        self._begun: dict[str, list[_RowRange]] = {}
        self._count = 0
        with self._file_errors():
            if partition_by:
                refuse_foreign_folder(target)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self._folder / "lock").open("ab")
        self._is_locked = lock_in_place(self._lock)
        if self._is_locked is False:
            self._lock.close()
            raise LocalFileError(f"cannot write {target}: another call is writing it", BlockingIOError())
        with self._file_errors():
            if partition_by:
                restore_folder(target)
            self._attempt = self._load() + 1

    @property
    def runs(self) -> set[str]:
        """Ids of the runs that are complete."""
        return set(self._complete)

    def keep(self, listed: Iterable[RunFingerprint]) -> list[str]:
        """Forget the runs that are not listed or have changed since; return the ids of those to read."""
        missing = [run.name for run in listed if self._complete.get(run.name) != run]
        for name in missing:
            self._complete.pop(name, None)
            self._rows.pop(name, None)
        return missing

    def add(self, part: HistoriesPart) -> None:
        """Keep a part.

        Raises:
            LocalFileError: it cannot be written.
        """
        with self._file_errors():
            batches: Sequence[Batch | None] = part.batches or [None]
            for place, batch in enumerate(batches):
                ended = part.ended if place == len(batches) - 1 else []
                if batch is not None or ended:
                    self._add(batch, ended)

    def publish(self, order: Sequence[str]) -> None:
        """Write the rows of all these runs into the target, atomically, and remove the parts.

        Reads the parts twice, one at a time.

        Raises:
            FrameValueError: a value does not fit the schema; the parts stay.
            LocalFileError: the file cannot be written.
        """
        with self._file_errors():
            unified = UnifiedColumns(LEADING, self._keys, self._schema)
            for piece in self._pieces(order):
                unified.see(piece.columns)
            self._write(unified, order)
            if not (self._is_locked and _REMOVES_OPEN_FILES):
                self._lock.close()
            shutil.rmtree(self._folder)

    def close(self) -> None:
        """Let other calls write the same file."""
        self._lock.close()

    # -- parts ---------------------------------------------------------------------------------------------------

    def _add(self, batch: Batch | None, ended: Sequence[RunFingerprint]) -> None:
        path = self._folder / f"{self._attempt:06d}-{self._count:08d}{SUFFIX}"
        self._count += 1
        runs = [*_lengths(batch)]
        rows: JSONValue = [[name, height] for name, height in runs]
        before = {run.name: _height(self._begun.get(run.name, [])) for run in ended}
        here = dict(runs)
        fingerprints: JSONValue = [
            [run.name, run.line_count, run.heartbeat_at, before[run.name] + here.get(run.name, 0)]
            for run in ended
        ]
        store_batch(path, batch, {"question": self._request, "rows": rows, "ended": fingerprints})
        self._take(path, runs)
        self._end(ended)

    def _take(self, path: Path, runs: Sequence[tuple[str, int]]) -> None:
        start = 0
        for name, height in runs:
            self._begun.setdefault(name, []).append(_RowRange(path, start, start + height))
            start += height

    def _end(self, ended: Sequence[RunFingerprint]) -> None:
        for run in ended:
            self._complete[run.name] = run
            self._rows[run.name] = self._begun.pop(run.name, [])

    def _load(self) -> int:
        """Take over the parts of earlier calls, remove those of no use, and return the number of the last call."""
        last = 0
        paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        useful: set[Path] = set()
        for path in paths:
            attempt = int(path.name.partition("-")[0])
            if attempt != last:
                # A run of which a call read only the first rows is read again by the next one.
                self._begun.clear()
                last = attempt
            try:
                runs, ended = _read_note(load_note(path), self._request)
            except ValueError:
                continue
            self._take(path, runs)
            # Rows are missing where an earlier call was interrupted while it removed parts.
            complete = [run for run, rows in ended if rows == _height(self._begun.get(run.name, []))]
            self._end(complete)
            if complete:
                useful.add(path)
        self._begun.clear()
        useful |= {each.path for ranges in self._rows.values() for each in ranges}
        for path in {*paths, *self._folder.glob("*.part")} - useful:
            path.unlink()
        return last

    # -- the file ------------------------------------------------------------------------------------------------

    def _pieces(self, order: Sequence[str]) -> Iterator[StoredBatch]:
        """The rows of all runs, in their order."""
        path: Path | None = None
        batch = StoredBatch({}, 0)
        for rows in _join_ranges(each for name in order for each in self._rows[name]):
            if rows.path != path:
                path, batch = rows.path, load_batch(rows.path)
            yield batch.between(rows.start, rows.stop)

    def _write(self, unified: UnifiedColumns, order: Sequence[str]) -> None:
        dtypes = unified.dtypes()
        schema = to_arrow(unified.table(dtypes, {}, 0)).schema
        write = self._write_folders if self._partition_by else self._write_file
        write(schema, self._groups(unified, dtypes, order))

    def _groups(
        self, unified: UnifiedColumns, dtypes: Mapping[str, DType], order: Sequence[str]
    ) -> Iterator[pa.Table]:
        """The rows of all runs, as many at once as a row group has."""
        import pyarrow as pa

        waiting: list[pa.Table] = []
        for piece in self._pieces(order):
            waiting.append(to_arrow(unified.table(dtypes, piece.columns, piece.height)))
            if sum(table.num_rows for table in waiting) >= ROW_GROUP:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def _write_file(self, schema: pa.Schema, groups: Iterator[pa.Table]) -> None:
        import pyarrow.parquet as pq

        part = PartFile(self._target)
        try:
            with pq.ParquetWriter(part.file, schema, compression="zstd") as writer:
                for table in groups:
                    writer.write_table(table)
            part.publish()
        except BaseException:
            part.discard()
            raise

    def _write_folders(self, schema: pa.Schema, groups: Iterator[pa.Table]) -> None:
        new = hidden_sibling(self._target, "new")
        if new.exists():
            shutil.rmtree(new)
        writer = PartitionWriter(new, self._partition_by, schema)
        try:
            for table in groups:
                writer.write(table)
            writer.close()
            # Another program may have written there since the call began.
            refuse_foreign_folder(self._target)
            replace_folder(new, self._target)
        except BaseException:
            writer.discard()
            shutil.rmtree(new, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def _file_errors(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise LocalFileError(f"cannot write {self._target}", error) from error


def _lengths(batch: Batch | None) -> Iterator[tuple[str, int]]:
    """The runs of a batch, in order, and how many rows each has."""
    if batch is None:
        return
    labels = (
        as_values(batch.columns[RUN_ID])
        if isinstance(batch, ColumnBatch)
        else [row[RUN_ID] for row in batch.rows]
    )
    last, length = None, 0
    for label in labels:
        if label != last and last is not None:
            yield str(last), length
            length = 0
        last = label
        length += 1
    if last is not None:
        yield str(last), length


def _read_note(
    note: JSONValue, request: str
) -> tuple[list[tuple[str, int]], list[tuple[RunFingerprint, int]]]:
    """The runs that have rows in a file and how many, and the runs that end there and how many rows they have in all.

    Raises:
        ValueError: the file belongs to another request, or is not a part.
    """
    runs: list[tuple[str, int]] = []
    ended: list[tuple[RunFingerprint, int]] = []
    match note:
        case {"question": str(key), "rows": list(rows), "ended": list(fingerprints)} if key == request:
            for row in rows:
                match row:
                    case [str(name), int(height)]:
                        runs.append((name, height))
                    case _:
                        raise ValueError("the rows of a part are not name and height")
            for each in fingerprints:
                match each:
                    case [str(name), int() | None as count, str() | None as beat, int(height)]:
                        ended.append((RunFingerprint(name, count, beat), height))
                    case _:
                        raise ValueError("a run of a part is not name, count, heartbeat and height")
        case _:
            raise ValueError("this part belongs to another request")
    return runs, ended


def _height(ranges: Sequence[_RowRange]) -> int:
    return sum(each.stop - each.start for each in ranges)


def _join_ranges(ranges: Iterable[_RowRange]) -> Iterator[_RowRange]:
    """The same rows in as few ranges as hold them."""
    last: _RowRange | None = None
    for each in ranges:
        if last is not None and last.path == each.path and last.stop == each.start:
            last = _RowRange(last.path, last.start, each.stop)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
