"""The lazy frame of a list of runs, and columns of runs for other lazy frames."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runql.frames.asked_types import AskedType, Schema
from runql.frames.dtypes import ListType, ScalarType
from runql.frames.lazy.predicates import comparisons
from runql.frames.lazy.source import LazySource, polars_types
from runql.frames.to_polars import to_polars
from runql.resources.pages.listing import Listing, Page
from runql.resources.runs.frames.lazy_filters import both, run_filter
from runql.resources.runs.frames.run_columns import FIELDS, RunColumns
from runql.resources.runs.query import RunQuery, list_full_page, list_light_page
from runql.resources.runs.run import Run
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    import polars as pl


class LazyRuns(LazySource):
    """Reads one row for each run for polars."""

    def __init__(self, client: RetryingClient, query: RunQuery, columns: RunColumns) -> None:
        super().__init__(run_types(columns), query.words())
        self._client = client
        self._query = query
        self._columns = columns

    def frames(
        self, columns: list[str], predicate: pl.Expr | None, n_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        """See `LazySource.frames`."""
        # The limit counts runs that the query does not choose. Of a part of a split, every run is asked for by its id.
        more = (
            run_filter(comparisons(predicate), self._columns.schema.types)
            if self._query.limit is None and self._query.ids is None
            else None
        )
        chosen = some_columns(self._columns, columns or ["id"])
        self.note(columns=list(chosen.names), filters=more, rows=n_rows)
        query = replace(self._query, filters=json.dumps(both(json.loads(self._query.filters), more)))
        listing = run_listing(self._client, query, chosen)
        start = 0
        while listing.more:
            self._client.run(
                listing.reach(start + 1 if n_rows is None else n_rows, exactly=n_rows is not None)
            )
            part = listing.items[start:]
            start += len(part)
            yield to_polars(chosen.table(part))


def lazy_runs(
    client: RetryingClient, query: RunQuery, columns: Sequence[str] | None, schema: Schema | None
) -> pl.LazyFrame:
    """Return the lazy frame of a list of runs.

    Raises:
        TypeError, ValueError: see `RunColumns.checked`, or a column of config or summary has no dtype.
    """
    if columns is None:
        return LazyRuns(client, query, typed_columns([*FIELDS, *(schema or ())], schema)).lazy()
    return LazyRuns(client, query, typed_columns(columns, schema)).lazy()


def typed_columns(names: Sequence[str], schema: Schema | None) -> RunColumns:
    """Check columns whose types are needed before the runs are read.

    Raises:
        TypeError, ValueError: see `RunColumns.checked`, or a column of config or summary has no dtype.
    """
    checked = RunColumns.checked(names if isinstance(names, str) else list(dict.fromkeys(names)), schema)
    untyped = [name for name in checked.names if name not in FIELDS and name not in checked.schema.types]
    if untyped:
        raise ValueError(
            f"schema has no dtype of {', '.join(map(repr, untyped))}: a lazy frame needs one for each column of config "
            "and summary, such as {'config.lr': float}"
        )
    return checked


def run_types(columns: RunColumns) -> dict[str, pl.DataType]:
    """Return the dtypes of the columns."""
    import polars as pl

    types = polars_types(columns.schema.types)
    for name in columns.names:
        dtype = FIELDS[name][0] if name in FIELDS else None
        if name not in types and dtype is not None:
            if isinstance(dtype, ListType):
                types[name] = pl.List(pl.String())
            else:
                types[name] = pl.Int64() if dtype is ScalarType.INT64 else pl.String()
    return {name: types[name] for name in columns.names}


def some_columns(columns: RunColumns, names: Collection[str]) -> RunColumns:
    """Return some of the columns, with their dtypes."""
    types: Mapping[str, AskedType] = {
        name: asked for name, asked in columns.schema.types.items() if name in names
    }
    return RunColumns(
        [name for name in columns.names if name in names] or ["id"], type(columns.schema)(types)
    )


def read_runs(client: RetryingClient, query: RunQuery, columns: RunColumns) -> Flow[list[Run]]:
    """Return all runs of a query, light where no column needs config or summary."""
    listing = run_listing(client, query, columns)
    yield from listing.reach(None)
    return listing.items


def run_listing(
    client: RetryingClient, query: RunQuery, columns: RunColumns
) -> Listing[RunFields | FullRunFields, Run]:
    """Return the list of the runs of a query, light where no column needs config or summary."""

    def read(size: int, after: str | None) -> Flow[Page[RunFields | FullRunFields]]:
        read_page = list_full_page if columns.needs_full else list_light_page
        page = yield from read_page(query.sized(size), after)
        return Page([*page.nodes], page.after, page.cursor, page.more, page.total)

    def convert(page: Page[RunFields | FullRunFields]) -> list[Run]:
        return [
            Run.listed(client, query.entity, query.project, fields, None, include_sweeps=False)
            for fields in page.nodes
        ]

    return Listing(read, convert, lambda run: run.storage_id, per_page=query.per_page, limit=query.limit)
