"""Which columns a stream of record batches has, and when their types are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from runql.arguments import shown
from runql.frames.asked_types import NO_SCHEMA, AskedType, FrameSchema
from runql.frames.columns import fixed_type
from runql.frames.table import ColumnOrder
from runql.frames.unified_columns import UnifiedColumns
from runql.quick_dataclasses import dataclass

if TYPE_CHECKING:
    import pyarrow as pa

Infer: TypeAlias = Literal["all", "first"]
"""From which rows the types of a stream follow: all of them, which are kept until then, or the first ones."""

_PLAIN: Final = re.compile(
    r"bool|float|double|float32|float64|u?int(8|16|32|64)|string|large_string|string_view"
)


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """The columns of a stream.

    Attributes:
        leading: columns that come first and always exist.
        requested: other columns that always exist.
        has_any_column: whether rows may bring other columns, too.
        order: of the columns behind the leading ones.
        schema: the dtypes that the caller asked for.
        infer: from which rows the other types follow.
        target: the schema that the consumer asked for; None for that of the rows.
    """

    leading: Sequence[str]
    requested: Sequence[str]
    has_any_column: bool
    order: ColumnOrder
    schema: FrameSchema = NO_SCHEMA
    infer: Infer = "all"
    target: pa.Schema | None = field(default=None)

    @property
    def is_known(self) -> bool:
        """Whether all columns and their types are known before any row is."""
        if self.has_any_column:
            return False
        names = {*self.leading, *self.requested, *self.schema.types}
        return all(name in self.schema.types or fixed_type(name) is not None for name in names)

    def new_columns(self) -> UnifiedColumns:
        """Return the columns before any row is known."""
        return UnifiedColumns(self.leading, self.requested, self.schema, self.order)

    def inferring(self, infer: object) -> Self:
        """Return the plan with a checked ``infer``.

        Raises:
            ValueError: neither of its values.
        """
        if infer not in ("all", "first"):
            raise ValueError(f"infer must be 'all' or 'first', not {shown(infer)}")
        return replace(self, infer="all" if infer == "all" else "first")

    def with_schema(self, schema: FrameSchema) -> Self:
        """Return the plan with the dtypes of a call, which replace those of the scan."""
        types = {**self.schema.types, **schema.types}
        return replace(self, schema=FrameSchema(types, schema.run or self.schema.run))

    def targeting(self, target: pa.Schema) -> Self:
        """Return the plan of a stream for a consumer that asks for a schema.

        Raises:
            ValueError: it names a column twice, or one that the stream does not have.
        """
        names = target.names
        if len({*names}) < len(names):
            raise ValueError("the requested schema names a column twice")
        columns = {*self.leading, *self.requested, *self.schema.types}
        if not self.has_any_column:
            refuse_other_columns(names, columns)
        asked = {name: AskedType.checked(name, kind) for name, kind in plain_types(target).items()}
        return replace(self.with_schema(FrameSchema(asked)), target=target)


def plain_types(target: pa.Schema) -> dict[str, pa.DataType]:
    """Return the columns of a schema that a caller could ask for by ``schema``: of booleans, numbers and strings."""
    columns = zip(target.names, target.types, strict=True)
    return {name: kind for name, kind in columns if _PLAIN.fullmatch(str(kind))}


def refuse_other_columns(asked: Sequence[str], found: set[str]) -> None:
    """Refuse a requested schema with other columns than the stream has.

    Raises:
        ValueError: a column is missing in one of them.
    """
    if {*asked} != found:
        raise ValueError(
            f"the requested schema has the columns {', '.join(map(repr, asked))}, and the stream has "
            f"{', '.join(map(repr, sorted(found)))}: request these, and choose columns by keys"
        )
