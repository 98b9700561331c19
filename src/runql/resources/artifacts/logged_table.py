"""A logged `wandb.Table`: parsing its JSON, and returning it as rows or as a frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from runql.arguments import checked_str
from runql.errors import AnswerError, EntryNotFoundError, MissingExtraError, UnreadableTableError
from runql.frames.columns import Column
from runql.frames.dtypes import ScalarType
from runql.frames.extras import require
from runql.frames.table import Table
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.limits import JSONTooDeepError
from runql.paths import RunAddress
from runql.postponed import postponed
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.record import find_file
from runql.resources.records.table_formats import RecordTable
from runql.resources.records.tables import Shown, data_table, described
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, download
from runql.values import SPELLED_FLOATS, JSONValue, as_json, parse_json

if TYPE_CHECKING:
    from runql.frames.library_types import pandas_types as pd
    from runql.frames.library_types import polars_types as pl
    from runql.frames.library_types import pyarrow_types as pa
else:
    globals().update(postponed("pa pd pl"))

SUFFIX: Final = ".table.json"
SUFFIXES: Final = ("", SUFFIX, ".partitioned-table.json", ".joined-table.json")
TABLE_FILE: Final = "table-file"
INCREMENTAL_FILE: Final = "incremental-table-file"

_EMPTY_TYPES: Final = {
    "number": ScalarType.FLOAT64,
    "string": ScalarType.STRING,
    "boolean": ScalarType.BOOL,
    "timestamp": ScalarType.TIMESTAMP,
}
"""The types of columns that have no value."""


@dataclass(frozen=True, slots=True)
class SideColumn:
    """A column of arrays, which the SDK stores in a numpy file next to the table.

    Attributes:
        path: the path of that file in the artifact.
        key: the key of the array in the file; its first axis counts the rows.
    """

    path: str
    key: str


@dataclass(frozen=True)
class LoggedTable(Shown):
    """A `wandb.Table` as it was logged; `Artifact.get` and `Run.table` return it. It sends no requests.

    ```python
    table = api.artifact("digits/run-3f9k2c1a-mistakes:latest").get("mistakes")
    table.to_polars().filter(pl.col("times") > 3)
    ```

    Attributes:
        columns: the names of the columns, in order.
        data: the rows. Media are dicts such as ``{"_type": "image-file", "path": …}``; times are milliseconds, UTC.
        column_types: W&B's type of each column, such as ``number`` or ``union``; empty for files of a run.
    """

    columns: tuple[str, ...]
    data: Sequence[Sequence[JSONValue]]
    column_types: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return described("LoggedTable", f"{len(self.data)} rows:", ", ".join(self.columns))

    def _shown_table(self) -> RecordTable:
        return data_table(repr(self), self.columns, self.data)

    def rows(self) -> list[dict[str, JSONValue]]:
        """Return each row as a dict."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.data]

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas frame; see `runql.frames.to_pandas` for dtypes. Times are ``datetime64[ms, UTC]``.

        Raises:
            MissingExtraError: pandas is not installed.
            UnreadableTableError: two columns have the same name.
        """
        require("pandas", needed_for="LoggedTable.to_pandas")
        return to_pandas(self._table())

    def to_polars(self) -> pl.DataFrame:
        """Return a polars frame; see `runql.frames.to_polars` for dtypes. Times are ``Datetime("ms", "UTC")``.

        Raises:
            MissingExtraError: polars is not installed.
            UnreadableTableError: two columns have the same name.
        """
        require("polars", needed_for="LoggedTable.to_polars")
        return to_polars(self._table())

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table; types are those of `to_polars`.

        Raises:
            MissingExtraError: pyarrow is not installed.
            UnreadableTableError: two columns have the same name.
        """
        require("pyarrow", needed_for="LoggedTable.to_arrow")
        return to_arrow(self._table())

    def _table(self) -> Table:
        if len(set(self.columns)) < len(self.columns):
            raise UnreadableTableError(
                f"two columns of the table have the same name, which a frame cannot have: {', '.join(self.columns)}. "
                "Read `data` instead"
            )
        cells = [[row[place] for row in self.data] for place in range(len(self.columns))]
        return Table.from_columns(
            _column(name, self.column_types.get(name, ""), values)
            for name, values in zip(self.columns, cells, strict=True)
        )


def _column(name: str, kind: str, values: list[JSONValue]) -> Column:
    if kind == "timestamp" and all(isinstance(value, int | float | None) for value in values):
        return Column.typed(name, ScalarType.TIMESTAMP, [_as_milliseconds(value) for value in values])
    if kind == "number":
        values = [SPELLED_FLOATS.get(value, value) if isinstance(value, str) else value for value in values]
    column = Column.inferred(name, values)
    if column.dtype is ScalarType.NULL and kind in _EMPTY_TYPES:
        return Column.typed(name, _EMPTY_TYPES[kind], values)
    return column


def _as_milliseconds(value: JSONValue) -> JSONValue:
    return round(value) if isinstance(value, float) else value


# -- parsing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableDocument:
    """The parsed JSON of a table.

    Attributes:
        table: its rows; cells of side columns are still None.
        side_columns: by the index of the column.
        earlier: the paths of the parts before this one, for a table that was logged in increments.
    """

    table: LoggedTable
    side_columns: Mapping[int, SideColumn]
    earlier: tuple[str, ...]

    def with_side_columns(self, files: Mapping[str, bytes]) -> LoggedTable:
        """Return the table with the cells of its side columns.

        Args:
            files: the bytes of their files, by path.

        Raises:
            UnreadableTableError: a file does not contain the arrays.
            MissingExtraError: numpy is not installed.
        """
        data = [list(row) for row in self.table.data]
        for place, side in self.side_columns.items():
            cells = _array_cells(files[side.path], side)
            if len(cells) != len(data):
                raise UnreadableTableError(
                    f"column {self.table.columns[place]!r} has {len(cells)} arrays for {len(data)} rows"
                )
            for row, cell in zip(data, cells, strict=True):
                row[place] = cell
        return LoggedTable(self.table.columns, data, self.table.column_types)


def parse_table(content: bytes, where: str) -> TableDocument:
    """Parse the JSON of a table.

    Raises:
        UnreadableTableError: it is not a table, or has fewer rows or cells than it says.
        JSONTooDeepError: it is nested more deeply than `Limits` accepts.
    """
    try:
        document = parse_json(content, where)
    except JSONTooDeepError:
        raise
    except ValueError as error:
        raise UnreadableTableError(f"{where} is not a table: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableTableError(f"{where} is not a table: it is not a JSON object")
    names, rows = document.get("columns"), document.get("data")
    if not (isinstance(names, list) and isinstance(rows, list)):
        kind = document.get("_type")
        what = f"a {kind}, not a table" if isinstance(kind, str) else "not a table"
        raise UnreadableTableError(f"{where} is {what}: it has no columns and data")
    columns = tuple(str(name) for name in names)
    data = [row if isinstance(row, list) else [row] for row in rows]
    uneven = next((place for place, row in enumerate(data) if len(row) != len(columns)), None)
    if uneven is not None:
        raise UnreadableTableError(
            f"row {uneven} of {where} has {len(data[uneven])} cells for {len(columns)} columns"
        )
    promised = document.get("nrows")
    if isinstance(promised, int) and promised != len(data):
        raise UnreadableTableError(f"{where} has {len(data)} rows of {promised}")
    types = _types(document.get("column_types"))
    return TableDocument(
        LoggedTable(columns, data, {name: _kind(types[name]) for name in columns if name in types}),
        {
            place: side
            for place, name in enumerate(columns)
            if name in types and (side := _side_column(types[name])) is not None
        },
        _earlier(document),
    )


def joined_tables(tables: Sequence[LoggedTable], where: str) -> LoggedTable:
    """Join the parts of a table that was stored in parts.

    Raises:
        UnreadableTableError: their columns differ, or there is no part.
    """
    if not tables:
        raise UnreadableTableError(f"{where} has no part")
    first = tables[0]
    if any(table.columns != first.columns for table in tables):
        raise UnreadableTableError(f"the parts of {where} have different columns: read each of them alone")
    return LoggedTable(first.columns, [row for table in tables for row in table.data], first.column_types)


def _types(column_types: JSONValue) -> Mapping[str, JSONValue]:
    match column_types:
        case {"params": {"type_map": dict(types)}}:
            return types
        case _:
            return {}


def _allowed(column_type: JSONValue) -> list[JSONValue]:
    """The types that a column allows, without None."""
    match column_type:
        case {"wb_type": "union", "params": {"allowed_types": list(allowed)}}:
            return [each for each in allowed if _name(each) != "none"]
        case _:
            return [column_type]


def _name(column_type: JSONValue) -> str:
    name = column_type.get("wb_type") if isinstance(column_type, dict) else None
    return name if isinstance(name, str) else "unknown"


def _kind(column_type: JSONValue) -> str:
    names = {_name(each) for each in _allowed(column_type)}
    return names.pop() if len(names) == 1 else "union" if names else "none"


def _side_column(column_type: JSONValue) -> SideColumn | None:
    for each in _allowed(column_type):
        match each:
            case {
                "wb_type": "ndarray",
                "params": {"serialization_path": {"path": str(path), "key": str(key)}},
            }:
                return SideColumn(path, key)
            case _:
                continue
    return None


def _earlier(document: Mapping[str, JSONValue]) -> tuple[str, ...]:
    paths = document.get("previous_increments_paths")
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()


def _array_cells(content: bytes, side: SideColumn) -> list[JSONValue]:
    try:
        import numpy as np  # noqa: PLC0415 - optional: few tables hold arrays
    except ImportError as error:
        raise MissingExtraError(
            "numpy", extra="pandas", needed_for="a table with columns of arrays"
        ) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            cells = as_json(arrays[side.key].tolist())
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableTableError(f"{side.path} has no arrays under {side.key!r}: {error}") from error
    return cells if isinstance(cells, list) else [cells]


# -- in an artifact ----------------------------------------------------------------------------------------------

ReadContents: TypeAlias = Callable[[Sequence[ManifestEntry]], Flow[list[bytes]]]
"""Reads entries of an artifact into memory."""


def read_artifact_table(
    artifact: str, manifest: Manifest, name: str, read: ReadContents
) -> Flow[LoggedTable]:
    """Read a table of an artifact, with the parts and arrays that the SDK stores in files of their own.

    Raises:
        EntryNotFoundError: the artifact has no entry of that name.
        UnreadableTableError: the entry is not a table, or a part of the table is missing.
    """
    entries = manifest.entries
    path = next((name + suffix for suffix in SUFFIXES if name + suffix in entries), None)
    if path is None:
        raise EntryNotFoundError(artifact, name)
    where = f"{path} of artifact {artifact}"
    (content,) = yield from read([entries[path]])
    if (folder := _parts_folder(content)) is not None:
        earlier = [each for each in entries if each.startswith(f"{folder}/") and each.endswith(SUFFIX)]
        last: list[TableDocument] = []
    else:
        last = [parse_table(content, where)]
        earlier = [_entry_path(each) for each in last[0].earlier]
    if missing := [each for each in earlier if each not in entries]:
        raise UnreadableTableError(f"parts of {where} are missing: {', '.join(missing)}")
    contents = yield from read([entries[each] for each in earlier])
    documents = [
        *(
            parse_table(each, f"{part} of artifact {artifact}")
            for part, each in zip(earlier, contents, strict=True)
        ),
        *last,
    ]
    side_files = [*dict.fromkeys(side.path for each in documents for side in each.side_columns.values())]
    if missing := [each for each in side_files if each not in entries]:
        raise UnreadableTableError(f"the arrays of {where} are missing: {', '.join(missing)}")
    arrays = yield from read([entries[each] for each in side_files])
    files = dict(zip(side_files, arrays, strict=True))
    return joined_tables([each.with_side_columns(files) for each in documents], where)


def _parts_folder(content: bytes) -> str | None:
    """The folder of a partitioned table's parts; None for anything else."""
    try:
        document = parse_json(content)
    except ValueError:
        return None
    match document:
        case {"_type": "partitioned-table", "parts_path": str(folder)}:
            return folder.strip("/")
        case _:
            return None


def _entry_path(address: str) -> str:
    """The path inside the artifact that an increment's address names: ``wandb-client-artifact://<id>/<path>``."""
    return address.partition("://")[2].partition("/")[2] or address


# -- in a run ----------------------------------------------------------------------------------------------------


def read_run_table(run: RunAddress, key: str, value: JSONValue) -> Flow[LoggedTable]:
    """Read a table that a run logged from the run's files; two requests.

    Args:
        run: the run.
        key: the name that the table was logged under.
        value: its value in the summary or in a row of the history.

    Raises:
        UnreadableTableError: the value is not a table, or the file has fewer rows.
    """
    checked_str("key", key)
    logged = value if isinstance(value, dict) else {}
    path, kind, promised = logged.get("path"), logged.get("_type"), logged.get("nrows")
    if kind not in (TABLE_FILE, INCREMENTAL_FILE) or not isinstance(path, str):
        what = f"is a {kind}, not a table" if isinstance(kind, str) else "is not a table"
        raise UnreadableTableError(f"{key!r} of run {run} {what}")
    fields = yield from find_file(run, path)
    try:
        content = yield from download(fields.direct_url or fields.url or "")
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        fields = yield from find_file(run, path)
        content = yield from download(fields.url or fields.direct_url)
    table = parse_table(content, f"{path} of run {run}").table
    if isinstance(promised, int) and promised != len(table):
        prefix = "incr-" if kind == INCREMENTAL_FILE else ""
        raise UnreadableTableError(
            f"the file of table {key!r} of run {run} has {len(table)} rows of {promised}. The SDK stores more "
            f"rows in the artifact run-{run.run_id}-{prefix}{key}: Artifact.get reads it"
        )
    return table
