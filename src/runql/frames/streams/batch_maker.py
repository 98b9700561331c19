"""Makes record batches of one schema of rows that arrive piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runql.errors import FrameValueError
from runql.frames.batches import RUN_ID
from runql.frames.columns import Cells, as_values
from runql.frames.dtypes import DType, ScalarType
from runql.frames.streams.fits import unfit_place
from runql.frames.streams.plan import StreamPlan, refuse_other_columns
from runql.frames.to_arrow import to_arrow
from runql.frames.unified_columns import UnifiedColumns
from runql.values import JSONValue

if TYPE_CHECKING:
    import pyarrow as pa


class BatchMaker:
    """Converts pieces of rows to record batches.

    Attributes:
        schema: of each batch.
    """

    def __init__(self, plan: StreamPlan, unified: UnifiedColumns) -> None:
        """Fix the types that follow from the rows that ``unified`` has seen, and from the plan.

        Raises:
            ValueError: the consumer asked for other columns than there are.
        """
        self._plan = plan
        self._unified = unified
        self._dtypes: dict[str, DType] = unified.dtypes()
        empty = to_arrow(unified.table(self._dtypes, {}, 0))
        if plan.target is not None:
            refuse_target(empty.schema, plan.target)
        self.schema: pa.Schema = empty.schema if plan.target is None else plan.target

    def make(self, columns: Mapping[str, Cells], height: int, *, checked: bool) -> list[pa.RecordBatch]:
        """Return rows as batches; with ``checked`` they may be others than those that the types follow from.

        Raises:
            FrameValueError: a value does not fit the type of its column.
        """
        if checked:
            for name, cells in columns.items():
                self._check(name, cells, columns)
        table = to_arrow(self._unified.table(self._dtypes, columns, height))
        if self._plan.target is not None:
            table = cast_to(table, self._plan.target, self._plan.schema.run)
        return table.to_batches()

    def _check(self, name: str, cells: Cells, columns: Mapping[str, Cells]) -> None:
        if name in self._plan.schema.types:
            return
        dtype = self._dtypes.get(name)
        place = unfit_place(name, ScalarType.NULL if dtype is None else dtype, cells)
        if place is None:
            return
        label = "a column that they do not have" if dtype is None else f"of type {self._type_of(name)}"
        run: JSONValue = as_values(columns[RUN_ID])[place] if RUN_ID in columns else None
        value = as_values(cells)[place]
        raise FrameValueError(str(run or self._plan.schema.run), name, value, label, inferred=True)

    def _type_of(self, name: str) -> str:
        # Names that UTF-8 cannot encode are columns under their escapes.
        index = [*self._dtypes].index(name)
        return str(to_arrow(self._unified.table(self._dtypes, {}, 0)).schema.types[index])


def refuse_target(own: pa.Schema, target: pa.Schema) -> None:
    """Refuse a schema that a consumer asks for, where no rows could have it.

    Raises:
        ValueError: it has other columns, or a type that the type of the rows cannot become.
    """
    import pyarrow as pa  # noqa: PLC0415 - optional: the callers require it

    refuse_other_columns(target.names, {*own.names})
    for name, kind in zip(target.names, target.types, strict=True):
        found = own.types[own.names.index(name)]
        try:
            pa.array([], found).cast(kind)
        except pa.ArrowException as error:
            raise ValueError(
                f"the requested schema asks {kind} of column {name!r}, and its values are {found}: {error}"
            ) from error


def cast_to(table: pa.Table, target: pa.Schema, run: str = "") -> pa.Table:
    """Return the rows in a schema that `refuse_target` accepts.

    Raises:
        FrameValueError: a value does not fit.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above

    for name, kind in zip(target.names, target.types, strict=True):
        try:
            table.column(name).cast(kind)
        except pa.ArrowException as error:
            raise FrameValueError(run, name, str(error), str(kind)) from error
    return table.select(target.names).cast(target)
