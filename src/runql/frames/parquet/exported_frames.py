"""Exports as polars frames: read, merged, sorted and filtered without a Python object for each value."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import polars as pl

from runql.errors import FrameValueError
from runql.frames.asked_types import NO_SCHEMA, FrameSchema
from runql.frames.batches import Batch, RowBatch, rows_of_columns
from runql.frames.columns import SERIES_TYPES, Column, Piece
from runql.frames.parquet.export_selection import ExportSelection
from runql.frames.parquet.exported_values import (
    cell_to_json,
    decode_metric,
    lookup,
    nest_members,
    path_splits,
    to_json,
)
from runql.frames.parquet.layout import UnreadableParquetError
from runql.frames.table import Table, asked_column
from runql.values import SPELLED_FLOATS, JSONValue

if TYPE_CHECKING:
    import pyarrow as pa

_JSON_NULL = b"null"
_MAP_ENTRY = ("key", "value")


@contextlib.contextmanager
def polars_errors() -> Generator[None]:
    """Turn the errors of polars into one of ours.

    Raises:
        UnreadableParquetError: polars cannot read the bytes.
    """
    try:
        yield
    except (UnreadableParquetError, FrameValueError):
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError, TypeError, pl.exceptions.PanicException) as error:
        raise UnreadableParquetError(f"an export cannot be read: {error}") from error


def frame_of_file(content: bytes) -> pl.DataFrame:
    """All rows and columns of a file."""
    with polars_errors():
        return pl.read_parquet(io.BytesIO(content))


class _Exportable(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class _Stream:
    """A pyarrow column behind the Arrow C stream protocol; for one of pyarrow itself, polars imports more than it needs."""

    def __init__(self, column: _Exportable) -> None:
        self._column = column

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._column.__arrow_c_stream__(requested_schema)


def frame_of_arrow(table: pa.Table) -> pl.DataFrame:
    """All rows of a table that pyarrow read."""
    with polars_errors():
        # A dict of series: polars would rename a column whose name is empty.
        return pl.DataFrame({name: pl.Series(_Stream(table.column(name))) for name in table.column_names})


def select_rows(frame: pl.DataFrame, selection: ExportSelection) -> pl.DataFrame:
    """The selected columns and rows of one file, in its order.

    Columns are Boolean, Int64, Float64 or String; Binary where each cell is JSON; or nested.
    """
    with polars_errors():
        if "_step" not in frame.columns or frame["_step"].null_count():
            raise UnreadableParquetError("an export has rows without a step")
        if not frame.height:
            # Without rows, the types of the columns mean nothing.
            return pl.DataFrame({"_step": pl.Series([], dtype=pl.Int64)})
        paths = selection.member_paths(frame.columns)
        frame = pl.DataFrame({name: _normalize(frame[name]) for name in selection.columns_of(frame.columns)})
        step = pl.col("_step")
        frame = frame.filter(
            step >= selection.start, True if selection.stop is None else step < selection.stop
        )
        return _pick_keys(_nest_columns(frame, paths), selection.keys)


def frames_of_batches(batches: Iterable[Batch], steps: Iterable[float]) -> list[pl.DataFrame]:
    """The rows of batches at these steps, with columns of the types that exports have."""
    allowed = pl.Series(list(steps), dtype=pl.Float64)
    with polars_errors():
        frames = [_of_rows(b.rows) if isinstance(b, RowBatch) else pl.DataFrame(b.columns) for b in batches]
        return [
            frame.filter(pl.col("_step").cast(pl.Float64).is_in(allowed.implode()))
            for frame in frames
            if "_step" in frame.columns
        ]


def merge_frames(
    frames: Sequence[pl.DataFrame], selection: ExportSelection, *, repeats: bool
) -> pl.DataFrame:
    """Merge frames of one run, in step order; with ``repeats`` each step once, from the first frame that has it."""
    with polars_errors():
        names = dict.fromkeys(name for frame in frames for name in frame.columns)
        schemas = [frame.schema for frame in frames]
        kinds = {name: {schema[name] for schema in schemas if name in schema} for name in names}
        numbers: set[pl.DataType] = {pl.Int64(), pl.Float64()}
        mixed = {name: found == numbers for name, found in kinds.items() if len(found) > 1}
        whole = pl.concat([_unify_types(frame, mixed) for frame in frames], how="diagonal", rechunk=False)
        steps = whole["_step"]
        if not steps.is_sorted():
            whole = whole.sort("_step", maintain_order=True)
        if repeats:
            whole = whole.unique("_step", keep="first", maintain_order=True)
        return _with_keys(whole, selection)


def count_steps(frames: Sequence[pl.DataFrame], more: Sequence[float]) -> int:
    """How many different steps all frames and ``more`` have together."""
    with polars_errors():
        steps = [frame["_step"].cast(pl.Float64) for frame in frames]
        return pl.concat([*steps, pl.Series("_step", more, dtype=pl.Float64)]).n_unique()


def shares_steps(frames: Sequence[pl.DataFrame], steps: Sequence[float]) -> bool:
    """Whether any of these steps is in a frame."""
    wanted = pl.Series(steps, dtype=pl.Float64).implode()
    with polars_errors():
        return any(frame["_step"].cast(pl.Float64).is_in(wanted).any() for frame in frames)


def table_of(
    frame: pl.DataFrame, *, leading: Sequence[str], keep_empty: bool, schema: FrameSchema = NO_SCHEMA
) -> Table:
    """The same table as the rows would make, its columns in the order in which they first have a value.

    Args:
        frame: see `merge_frames`.
        leading: columns that come first and always exist.
        keep_empty: keep the other columns even without any value.
        schema: the types of columns that always exist, too.

    Raises:
        FrameValueError: a value does not fit the schema.
    """
    with polars_errors():
        first = {name: _first_value(frame[name]) for name in frame.columns}
        kept = [name for name in first if name in leading or keep_empty or first[name] < frame.height]
        ordered = dict.fromkeys((*leading, *sorted(kept, key=first.__getitem__), *schema.types))

        def column(name: str) -> Column:
            asked, cells = schema.types.get(name), _cells(name, frame)
            if asked is None:
                return Column.joined(name, cells, frame.height).settled(is_requested=name in leading)
            return asked_column(name, asked, cells, frame.height, schema)

        return Table.from_columns(map(column, ordered), schema.run)


def check_values(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame, unless a cell holds a value that no row can hold.

    Raises:
        UnreadableParquetError: a cell does.
    """
    with polars_errors():
        for cells in frame:
            if not _is_plain(cells):
                _values(cells)
    return frame


def rows_of(frame: pl.DataFrame, size: int = 4096) -> Iterator[list[dict[str, JSONValue]]]:
    """The rows of a merged frame as dicts without missing values, ``size`` rows at a time."""
    for part in frame.iter_slices(size):
        with polars_errors():
            rows = rows_of_columns(((name, _values(part[name])) for name in part.columns), part.height)
        yield rows


def _normalize(cells: pl.Series) -> pl.Series:
    kind = cells.dtype
    if isinstance(kind, pl.Boolean | pl.Binary) or _is_nested(kind):
        return cells
    if isinstance(kind, pl.Null):
        return cells.cast(pl.Binary)
    if isinstance(kind, pl.UInt64):
        return _json(cells)
    if kind.is_integer() and not isinstance(kind, pl.Int128 | pl.UInt128):
        return cells.cast(pl.Int64)
    if isinstance(kind, pl.Float32 | pl.Float64):
        return cells.cast(pl.Float64)
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        strings = cells.cast(pl.String)
        return _json(strings) if strings.is_in(list(SPELLED_FLOATS)).any() else strings
    raise UnreadableParquetError(f"an export has a column of {kind}")


def _is_nested(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        entry = tuple(member.name for member in kind.inner.fields)
        if entry == _MAP_ENTRY:
            raise UnreadableParquetError("an export has a column of maps, which look like lists here")
    return isinstance(kind, pl.Struct | pl.List)


def _json(cells: pl.Series) -> pl.Series:
    if isinstance(cells.dtype, pl.Binary):
        return cells
    contents = [cell_to_json(value) for value in cells.to_list()]
    return pl.Series(cells.name, contents, dtype=pl.Binary)


def _of_rows(rows: Sequence[Mapping[str, JSONValue]]) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame({name: _of_values([row.get(name) for row in rows]) for name in names})


def _of_values(values: list[JSONValue]) -> pl.Series:
    kinds = {*map(type, values)} - {type(None)}
    plain = {bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
    with contextlib.suppress(OverflowError, TypeError, pl.exceptions.PolarsError):
        if len(kinds) == 1 and kinds <= plain.keys():
            return pl.Series(values, dtype=plain[kinds.pop()])
    contents = [None if value is None else to_json(value) for value in values]
    return pl.Series(contents, dtype=pl.Binary)


def _nest_columns(frame: pl.DataFrame, paths: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """The frame with columns of members replaced by columns of objects."""
    inside = {name: paths[name] for name in frame.columns if name in paths}
    if not inside:
        return frame
    nested: dict[str, pl.Series] = {}
    for name in frame.columns:
        if name not in inside:
            nested[name] = frame[name]
            continue
        head = inside[name][0]
        if head not in nested:
            members = {path[1:]: _values(frame[each]) for each, path in inside.items() if path[0] == head}
            rows = (dict(zip(members, cells, strict=True)) for cells in zip(*members.values(), strict=True))
            nested[head] = pl.Series([cell_to_json(nest_members(row)) for row in rows], dtype=pl.Binary)
    return pl.DataFrame(nested)


def _pick_keys(frame: pl.DataFrame, keys: tuple[str, ...] | None) -> pl.DataFrame:
    """The requested columns; a dotted key may be a member of an object."""
    if keys is None:
        return frame
    picked = {"_step": frame["_step"]}
    for key in keys:
        heads = [head for head, _rest in path_splits(key) if head in frame.columns]
        if heads:
            names = [name for name in (key, *heads) if name in frame.columns]
            cells = zip(*(_values(frame[name]) for name in names), strict=True)
            picked[key] = _of_values([lookup(dict(zip(names, row, strict=True)), key) for row in cells])
        elif key in frame.columns:
            picked[key] = frame[key]
    return pl.DataFrame(picked)


def _unify_types(frame: pl.DataFrame, mixed: Mapping[str, bool]) -> pl.DataFrame:
    """The frame with the columns of ``mixed`` types as floats where the value is True, else as JSON."""
    if not mixed:
        return frame

    def unify(name: str) -> pl.Series:
        cells = frame[name]
        if name not in mixed:
            return cells
        return cells.cast(pl.Float64) if mixed[name] else _json(cells)

    return pl.DataFrame({name: unify(name) for name in frame.columns})


def _with_keys(frame: pl.DataFrame, selection: ExportSelection) -> pl.DataFrame:
    if selection.keys is None:
        return frame
    ordered = [name for name in dict.fromkeys(("_step", *selection.keys)) if name in frame.columns]
    if selection.every_row:
        return frame.select(ordered)
    first, *others = (_has_value(frame, key) for key in selection.keys)
    for present in others:
        first = first & present if selection.match == "all" else first | present
    for key in selection.required:
        first = first & _has_value(frame, key)
    return pl.DataFrame({name: frame[name] for name in ordered}).filter(first)


def _has_value(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, frame.height)
    cells = frame[name]
    valid = cells.is_not_null()
    return (
        valid & (cells != pl.Series([_JSON_NULL], dtype=pl.Binary)).fill_null(value=False)
        if isinstance(cells.dtype, pl.Binary)
        else valid
    )


def _first_value(cells: pl.Series) -> int:
    """The row of the first value; the number of rows when there is none."""
    if not cells.null_count():
        return 0
    found = cells.is_not_null().arg_max()
    return len(cells) if found is None or cells[found] is None else found


def _cells(name: str, frame: pl.DataFrame) -> list[Piece]:
    if name not in frame.columns:
        return []
    cells = frame[name]
    is_typed = cells.dtype.__class__.__name__ in SERIES_TYPES and cells.null_count() < len(cells)
    return [Piece(0, cells if is_typed else _values(cells))]


def _is_plain(cells: pl.Series) -> bool:
    return isinstance(cells.dtype, pl.Boolean | pl.Int64 | pl.Float64 | pl.String)


def _values(cells: pl.Series) -> list[JSONValue]:
    if _is_plain(cells):
        values: list[JSONValue] = cells.to_list()
        return values
    return [decode_metric(value) for value in cells.to_list()]
