"""Parquet files in folders that are named by the values of columns, as Hive names them; needs pyarrow."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from runql.arguments import shown
from runql.frames.asked_types import FrameSchema
from runql.frames.columns import fixed_type
from runql.frames.dtypes import ScalarType
from runql.transport.files.part_file import hidden_sibling

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MISSING: Final = "__HIVE_DEFAULT_PARTITION__"
"""The folder of rows without a value."""

MOST_OPEN: Final = 64
_FOLDER: Final = re.compile(r"[^=]+=.*", re.DOTALL)
_FILE: Final = re.compile(r"part-\d+\.parquet")
_CAPITALS: Final = re.compile(r"(?<!%)(?<!%[0-9A-F])[A-Z]")

Value = str | int | bool | None


def checked_partitions(
    given: str | Sequence[str] | None, columns: Collection[str] | None, schema: FrameSchema
) -> tuple[str, ...]:
    """Check ``partition_by``; None gives no column.

    Args:
        given: a column, or several.
        columns: all that the rows can have; None where they may have any.
        schema: the dtypes that the caller asked for.

    Raises:
        TypeError: no str, and no list of them.
        ValueError: no column, one twice, one that the rows do not have, one of numbers with fractions, or all columns.
    """
    if given is None:
        return ()
    if not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"partition_by must be a column such as 'run_id', or a list, not {shown(given)}")
    names: list[str] = []
    for name in (given,) if isinstance(given, str) else given:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] — as above
            raise TypeError(f"partition_by must name columns by str, not {shown(name)}")
        if columns is not None and name not in columns:
            raise ValueError(
                f"partition_by names {shown(name)}, which is no column of the rows: "
                f"they have {', '.join(map(repr, columns))}"
            )
        if name in names:
            raise ValueError(f"partition_by names {shown(name)} twice")
        asked = schema.types.get(name) or fixed_type(name)
        if asked is not None and asked.stored is ScalarType.FLOAT64:
            raise ValueError(_unusable(name, "numbers with fractions"))
        names.append(name)
    if not names:
        raise ValueError(
            "partition_by is empty: name a column such as 'run_id', or leave it out for one file"
        )
    if columns is not None and {*names} >= {*columns}:
        raise ValueError("partition_by names every column: leave one for the files")
    return tuple(names)


def refuse_foreign_folder(target: Path) -> None:
    """Refuse to replace what no earlier call can have written.

    Raises:
        OSError: the target is a file, or a folder with anything but folders of partitions, or it cannot be read.
    """
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not target.is_symlink() and all(map(_is_part, _entries(target))):
        return
    raise FileExistsError(
        errno.EEXIST,
        "it would be replaced, and is no folder that sink_parquet wrote; remove it, or choose another path",
    )


def restore_folder(target: Path) -> None:
    """Finish what a killed call began: the earlier folder comes back where no new one has replaced it.

    Raises:
        OSError: a folder cannot be moved or removed.
    """
    old = _old(target)
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)


def replace_folder(new: Path, target: Path) -> None:
    """Put a folder in the place of the target.

    Raises:
        OSError: a folder cannot be moved or removed.
    """
    old = _old(target)
    if target.exists():
        target.rename(old)
    new.rename(target)
    if old.exists():
        shutil.rmtree(old)


class PartitionWriter:
    """Writes rows into ``folder/column=value/…/part-0.parquet``, without these columns.

    At most `MOST_OPEN` files are open at once. Rows that come later for a closed file make another one.
    """

    def __init__(self, folder: Path, names: Sequence[str], schema: pa.Schema) -> None:
        """Check the columns.

        Raises:
            ValueError: a column is missing, or its values cannot name folders.
        """
        for name in names:
            if name not in schema.names:
                found = ", ".join(map(repr, schema.names))
                raise ValueError(f"partition_by names {shown(name)}, which no row has: they have {found}")
            kind = str(schema.types[schema.names.index(name)])
            if not re.fullmatch(r"bool|u?int\d+|string|large_string|null", kind):
                raise ValueError(_unusable(name, kind))
        self._folder = folder
        self._names = names
        self._schema = schema
        self._rest = [name for name in schema.names if name not in names]
        self._writers: OrderedDict[Path, pq.ParquetWriter] = OrderedDict()
        self._files: dict[Path, int] = {}
        self._taken: dict[tuple[Path, str], str] = {}

    def write(self, table: pa.Table) -> None:
        """Add rows; those of one folder keep their order."""
        for values, rows in _groups(table, self._names):
            self._writer(self._place(values)).write_table(rows.select(self._rest))

    def close(self) -> None:
        """Finish all files. Without any row there is one file without rows, so that readers find the columns."""
        if not self._files:
            self._writer(self._place([None] * len(self._names)))
        while self._writers:
            self._writers.popitem()[1].close()

    def discard(self) -> None:
        """Close the files without regard for what is in them."""
        while self._writers:
            writer = self._writers.popitem()[1]
            try:
                writer.close()
            except OSError:
                continue

    def _place(self, values: Sequence[Value]) -> Path:
        place = self._folder
        for name, value in zip(self._names, values, strict=True):
            folder = f"{_quoted(name)}={folder_name(value)}"
            # Some file systems take names that differ in case for one: the second one has its capitals escaped.
            if self._taken.setdefault((place, folder.casefold()), folder) != folder:
                folder = _CAPITALS.sub(lambda found: f"%{ord(found[0]):02X}", folder)
            place /= folder
        return place

    def _writer(self, place: Path) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        writer = self._writers.pop(place, None)
        if writer is None:
            if len(self._writers) >= MOST_OPEN:
                self._writers.popitem(last=False)[1].close()
            number = self._files.get(place, 0)
            place.mkdir(parents=True, exist_ok=True)
            schema = self._schema.empty_table().select(self._rest).schema
            writer = pq.ParquetWriter(place / f"part-{number}.parquet", schema, compression="zstd")
            self._files[place] = number + 1
        self._writers[place] = writer
        return writer


def folder_name(value: Value) -> str:
    """Return the name of a value, in which no character has a meaning for a file system."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(str(value))


def _quoted(name: str) -> str:
    quoted = quote(name, safe="")
    # Windows drops dots at the end.
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted


def _groups(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[tuple[Value, ...], pa.Table]]:
    """The rows of each combination of values, in their order."""
    columns: list[list[Value]] = [table.column(name).to_pylist() for name in names]
    places: dict[tuple[Value, ...], list[int]] = {}
    for place, values in enumerate(zip(*columns, strict=True)):
        places.setdefault(values, []).append(place)
    for values, rows in places.items():
        is_slice = rows[-1] - rows[0] == len(rows) - 1
        yield values, table.slice(rows[0], len(rows)) if is_slice else table.take(rows)


def _unusable(name: str, kind: str) -> str:
    return (
        f"partition_by names {shown(name)}, a column of {kind}: its values cannot name folders; "
        "name columns of strings, integers or booleans"
    )


def _old(target: Path) -> Path:
    return hidden_sibling(target, "old")


def _entries(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


def _is_part(path: Path) -> bool:
    if path.is_symlink():
        return False
    return bool((_FOLDER if path.is_dir() else _FILE).fullmatch(path.name))
