"""The formats of rows of many runs: a list of dicts, or a frame of one of three libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

from runql.arguments import shown
from runql.frames.asked_types import NO_SCHEMA, FrameSchema, Schema, refuse_schema
from runql.frames.batches import RUN_ID, STEP, Batch, rows_of_columns
from runql.frames.columns import as_values
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader, RowReader
from runql.frames.table import Table
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.frames.wide import widen
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.history.sampled import Row
from runql.resources.runs.histories.sampled import rows_of
from runql.transport.lifetime import raise_not_pickled

if TYPE_CHECKING:
    from runql.frames.library_types import pandas_types as pd
    from runql.frames.library_types import polars_types as pl
    from runql.frames.library_types import pyarrow_types as pa
else:
    globals().update(postponed("pa pd pl"))

SampleFormat: TypeAlias = Literal["default", "pandas", "polars"]
"""Of `Runs.histories`."""

ScanFormat: TypeAlias = Literal["default", "pandas", "polars", "arrow"]
"""Of `Runs.scan_histories`."""

SAMPLE_LEADING: Final = (RUN_ID,)
SCAN_LEADING: Final = (RUN_ID, STEP)

F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)


@dataclass(frozen=True, slots=True)
class OutputFormat(Generic[F_co]):
    """How rows are returned.

    Attributes:
        make: converts all rows of some batches; the list is empty afterwards.
        convert: converts a table.
        columns: metrics that are columns even where no row has them.
        reader: makes the reader of the rows' JSON.
        schema: the dtypes that the caller asked for.
        name: under which `scan_format` makes it; it is pickled as this.
    """

    make: Callable[[list[Batch]], F_co]
    convert: Callable[[Table], F_co]
    columns: Sequence[str]
    reader: Callable[[], RowReader]
    schema: FrameSchema = NO_SCHEMA
    name: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        if not self.name:
            raise_not_pickled("the format of a sample", "send its name")
        given = {column: asked.given for column, asked in self.schema.types.items()}
        return scan_format, (self.name, tuple(self.columns), given or None)

    def token(self) -> str:
        """Return a str that two formats share if they make the same of the same rows."""
        types = {column: asked.label for column, asked in self.schema.types.items()}
        return repr((self.name, tuple(self.columns), types))

    def pivoted(self, batches: list[Batch], runs: Sequence[str], *, one_metric: bool) -> F_co:
        """All rows of these runs, one for each step, see `widen`."""
        table = _long_table(batches, SCAN_LEADING, self.columns, self.schema)
        requested = {*self.columns, *self.schema.types}
        return self.convert(widen(table, runs, one_metric=one_metric, requested=requested))


def sample_format(
    name: str, columns: Sequence[str], schema: Schema | None = None, *, has_any_column: bool = False
) -> OutputFormat[list[Row]] | OutputFormat[pd.DataFrame] | OutputFormat[pl.DataFrame]:
    """The format of `Runs.histories` by its name, for rows that have these columns, or these and any others.

    Raises:
        ValueError: there is none of that name, or the schema names a column that the frame does not have.
        TypeError: the schema is no mapping of names to dtypes.
        MissingExtraError: its library is not installed.
    """
    checked = FrameSchema.checked(schema, None if has_any_column else (*SAMPLE_LEADING, *columns))
    match name:
        case "default":
            refuse_schema(schema, 'format="default"')
            return _rows_format(columns)
        case "pandas":
            return _pandas_format("Runs.histories", SAMPLE_LEADING, columns, checked)
        case "polars":
            return _polars_format("Runs.histories", SAMPLE_LEADING, columns, checked)
        case _:
            raise ValueError(f"format must be 'default', 'pandas' or 'polars', not {shown(name)}")


def scan_format(
    name: str, keys: Sequence[str], schema: Schema | None = None
) -> (
    OutputFormat[list[Row]] | OutputFormat[pd.DataFrame] | OutputFormat[pl.DataFrame] | OutputFormat[pa.Table]
):
    """The format of `Runs.scan_histories` by its name, for rows that have these keys; without keys, for whole rows.

    Raises:
        ValueError: there is none of that name, or the schema names a column that the frame does not have.
        TypeError: the schema is no mapping of names to dtypes.
        MissingExtraError: its library is not installed.
    """
    checked = FrameSchema.checked(schema, tuple(dict.fromkeys((*SCAN_LEADING, *keys))) if keys else None)
    match name:
        case "default":
            refuse_schema(schema, 'format="default"')
            return replace(_rows_format(keys), name=name)
        case "pandas":
            return replace(_pandas_format("Runs.scan_histories", SCAN_LEADING, keys, checked), name=name)
        case "polars":
            return replace(_polars_format("Runs.scan_histories", SCAN_LEADING, keys, checked), name=name)
        case "arrow":
            require("pyarrow", needed_for='Runs.scan_histories(format="arrow")')
            return replace(_frame_format(to_arrow, SCAN_LEADING, keys, checked), name=name)
        case _:
            raise ValueError(f"format must be 'default', 'pandas', 'polars' or 'arrow', not {shown(name)}")


def _rows_format(columns: Sequence[str]) -> OutputFormat[list[Row]]:
    return OutputFormat(rows_of, _rows_of_table, columns, RowReader)


def _pandas_format(
    method: str, leading: Sequence[str], columns: Sequence[str], schema: FrameSchema
) -> OutputFormat[pd.DataFrame]:
    require("pandas", needed_for=f'{method}(format="pandas")')
    return _frame_format(to_pandas, leading, columns, schema)


def _polars_format(
    method: str, leading: Sequence[str], columns: Sequence[str], schema: FrameSchema
) -> OutputFormat[pl.DataFrame]:
    require("polars", needed_for=f'{method}(format="polars")')
    return _frame_format(to_polars, leading, columns, schema)


def _frame_format(
    convert: Callable[[Table], F], leading: Sequence[str], columns: Sequence[str], schema: FrameSchema
) -> OutputFormat[F]:
    return OutputFormat(
        lambda batches: convert(_long_table(batches, leading, columns, schema)),
        convert,
        columns,
        ColumnReader,
        schema,
    )


def _long_table(
    batches: list[Batch], leading: Sequence[str], columns: Sequence[str], schema: FrameSchema
) -> Table:
    return Table.from_batches(batches, leading=leading, requested=columns, order="sorted", schema=schema)


def _rows_of_table(table: Table) -> list[Row]:
    return rows_of_columns(
        ((name, as_values(each.cells)) for name, each in table.columns.items()), table.height
    )
