"""The rows of a list of runs as record batches of one schema: page by page where all types are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from runql.frames.extras import require
from runql.frames.streams.batch_maker import cast_to, refuse_target
from runql.frames.streams.plan import plain_types
from runql.frames.to_arrow import to_arrow
from runql.resources.history.arrow.batches import ArrowCursor
from runql.resources.history.arrow.streams import SILENT, SharedStreams
from runql.resources.runs.editing import EditableRun
from runql.resources.runs.frames.run_columns import FIELDS, PARTS, RunColumns
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    import pyarrow as pa


class ReadRuns(Protocol):
    """Reads the runs of a list."""

    def _read_all(self, *, full: bool, report: Progress | None) -> Flow[Sequence[EditableRun]]:
        """Return all runs."""
        ...

    def _read_page(self, start: int, *, full: bool) -> Flow[Sequence[EditableRun]]:
        """Return as many runs as a page has, from this place on."""
        ...


class RunBatches:
    """One row for each run."""

    def __init__(self, runs: ReadRuns, columns: RunColumns, target: pa.Schema | None = None) -> None:
        self._runs = runs
        self._columns = columns
        self._target = target
        self._schema: pa.Schema | None = None
        self._whole: pa.Table | None = None

    def prepare(self, report: Progress | None = None) -> Flow[pa.Schema]:
        """Read what the types follow from, and return the schema; a second call reads nothing.

        Raises:
            FrameValueError: a value does not fit the schema.
            ValueError: the consumer asked for other columns than there are.
        """
        if self._schema is None:
            table = to_arrow(self._columns.table([]))
            if not self._columns.is_known:
                runs = yield from self._runs._read_all(full=self._columns.needs_full, report=report)  # pyright: ignore[reportPrivateUsage] - of the classes that make batches
                table = to_arrow(self._columns.table(runs))
            if self._target is not None:
                refuse_target(table.schema, self._target)
                table = cast_to(table, self._target)
            self._schema = table.schema
            self._whole = None if self._columns.is_known else table
        return self._schema

    def stream(self, report: Progress | None = None) -> ArrowCursor:  # noqa: ARG002 - the whole list was reported
        """Return the batches from the first one, after `prepare`."""
        return _WholeCursor(self._whole) if self._whole is not None else _PageCursor(self)

    def page(self, start: int) -> Flow[pa.Table]:
        """Return the runs of a page; none behind the last one."""
        runs = yield from self._runs._read_page(start, full=self._columns.needs_full)  # pyright: ignore[reportPrivateUsage] - as above
        table = to_arrow(self._columns.table(runs))
        return table if self._target is None else cast_to(table, self._target)


class _WholeCursor:
    def __init__(self, table: pa.Table) -> None:
        self._table: pa.Table | None = table

    def next_batches(self) -> Flow[list[pa.RecordBatch] | None]:
        """Return all rows, then None."""
        yield from ()
        table, self._table = self._table, None
        return None if table is None else table.to_batches()


class _PageCursor:
    def __init__(self, batches: RunBatches) -> None:
        self._batches = batches
        self._start = 0

    def next_batches(self) -> Flow[list[pa.RecordBatch] | None]:
        """Return the rows of the next page; None behind the last one."""
        table = yield from self._batches.page(self._start)
        self._start += table.num_rows
        return table.to_batches() if table.num_rows else None


def run_stream(client: RetryingClient, runs: ReadRuns, requested: object) -> object:
    """Return the capsule of a stream of all runs.

    Raises:
        ValueError: the requested schema has other columns.
        MissingExtraError: pyarrow is not installed.
    """
    require("pyarrow", needed_for="an Arrow stream of Runs")

    def make(target: pa.Schema | None) -> RunBatches:
        asked = {} if target is None else plain_types(target)
        types = {name: kind for name, kind in asked.items() if name in FIELDS or name.startswith((*PARTS,))}
        return RunBatches(runs, RunColumns.checked(None, types), target)

    return SharedStreams().capsule(client, requested, make, SILENT)
