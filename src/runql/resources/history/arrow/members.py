"""The members of scans that pass on their rows as Arrow record batches, for both clients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from runql.frames.extras import require
from runql.postponed import postponed

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pyarrow_types as pa
    from runql.frames.streams.plan import Infer, StreamPlan
    from runql.resources.history.arrow.batches import ArrowBatches, Portions
    from runql.resources.history.arrow.streams import SharedStreams, StreamProgress
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.files.bodies import Progress
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient Infer RetryingClient Schema pa"))


class ArrowScan:
    """A scan that pyarrow, polars, pandas, duckdb and other consumers of Arrow streams take as it is."""

    _client: RetryingClient

    @abstractmethod
    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        """Check the schema of a call, and return the columns."""

    @abstractmethod
    def _portions(self, report: Progress | None) -> Portions:
        """Return the rows from the first one."""

    def _stream_progress(self) -> StreamProgress:
        from runql.resources.history.arrow.streams import SILENT  # noqa: PLC0415 - only Arrow streams need it

        return SILENT

    def _streams(self) -> SharedStreams:
        from runql.resources.history.arrow.streams import SharedStreams  # noqa: PLC0415 - as above

        # One step, also where two threads come first.
        streams: SharedStreams = vars(self).setdefault("_shared_streams", SharedStreams())
        return streams

    @property
    def stream_error(self) -> BaseException | None:
        """What ended the latest Arrow stream of this scan; None where it did not fail.

        The C stream interface passes on a message alone, so duckdb and polars raise errors of their own for what happened
        while they pulled batches, also for `KeyboardInterrupt`::

            try:
                duckdb.sql("SELECT avg(loss) FROM scan")
            except duckdb.Error:
                raise scan.stream_error or RuntimeError("the query itself is wrong")
        """
        return self._streams().error

    def iter_batches(self, *, schema: Schema | None = None, infer: Infer = "all") -> Iterator[pa.RecordBatch]:
        """Iterate over pyarrow record batches that all have one schema, that of `to_arrow` or ``collect``.

        With keys and a ``schema`` that names them all, batches are passed on as rows arrive. Else the types follow from
        all rows: these are read first, and beyond a million cells are kept in a temporary folder until the end of the
        iteration.

        Args:
            schema: column to dtype; each is a column of exactly this dtype, also where no row has it.
            infer: ``first`` takes the other types from the first rows, and passes on rows as they arrive.

        Raises:
            FrameValueError: a value does not fit the schema, or with ``first`` a later row needs another type or column.
            LocalFileError: the temporary folder cannot be written.
            MissingExtraError: pyarrow is not installed; raised before anything is sent.
            TypeError, ValueError: no dtype, or no column of this frame; raised before anything is sent.

        Requests: those of an iteration over the scan, sent as batches are taken, or all of them for the first batch.
        """
        from runql.resources.history.arrow.streams import record_batches  # noqa: PLC0415 - as above

        batches = _batches(self, self._stream_plan(schema).inferring(infer), "iter_batches")
        return record_batches(self._client, batches, self._stream_progress())

    def to_arrow_reader(self, *, schema: Schema | None = None, infer: Infer = "all") -> pa.RecordBatchReader:
        """Return the batches of `iter_batches` as a pyarrow reader, which can be read once.

        It reads in the thread that pulls from it. Errors that pyarrow itself reports keep their class; for other
        consumers see `stream_error`.

        Args:
            schema: as in `iter_batches`.
            infer: as in `iter_batches`.

        Raises:
            RunqlError: as `iter_batches`; without a complete ``schema`` those of reading all rows, at once.

        Requests: as `iter_batches`. With ``infer="all"`` and types that follow from rows, all are sent here.
        """
        batches = _batches(self, self._stream_plan(schema).inferring(infer), "to_arrow_reader")
        return self._streams().reader(self._client, batches, self._stream_progress())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return an Arrow C stream of all rows, of the types that `iter_batches` has without arguments.

        So consumers take the scan itself: ``pl.DataFrame(scan)``, ``pa.table(scan)``, ``duckdb.sql("FROM scan")``. Each
        consumer reads the rows again. A schema that a consumer requests must have the columns of the scan. Where it
        names the type of each key, rows are passed on as they arrive.

        Raises:
            ValueError: the requested schema has other columns.
            RunqlError: as `to_arrow_reader`. While a consumer pulls batches, see `stream_error`.
        """
        from runql.resources.history.arrow.streams import targeted  # noqa: PLC0415 - as above

        plan = self._stream_plan(None)
        require("pyarrow", needed_for=f"an Arrow stream of {type(self).__name__}")
        return self._streams().capsule(
            self._client,
            requested_schema,
            lambda target: _batches(self, targeted(plan, target), "__arrow_c_stream__"),
            self._stream_progress(),
        )


class AsyncArrowScan:
    """The async twin of `ArrowScan`: ``async for batch in scan.iter_batches()``.

    It is no Arrow stream, because consumers pull from one without awaiting: ``await scan.to_arrow()`` or ``collect`` gives
    them a table.
    """

    _client: AsyncRetryingClient

    @abstractmethod
    def _stream_plan(self, schema: Schema | None) -> StreamPlan:
        """As `ArrowScan._stream_plan`."""

    @abstractmethod
    def _portions(self, report: Progress | None) -> Portions:
        """As `ArrowScan._portions`."""

    def _stream_progress(self) -> StreamProgress:
        from runql.resources.history.arrow.streams import SILENT  # noqa: PLC0415 - as above

        return SILENT

    def iter_batches(
        self, *, schema: Schema | None = None, infer: Infer = "all"
    ) -> AsyncIterator[pa.RecordBatch]:
        """Iterate over pyarrow record batches that all have one schema, that of `to_arrow` or ``collect``.

        See `ArrowScan.iter_batches` for its requests and errors.
        """
        from runql.resources.history.arrow.streams import record_batches_async  # noqa: PLC0415 - as above

        batches = _batches(self, self._stream_plan(schema).inferring(infer), "iter_batches")
        return record_batches_async(self._client, batches, self._stream_progress())


def _batches(scan: ArrowScan | AsyncArrowScan, plan: StreamPlan, method: str) -> ArrowBatches:
    from runql.resources.history.arrow.batches import ArrowBatches  # noqa: PLC0415 - as above

    require("pyarrow", needed_for=f"{type(scan).__name__}.{method}")
    return ArrowBatches(plan, scan._portions)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of both classes here
