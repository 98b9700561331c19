"""The rows of many runs, kept beside the file that is to hold them until every run is read; needs pyarrow."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runql.errors import LocalFileError
from runql.frames.batches import RUN_ID, STEP, Batch, ColumnBatch
from runql.frames.columns import as_values
from runql.frames.stored_batch import StoredBatch, load_batch, load_note, store_batch
from runql.frames.to_arrow import to_arrow
from runql.frames.unified_columns import UnifiedColumns
from runql.resources.runs.histories.page import Part, RunMark
from runql.transport.part_file import PartFile, hidden_sibling, lock
from runql.values import JSONValue

LEADING: Final = (RUN_ID, STEP)
ROW_GROUP: Final = 65_536
SUFFIX: Final = ".rows"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows that lie next to each other in a file."""

    path: Path
    start: int
    stop: int


class HistoriesSpool:
    """Parts of what a file is to hold, in a hidden folder beside it that belongs to this file alone.

    A part counts as soon as it lies there, however the process ends. A run counts when its last part does. Parts that
    answer another question than this one are removed.
    """

    def __init__(self, target: Path, question: str, keys: Sequence[str] = ()) -> None:
        """Make the folder and find what lies in it; the file gets a column for each of ``keys`` whatever the rows hold.

        Raises:
            LocalFileError: the disk refuses, or another call writes the same file now.
        """
        self._target = target
        self._keys = keys
        self._question = hashlib.sha256(question.encode()).hexdigest()
        self._folder = hidden_sibling(target, "runs")
        self._marks: dict[str, RunMark] = {}
        self._rows: dict[str, list[_Stretch]] = {}
        # Of runs whose last part has not come.
        self._begun: dict[str, list[_Stretch]] = {}
        self._count = 0
        with self._refused():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self._folder / "lock").open("ab")
        self._is_locked = lock(self._lock)
        if self._is_locked is False:
            self._lock.close()
            raise LocalFileError(f"cannot write {target}: another call is writing it", BlockingIOError())
        with self._refused():
            self._attempt = self._found() + 1

    @property
    def runs(self) -> set[str]:
        """Ids of the runs that are complete."""
        return set(self._marks)

    def keep(self, marks: Iterable[RunMark]) -> list[str]:
        """Forget the runs that are not among these or have changed since, and tell which are to be read."""
        missing = [mark.name for mark in marks if self._marks.get(mark.name) != mark]
        for name in missing:
            self._marks.pop(name, None)
            self._rows.pop(name, None)
        return missing

    def add(self, part: Part) -> None:
        """Keep a part.

        Raises:
            LocalFileError: the disk does not take it.
        """
        with self._refused():
            batches: Sequence[Batch | None] = part.batches or [None]
            for place, batch in enumerate(batches):
                ended = part.ended if place == len(batches) - 1 else []
                if batch is not None or ended:
                    self._add(batch, ended)

    def publish(self, order: Sequence[str]) -> None:
        """Put the rows of all these runs into the target as one parquet file, and remove the parts.

        The target holds what it held before, or all of it. Parts are read twice, one at a time.

        Raises:
            LocalFileError: the disk does not take it.
        """
        with self._refused():
            unified = UnifiedColumns(LEADING, self._keys)
            for piece in self._pieces(order):
                unified.see(piece.columns)
            self._write(unified, order)
            if not self._is_locked:
                # Where files cannot be locked, open ones cannot be removed either.
                self._lock.close()
            shutil.rmtree(self._folder)

    def close(self) -> None:
        """Let others write the same file."""
        self._lock.close()

    # -- parts ---------------------------------------------------------------------------------------------------

    def _add(self, batch: Batch | None, ended: Sequence[RunMark]) -> None:
        path = self._folder / f"{self._attempt:06d}-{self._count:08d}{SUFFIX}"
        self._count += 1
        runs = [*_lengths(batch)]
        rows: JSONValue = [[name, height] for name, height in runs]
        before = {mark.name: _height(self._begun.get(mark.name, [])) for mark in ended}
        here = dict(runs)
        marks: JSONValue = [
            [mark.name, mark.line_count, mark.heartbeat_at, before[mark.name] + here.get(mark.name, 0)]
            for mark in ended
        ]
        store_batch(path, batch, {"question": self._question, "rows": rows, "ended": marks})
        self._take(path, runs)
        self._end(ended)

    def _take(self, path: Path, runs: Sequence[tuple[str, int]]) -> None:
        start = 0
        for name, height in runs:
            self._begun.setdefault(name, []).append(_Stretch(path, start, start + height))
            start += height

    def _end(self, ended: Sequence[RunMark]) -> None:
        for mark in ended:
            self._marks[mark.name] = mark
            self._rows[mark.name] = self._begun.pop(mark.name, [])

    def _found(self) -> int:
        """Take what earlier calls left, remove what is of no use, and give the number of the last call."""
        last = 0
        paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        useful: set[Path] = set()
        for path in paths:
            attempt = int(path.name.partition("-")[0])
            if attempt != last:
                # A run of which a call read only the first rows is read anew by the next one.
                self._begun.clear()
                last = attempt
            try:
                runs, ended = _read_note(load_note(path), self._question)
            except ValueError:
                continue
            self._take(path, runs)
            # Rows are missing where parts were being removed.
            complete = [mark for mark, rows in ended if rows == _height(self._begun.get(mark.name, []))]
            self._end(complete)
            if complete:
                useful.add(path)
        self._begun.clear()
        useful |= {stretch.path for stretches in self._rows.values() for stretch in stretches}
        for path in {*paths, *self._folder.glob("*.part")} - useful:
            path.unlink()
        return last

    # -- the file ------------------------------------------------------------------------------------------------

    def _pieces(self, order: Sequence[str]) -> Iterator[StoredBatch]:
        """The rows of all runs, in their order."""
        path: Path | None = None
        batch = StoredBatch({}, 0)
        for stretch in _joined(stretch for name in order for stretch in self._rows[name]):
            if stretch.path != path:
                path, batch = stretch.path, load_batch(stretch.path)
            yield batch.between(stretch.start, stretch.stop)

    def _write(self, unified: UnifiedColumns, order: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        dtypes = unified.dtypes()
        schema = to_arrow(unified.table(dtypes, {}, 0)).schema
        part = PartFile(self._target)
        try:
            with pq.ParquetWriter(part.file, schema, compression="zstd") as writer:
                waiting: list[pa.Table] = []
                for piece in self._pieces(order):
                    waiting.append(to_arrow(unified.table(dtypes, piece.columns, piece.height)))
                    if sum(table.num_rows for table in waiting) >= ROW_GROUP:
                        writer.write_table(pa.concat_tables(waiting))
                        waiting = []
                if waiting:
                    writer.write_table(pa.concat_tables(waiting))
            part.publish()
        except BaseException:
            part.discard()
            raise

    @contextlib.contextmanager
    def _refused(self) -> Generator[None, None, None]:
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


def _read_note(note: JSONValue, question: str) -> tuple[list[tuple[str, int]], list[tuple[RunMark, int]]]:
    """The runs that have rows in a file and how many, and those that end there and how many they have in all."""
    runs: list[tuple[str, int]] = []
    ended: list[tuple[RunMark, int]] = []
    match note:
        case {"question": str(asked), "rows": list(rows), "ended": list(marks)} if asked == question:
            for row in rows:
                match row:
                    case [str(name), int(height)]:
                        runs.append((name, height))
                    case _:
                        raise ValueError("not a note of ours")
            for mark in marks:
                match mark:
                    case [str(name), int() | None as count, str() | None as beat, int(height)]:
                        ended.append((RunMark(name, count, beat), height))
                    case _:
                        raise ValueError("not a note of ours")
        case _:
            raise ValueError("the answer to another question")
    return runs, ended


def _height(stretches: Sequence[_Stretch]) -> int:
    return sum(stretch.stop - stretch.start for stretch in stretches)


def _joined(stretches: Iterable[_Stretch]) -> Iterator[_Stretch]:
    """The same rows in as few stretches as hold them."""
    last: _Stretch | None = None
    for stretch in stretches:
        if last is not None and last.path == stretch.path and last.stop == stretch.start:
            last = _Stretch(last.path, last.start, stretch.stop)
            continue
        if last is not None:
            yield last
        last = stretch
    if last is not None:
        yield last
