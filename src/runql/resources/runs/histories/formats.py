"""What rows of many runs are handed out as: a list of dicts, or a frame of one of three libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from runql.arguments import shown
from runql.frames.batches import RUN_ID, STEP, Batch, rows_of_columns
from runql.frames.columns import as_values
from runql.frames.extras import require
from runql.frames.row_readers import ColumnReader, RowReader
from runql.frames.table import Table
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.frames.wide import widen
from runql.resources.history.sampled import Row
from runql.resources.runs.histories.sampled import rows_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

FullFormat: TypeAlias = Literal["default", "pandas", "polars", "arrow"]

F_co = TypeVar("F_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Form(Generic[F_co]):
    """How rows are handed out.

    Attributes:
        make: gives all rows of some batches, which it empties.
        wide: gives them as one row for each step.
        keys: the metrics that were asked for; each is a column, also where no row has it.
        reader: makes something that reads the texts of rows.
    """

    make: Callable[[list[Batch]], F_co]
    wide: Callable[[Table], F_co]
    keys: Sequence[str]
    reader: Callable[[], RowReader]

    def pivoted(self, batches: list[Batch], runs: Sequence[str], *, one_metric: bool) -> F_co:
        """All rows of these runs, one for each step, see `widen`."""
        return self.wide(widen(_long(batches, self.keys), runs, one_metric=one_metric, requested=self.keys))


def histories_form(
    name: str, keys: Sequence[str]
) -> Form[list[Row]] | Form[pd.DataFrame] | Form[pl.DataFrame] | Form[pa.Table]:
    """The form of that name, for rows that hold these keys or, when there are none, whatever was logged.

    Raises:
        ValueError: there is none.
        MissingExtraError: its library is not installed.
    """
    match name:
        case "default":
            return Form(rows_of, _rows, keys, RowReader)
        case "pandas":
            require("pandas", needed_for='Runs.scan_histories(format="pandas")')
            return _of_library(to_pandas, keys)
        case "polars":
            require("polars", needed_for='Runs.scan_histories(format="polars")')
            return _of_library(to_polars, keys)
        case "arrow":
            require("pyarrow", needed_for='Runs.scan_histories(format="arrow")')
            return _of_library(to_arrow, keys)
        case _:
            raise ValueError(f"format must be 'default', 'pandas', 'polars' or 'arrow', not {shown(name)}")


F = TypeVar("F")


def _of_library(convert: Callable[[Table], F], keys: Sequence[str]) -> Form[F]:
    return Form(lambda batches: convert(_long(batches, keys)), convert, keys, ColumnReader)


def _long(batches: list[Batch], keys: Sequence[str]) -> Table:
    return Table.from_batches(batches, leading=[RUN_ID, STEP], requested=keys, order="sorted")


def _rows(table: Table) -> list[Row]:
    return rows_of_columns(
        ((name, as_values(each.cells)) for name, each in table.columns.items()), table.height
    )
