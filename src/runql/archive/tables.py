"""Parquet files of JSON rows: a typed column where every value of a key fits one type, else JSON; needs pyarrow."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from runql.archive.errors import ArchiveError
from runql.archive.layout import FileNote
from runql.errors import LocalFileError
from runql.transport.files.part_file import PartFile
from runql.values import JSONValue, dump_json, parse_json

Row: TypeAlias = dict[str, JSONValue]
Kind: TypeAlias = Literal["float", "int", "bool", "str"]

OWNER: Final = "#run"
"""The column with the id of a row's run."""
REST: Final = "#rest"
"""The column with the values that no other column holds, as a JSON object."""
ORDER: Final = "#order"
"""The column with the keys of a row as a JSON list, where their order is not that of the columns, then of `REST`."""
MOST_COLUMNS: Final = 2_000
CHUNK: Final = 1 << 20
BATCH: Final = 4_096
_INT64: Final = 1 << 63
_ERRORS: Final = (pa.ArrowException, OSError, ValueError, TypeError, KeyError)


def write_rows(target: Path, rows: Sequence[Row], owners: Sequence[str] | None = None) -> FileNote:
    """Write rows, and return what the manifest notes of the file.

    A key becomes a column where all its values are of one type: float, int of 64 bits, bool or str. A missing value is
    null there. Everything else stays in the column `REST`: nested values, null, larger ints, mixed types.

    Raises:
        LocalFileError: the file cannot be written.
    """
    kinds = _kinds(rows)
    with TableWriter(target, kinds, with_owner=owners is not None) as writer:
        for start in range(0, len(rows), BATCH):
            part = slice(start, start + BATCH)
            writer.add(rows[part], None if owners is None else owners[part])
        return writer.finish()


class TableWriter:
    """Writes a parquet file batch by batch; its target appears when it is whole."""

    def __init__(self, target: Path, kinds: Mapping[str, Kind], *, with_owner: bool = False) -> None:
        """Begin the file.

        Args:
            target: its path.
            kinds: the columns and their types.
            with_owner: add the columns `OWNER` and `ORDER`.

        Raises:
            LocalFileError: it cannot be written.
        """
        self._target = target
        self._kinds = dict(kinds)
        self._with_owner = with_owner
        try:
            self._part = PartFile(target)
        except OSError as error:
            raise LocalFileError(f"cannot write {target}", error) from error
        owner = [pa.field(OWNER, _REPEATED)] if with_owner else []
        fields = [pa.field(name, _TYPES[kind]) for name, kind in self._kinds.items()]
        order = [pa.field(ORDER, _REPEATED)] if with_owner else []
        self._schema = pa.schema([*owner, *fields, pa.field(REST, pa.string()), *order])
        self._writer = pq.ParquetWriter(self._part.file, self._schema, compression="zstd")
        self._done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            # Its destructor would write the footer into a file that is closed then.
            with contextlib.suppress(pa.ArrowException, OSError, ValueError):
                self._writer.close()
            self._part.discard()

    def add(self, rows: Sequence[Row], owners: Sequence[str] | None = None) -> None:
        """Append rows.

        Raises:
            LocalFileError: they cannot be written.
        """
        if not rows:
            return
        columns: dict[str, list[JSONValue]] = {name: [] for name in self._kinds}
        rests: list[str | None] = []
        orders: list[str | None] = []
        for row in rows:
            rest = {
                key: value
                for key, value in row.items()
                if (kind := self._kinds.get(key)) is None or not _fits(value, kind)
            }
            for name, values in columns.items():
                values.append(None if name in rest else row.get(name))
            rests.append(dump_json(rest) if rest else None)
            if self._with_owner:
                keys = [*row]
                usual = [name for name in self._kinds if name in row and name not in rest]
                orders.append(None if keys == [*usual, *rest] else dump_json(list[JSONValue](keys)))
        arrays = [pa.array(values, _TYPES[self._kinds[name]]) for name, values in columns.items()]
        arrays.append(pa.array(rests, pa.string()))
        if self._with_owner:
            arrays = [pa.array(list(owners or ()), _REPEATED), *arrays, pa.array(orders, _REPEATED)]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        try:
            self._writer.write_table(table)
        except (pa.ArrowException, OSError) as error:
            raise _unwritten(self._target, error) from error

    def finish(self) -> FileNote:
        """Complete the file.

        Raises:
            LocalFileError: it cannot be written.
        """
        try:
            self._writer.close()
            self._part.publish()
        except (pa.ArrowException, OSError) as error:
            raise _unwritten(self._target, error) from error
        self._done = True
        return note_of(self._target)


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Iterate over the rows of a file, each with the id of its run (empty where the file has none); bounded memory.

    Raises:
        ArchiveError: it is no such file.
    """
    try:
        with pq.ParquetFile(path) as file:
            # The stub has lists without their items, here and below.
            for batch in file.iter_batches(batch_size=BATCH):  # pyright: ignore[reportUnknownMemberType] - see above
                names = batch.schema.names
                columns: list[list[JSONValue]] = [
                    batch.column(place).to_pylist() for place in range(batch.num_columns)
                ]
                for values in zip(*columns, strict=True):
                    yield _row(names, values)
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} is missing from the archive") from error
    except _ERRORS as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error


def note_of(path: Path) -> FileNote:
    """Return the size and the digest of a file.

    Raises:
        LocalFileError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error
    return FileNote(size=size, sha256=digest.hexdigest())


def size_of(path: Path) -> int | None:
    """Return the size of a file; None where there is none.

    Raises:
        LocalFileError: it cannot be read.
    """
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error


def _row(names: Sequence[str], values: Sequence[JSONValue]) -> tuple[str, Row]:
    owner, row, rest, order = "", Row(), None, None
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue
        if name == REST:
            rest = value
        elif name == OWNER:
            owner = str(value)
        elif name == ORDER:
            order = value
        else:
            row[name] = value
    if isinstance(rest, str):
        others = parse_json(rest, "the rest of a row of the archive")
        if isinstance(others, dict):
            row.update(others)
    if isinstance(order, str):
        keys = parse_json(order, "the order of a row of the archive")
        places = (
            [key for key in keys if isinstance(key, str) and key in row] if isinstance(keys, list) else []
        )
        row = {key: row[key] for key in [*places, *row]}
    return owner, row


def _kinds(rows: Sequence[Row]) -> dict[str, Kind]:
    kinds: dict[str, Kind | None] = {}
    for row in rows:
        for key, value in row.items():
            known = kinds.get(key, _UNSEEN)
            if known is None:
                continue
            kind = _kind(value)
            kinds[key] = kind if known in {_UNSEEN, kind} else None
    columns: dict[str, Kind] = {
        key: kind for key, kind in kinds.items() if kind is not None and _is_name(key)
    }
    return dict(list(columns.items())[:MOST_COLUMNS])


_UNSEEN: Final = ""
_REPEATED: Final = pa.dictionary(pa.int32(), pa.string())
_TYPES: Final[Mapping[Kind, pa.DataType]] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "str": pa.string(),
}


def _kind(value: JSONValue) -> Kind | None:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "float"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else None
    return "str" if isinstance(value, str) and _is_utf8(value) else None


def _fits(value: JSONValue, kind: Kind) -> bool:
    return _kind(value) == kind


def _is_name(key: str) -> bool:
    return bool(key) and not key.startswith("#") and "\0" not in key and _is_utf8(key)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unwritten(target: Path, error: Exception) -> LocalFileError:
    reason = error if isinstance(error, OSError) else OSError(str(error))
    return LocalFileError(f"cannot write {target}", reason)
