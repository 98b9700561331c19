"""The members of lists of runs that return one row for each run, for both clients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from runql.bars import reported
from runql.postponed import postponed
from runql.resources.runs.editing import EditableRun
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pandas_types as pd
    from runql.frames.library_types import polars_types as pl
    from runql.frames.library_types import pyarrow_types as pa
    from runql.frames.table import Table
    from runql.resources.runs.frames.run_batches import ReadRuns, RunBatches
    from runql.resources.runs.frames.run_columns import RunColumns
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(postponed("AsyncRetryingClient Schema pa pd pl"))


class RunFrames:
    """What makes a frame of a list of runs."""

    _client: RetryingClient

    @abstractmethod
    def _read_all(self, *, full: bool, report: Progress | None) -> Flow[Sequence[EditableRun]]:
        """Read all pages, and return all runs; with ``full`` in the full shape."""

    @abstractmethod
    def _read_page(self, start: int, *, full: bool) -> Flow[Sequence[EditableRun]]:
        """Return as many runs as a page has, from this place on; with ``full`` in the full shape."""

    def to_polars(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pl.DataFrame:
        """Return a polars frame of one row a run, in list order.

        Columns without ``columns``: id, name, state, created_at, heartbeat_at, user (the username), group, job_type, tags,
        notes, sweep_name, commit, history_line_count and url, of fixed types also without a run; then ``config.<key>`` and
        ``summary.<key>`` for each key of any run, by name. Types are those of frames of histories: the one that holds
        every value, of JSON strings where values are mixed. Times are ISO 8601 strings. See `runql.frames.to_polars`.

        Requests: one a page that was not read before. A list with ``lazy=True`` stays so, unless a column needs config or
        summary; then it is upgraded, see `Runs.upgrade_to_full`.

        Args:
            columns: these columns in this order. ``config.a.b`` is the key ``a.b``, or ``b`` in the object ``a``; without
                a value in any run it is float, or what ``schema`` says. ``config.*`` stands for the other keys.
            schema: column to dtype; each is a column of exactly this dtype, also where no run has it.
            progress: called with the runs that were read and their total. True draws a bar, False none; by default one
                comes by itself, see `runql.progress_bar`.

        Raises:
            ValueError: an unknown column, one twice, or one in ``schema`` that the frame does not have.
            TypeError: ``columns`` is no list of str, ``schema`` no mapping of names to dtypes.
            MissingExtraError: polars is not installed; raised before anything is sent, as the two above.
            FrameValueError: a value does not fit the schema.
            UnreadableValueError: a config or a summary cannot be decoded.
        """
        from runql.frames.extras import require
        from runql.frames.to_polars import to_polars

        require("polars", needed_for="Runs.to_polars")
        with reported(progress, "runs", "runs") as report:
            table = self._client.run(_table(self._read_all, columns, schema, report))
        return to_polars(table)

    def to_pandas(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pd.DataFrame:
        """Return a pandas frame of one row a run, in list order.

        See `Runs.to_polars` for columns, requests and errors, `runql.frames.to_pandas` for dtypes.
        """
        from runql.frames.extras import require
        from runql.frames.to_pandas import to_pandas

        require("pandas", needed_for="Runs.to_pandas")
        with reported(progress, "runs", "runs") as report:
            table = self._client.run(_table(self._read_all, columns, schema, report))
        return to_pandas(table)

    def to_arrow(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pa.Table:
        """Return an Arrow table of one row a run, in list order.

        See `Runs.to_polars` for columns, requests and errors, `runql.frames.to_arrow` for dtypes.
        """
        from runql.frames.extras import require
        from runql.frames.to_arrow import to_arrow

        require("pyarrow", needed_for="Runs.to_arrow")
        with reported(progress, "runs", "runs") as report:
            table = self._client.run(_table(self._read_all, columns, schema, report))
        return to_arrow(table)

    def iter_batches(
        self, *, columns: Sequence[str] | None = None, schema: Schema | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Iterate over pyarrow record batches of one row a run, which all have one schema, that of `to_arrow`.

        Where ``columns`` are fixed ones, or ``schema`` has their types, a page is read when its batch is taken. Else the
        types follow from all runs, which are read for the first batch. See `Runs.to_polars` for columns and errors.
        """
        from runql.resources.history.arrow.streams import SILENT, record_batches

        return record_batches(self._client, _batches(self, columns, schema, "iter_batches"), SILENT)

    def to_arrow_reader(
        self, *, columns: Sequence[str] | None = None, schema: Schema | None = None
    ) -> pa.RecordBatchReader:
        """Return the batches of `iter_batches` as a pyarrow reader, which can be read once.

        Errors that pyarrow itself reports keep their class. duckdb and polars pass on the message of an error alone.
        """
        from runql.resources.history.arrow.streams import SILENT, SharedStreams

        batches = _batches(self, columns, schema, "to_arrow_reader")
        return SharedStreams().reader(self._client, batches, SILENT)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return an Arrow C stream of one row a run, with all columns of `to_arrow`.

        So consumers take the list itself: ``pa.table(runs)``, ``duckdb.sql("FROM runs")``. polars takes any sequence item
        by item, so give it `to_arrow_reader`, or use `to_polars`. All runs are read before the consumer gets its first row,
        so errors keep their class. A schema that it requests must have the same columns.

        Raises:
            ValueError: the requested schema has other columns.
            RunqlError: as `to_arrow`.
        """
        from runql.resources.runs.frames.run_batches import run_stream

        return run_stream(self._client, self, requested_schema)


class AsyncRunFrames:
    """The async twin of `RunFrames`."""

    _client: AsyncRetryingClient

    @abstractmethod
    def _read_all(self, *, full: bool, report: Progress | None) -> Flow[Sequence[EditableRun]]:
        """Read all pages, and return all runs; with ``full`` in the full shape."""

    @abstractmethod
    def _read_page(self, start: int, *, full: bool) -> Flow[Sequence[EditableRun]]:
        """Return as many runs as a page has, from this place on; with ``full`` in the full shape."""

    async def to_polars(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pl.DataFrame:
        """Return a polars frame of one row a run, in list order.

        See `RunFrames.to_polars` for its requests and errors.
        """
        from runql.frames.extras import require
        from runql.frames.to_polars import to_polars

        require("polars", needed_for="Runs.to_polars")
        with reported(progress, "runs", "runs") as report:
            table = await self._client.run(_table(self._read_all, columns, schema, report))
        return to_polars(table)

    async def to_pandas(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pd.DataFrame:
        """Return a pandas frame of one row a run, in list order.

        See `RunFrames.to_pandas` for its requests and errors.
        """
        from runql.frames.extras import require
        from runql.frames.to_pandas import to_pandas

        require("pandas", needed_for="Runs.to_pandas")
        with reported(progress, "runs", "runs") as report:
            table = await self._client.run(_table(self._read_all, columns, schema, report))
        return to_pandas(table)

    async def to_arrow(
        self,
        *,
        columns: Sequence[str] | None = None,
        schema: Schema | None = None,
        progress: Progress | bool | None = None,
    ) -> pa.Table:
        """Return an Arrow table of one row a run, in list order.

        See `RunFrames.to_arrow` for its requests and errors.
        """
        from runql.frames.extras import require
        from runql.frames.to_arrow import to_arrow

        require("pyarrow", needed_for="Runs.to_arrow")
        with reported(progress, "runs", "runs") as report:
            table = await self._client.run(_table(self._read_all, columns, schema, report))
        return to_arrow(table)

    def iter_batches(
        self, *, columns: Sequence[str] | None = None, schema: Schema | None = None
    ) -> AsyncIterator[pa.RecordBatch]:
        """Iterate over pyarrow record batches of one row a run, which all have one schema, that of `to_arrow`.

        See `RunFrames.iter_batches` for its requests and errors.
        """
        from runql.resources.history.arrow.streams import SILENT, record_batches_async

        return record_batches_async(self._client, _batches(self, columns, schema, "iter_batches"), SILENT)


class ReadAll(Protocol):
    """`RunFrames._read_all`."""

    def __call__(self, *, full: bool, report: Progress | None) -> Flow[Sequence[EditableRun]]: ...


def _table(
    read: ReadAll, columns: Sequence[str] | None, schema: Schema | None, report: Progress | None
) -> Flow[Table]:
    """Check the arguments, and return the flow that reads the table."""
    from runql.resources.runs.frames.run_columns import RunColumns

    return _read_table(read, RunColumns.checked(columns, schema), report)


def _read_table(read: ReadAll, columns: RunColumns, report: Progress | None) -> Flow[Table]:
    runs = yield from read(full=columns.needs_full, report=report)
    return columns.table(runs)


def _batches(runs: ReadRuns, columns: Sequence[str] | None, schema: Schema | None, method: str) -> RunBatches:
    from runql.frames.extras import require
    from runql.resources.runs.frames.run_batches import RunBatches
    from runql.resources.runs.frames.run_columns import RunColumns

    require("pyarrow", needed_for=f"Runs.{method}")
    return RunBatches(runs, RunColumns.checked(columns, schema))
