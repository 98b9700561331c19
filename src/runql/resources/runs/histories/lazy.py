"""The lazy frame of the histories of many runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runql.frames.asked_types import AskedType, FrameSchema, Schema
from runql.frames.batches import RUN_ID, STEP, TIMES
from runql.frames.lazy.predicates import chosen_strings, comparisons
from runql.frames.lazy.source import LazySource, polars_types
from runql.frames.to_polars import to_polars
from runql.resources.history.lazy.frame import row_types
from runql.resources.history.lazy.logged_types import LoggedTypes
from runql.resources.history.lazy.rows import Portions, narrowed, rows_frame
from runql.resources.runs.frames.lazy import read_runs, run_types, some_columns, typed_columns
from runql.resources.runs.frames.lazy_filters import both, run_filter
from runql.resources.runs.frames.run_columns import RunColumns
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.parts.counts import note_metrics
from runql.resources.runs.query import RunQuery
from runql.transport.sync import RetryingClient
from runql.values import as_json

if TYPE_CHECKING:
    import polars as pl

    from runql_graphql.fragments import WholeHistory

LEADING: Final = (RUN_ID, STEP)


class LazyHistories(LazySource):
    """Reads the rows of many runs for polars."""

    def __init__(
        self,
        client: RetryingClient,
        plan: HistoriesPlan,
        types: Mapping[str, AskedType],
        logged: LoggedTypes,
        run_columns: RunColumns | None,
        stream: Callable[[HistoriesPlan], Portions],
    ) -> None:
        run_dtypes = {} if run_columns is None else run_types(run_columns)
        super().__init__(polars_types(types) | run_dtypes, plan.words())
        self._client = client
        self._stream = stream
        self._plan = plan
        self._types = types
        self._logged = logged
        self._run_columns = run_columns
        self._run_names = () if run_columns is None else run_columns.names

    def frames(
        self, columns: list[str], predicate: pl.Expr | None, n_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        """See `LazySource.frames`."""
        metrics = [name for name in columns if name not in LEADING and name not in self._run_names]
        scan = narrowed(self._plan.scan, metrics, predicate, self._types, self._logged)
        runs = self._chosen_runs(predicate)
        if scan is None or runs == []:
            self.note(rows=0)
            return
        known = self.schema if scan.keys is None and len(columns) == len(self.schema) else None
        query = among(self._plan.query, runs)
        joined = self._joined(columns, query, predicate)
        if joined is not None:
            query = joined.query
            if not joined.height:
                self.note(rows=0)
                return
        self.note(**scan.options, filters=query.filters, rows=n_rows)
        are_numbers = scan.keys is not None and self._logged.are_numbers(metrics)
        heights = self._plan.heights if are_numbers else ()
        stream = self._stream(HistoriesPlan(query, scan, heights, are_numbers))
        while (batches := self._client.run(stream.next_batches())) is not None:
            frame = rows_frame([*batches], LEADING, metrics, self._types, known=known)
            yield frame if joined is None else joined.join(frame)

    def _joined(
        self, columns: Sequence[str], query: RunQuery, predicate: pl.Expr | None
    ) -> _RunsBeside | None:
        chosen = [name for name in columns if name in self._run_names]
        if self._run_columns is None or not chosen:
            return None
        found = [each for each in comparisons(predicate) if each.column in self._run_names]
        types = self._run_columns.schema.types
        # Of a part of a split, every run is asked for by its id, so that one that was deleted is noticed.
        more = run_filter(found, types) if query.limit is None and query.ids is None else None
        filtered = replace(query, filters=json.dumps(both(json.loads(query.filters), more)))
        return _RunsBeside(self._client, filtered, some_columns(self._run_columns, chosen))

    def _chosen_runs(self, predicate: pl.Expr | None) -> list[str] | None:
        if self._plan.query.limit is not None or self._types[RUN_ID] != AskedType("String"):
            # The limit counts runs that the query does not choose.
            return None
        return chosen_strings(comparisons(predicate), RUN_ID)


class _RunsBeside:
    """The columns of runs, for the rows of their histories."""

    def __init__(self, client: RetryingClient, query: RunQuery, columns: RunColumns) -> None:
        self.query = query
        self._client = client
        self._wanted = columns.names
        self._columns = RunColumns(list(dict.fromkeys(("id", *columns.names))), columns.schema)
        self._frame = self._read(query)

    @property
    def height(self) -> int:
        """Runs that were listed."""
        return self._frame.height

    def join(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the columns of their runs."""
        listed = {*self._frame[RUN_ID]}
        late = [name for name in rows[RUN_ID].unique(maintain_order=True) if name not in listed]
        if late:
            # A run that was created, or began to match, after the list was read.
            self._frame = self._frame.vstack(self._read(among(replace(self.query, limit=None), late)))
        return rows.join(self._frame, on=RUN_ID, how="inner", maintain_order="left")

    def _read(self, query: RunQuery) -> pl.DataFrame:
        frame = to_polars(
            self._columns.table(self._client.run(read_runs(self._client, query, self._columns)))
        )
        return frame.select(frame["id"].alias(RUN_ID), *(frame[name] for name in self._wanted))


def among(query: RunQuery, runs: Sequence[str] | None) -> RunQuery:
    """Return the query for those of its runs that have one of these ids; None for all."""
    if runs is None:
        return query
    if query.ids is not None:
        return query.only([name for name in query.ids if name in runs])
    chosen = {"name": {"$in": [*runs]}}
    before = json.loads(query.filters)
    return replace(query, filters=json.dumps({"$and": [before, chosen]} if before else chosen))


def lazy_histories(
    client: RetryingClient,
    plan: HistoriesPlan,
    schema: FrameSchema,
    run_columns: Sequence[str],
    run_schema: Schema | None,
    stream: Callable[[HistoriesPlan], Portions],
) -> pl.LazyFrame:
    """Return the lazy frame of a scan; sends the requests of `note_metrics`, unless the schema has every key."""
    runs = (
        typed_columns([*run_columns, *(run_schema or ())], run_schema) if run_columns or run_schema else None
    )
    logged, keys, heights = LoggedTypes(), plan.scan.keys, list[int]()
    if keys is None or not {*keys} <= {*schema.types, STEP, *TIMES}:

        def note(run: WholeHistory) -> None:
            logged.add(run.history_line_count, as_json(run.history_keys), keys)
            heights.append(run.history_line_count or 0)

        client.run(note_metrics(plan.query, note))
    types = row_types(logged, plan.scan, schema, LEADING)
    hidden = () if runs is None else runs.names
    types = {name: asked for name, asked in types.items() if name not in hidden}
    plan = replace(plan, heights=plan.heights or tuple(heights))
    return LazyHistories(client, plan, types, logged, runs, stream).lazy()
