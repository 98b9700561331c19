"""What a signature names where a library, or its stubs, is not installed."""

from __future__ import annotations

from typing import Any

__all__ = ["ConsoleRenderable", "DataFrame", "LazyFrame", "RecordBatch", "RecordBatchReader", "Table"]


class ConsoleRenderable:
    """What rich renders, where the type checker does not find rich: it has any attribute."""

    # Any: as for `DataFrame`.
    def __getattr__(self, name: str) -> Any: ...


class DataFrame:
    """A frame of a library that the type checker does not find: it has any attribute."""

    # Any: pandas without stubs has these attributes, but mypy cannot see them.
    def __getattr__(self, name: str) -> Any: ...


class Table:
    """A table of pyarrow where the type checker does not find pyarrow: it has any attribute."""

    # Any: as for `DataFrame`.
    def __getattr__(self, name: str) -> Any: ...


class RecordBatch(Table):
    """A record batch of pyarrow, as `Table`."""


class RecordBatchReader(Table):
    """A reader of pyarrow, as `Table`."""


class LazyFrame:
    """A lazy frame of polars where the type checker does not find polars: it has any attribute."""

    # Any: as for `DataFrame`.
    def __getattr__(self, name: str) -> Any: ...
