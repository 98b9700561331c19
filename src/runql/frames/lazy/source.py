"""Makes lazy frames of polars from a source of frames."""

from __future__ import annotations

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from runql.errors import UnshareableError
from runql.frames.asked_types import AskedType
from runql.frames.to_polars import asked_dtype

if TYPE_CHECKING:
    import polars as pl

logger: Final = logging.getLogger("runql.lazy")


class LazySource(ABC):
    """What polars calls for the rows of a lazy frame."""

    def __init__(self, schema: Mapping[str, pl.DataType], detail: str) -> None:
        self.schema: Mapping[str, pl.DataType] = schema
        self.detail: str = detail

    def __call__(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,  # noqa: ARG002 - rows come in the portions of the responses
    ) -> Iterator[pl.DataFrame]:
        """Yield frames of the columns: of the first ``n_rows`` rows, those for which the predicate is true.

        Some engines of polars neither filter nor count again. polars gives both for ``head(n).filter(...)`` alone, where
        rows count before they are chosen: nothing is pushed down then but the number of rows.
        """
        columns = [*self.schema] if with_columns is None else with_columns
        left = n_rows
        for frame in self.frames(columns, predicate if n_rows is None else None, n_rows):
            chosen = frame.select(columns)
            if left is not None:
                chosen = chosen.head(left)
                left -= chosen.height
            yield chosen if predicate is None else chosen.filter(predicate)
            if left is not None and left <= 0:
                return

    @abstractmethod
    def frames(
        self, columns: list[str], predicate: pl.Expr | None, n_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        """Yield frames that have all rows for which the predicate is true, and at least these columns."""

    def note(self, **pushed: object) -> None:
        """Log what requests will read less, because of the query."""
        if logger.isEnabledFor(logging.DEBUG):
            parts = [f"{name}={value!r}" for name, value in pushed.items() if value is not None]
            logger.debug("%s: reads %s", self.detail, ", ".join(parts) or "everything")

    def __reduce__(self) -> NoReturn:
        raise UnshareableError(
            "a lazy frame of runql holds an open client and is not sent to other processes: "
            "make it there, or collect it here"
        )

    def lazy(self) -> pl.LazyFrame:
        """Return the lazy frame."""
        from polars.io.plugins import register_io_source  # noqa: PLC0415 - optional: only this call needs it

        # Older releases of polars show no name.
        named = "explain_name" in inspect.signature(register_io_source).parameters
        if named:
            return register_io_source(
                self, schema=dict(self.schema), explain_name="runql", explain_detail=self.detail
            )
        return register_io_source(self, schema=dict(self.schema))


def polars_types(types: Mapping[str, AskedType]) -> dict[str, pl.DataType]:
    """Return the dtypes of polars for those that were asked for."""
    return {name: asked_dtype(asked) for name, asked in types.items()}
