"""Record batches of scans for loops, and for consumers of the Arrow C stream interface."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from runql.quick_dataclasses import dataclass
from runql.resources.history.arrow.batches import ArrowCursor, BatchSource
from runql.transport.files.bodies import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from runql.frames.streams.plan import StreamPlan
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient

Reporting = Callable[[], AbstractContextManager[Progress | None]]


def _silent() -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """Who is called with the progress of a stream.

    Attributes:
        whole: around the reading of all rows, before the first batch.
        loop: around the loop of the caller.
    """

    whole: Reporting = _silent
    loop: Reporting = _silent


SILENT: Final = StreamProgress()


class SharedStreams:
    """Makes the streams of one scan.

    Consumers such as duckdb ask for several streams, of which they use the last one, and the others for their schema.
    What was read for the schema serves all of them, until the first batch is taken.

    Attributes:
        error: what ended the latest stream, whose consumer may get its message alone; None where nothing did.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        self._unused: tuple[pa.Schema | None, BatchSource] | None = None

    def capsule(
        self,
        client: RetryingClient,
        requested: object,
        make: Callable[[pa.Schema | None], BatchSource],
        progress: StreamProgress,
    ) -> object:
        """Return the capsule of a stream; ``make`` returns batches of a schema that the consumer asks for.

        Raises:
            ValueError: the requested schema has other columns.
        """
        target = None if requested is None else _schema_of(requested)
        with self._lock:
            batches = self._prepared(target) or make(target)
            reader = self._reader(client, batches, progress, lambda: self._used(batches))
            self._unused = target, batches
        return capsule_of(reader)

    def reader(
        self, client: RetryingClient, batches: BatchSource, progress: StreamProgress
    ) -> pa.RecordBatchReader:
        """Return a reader of all batches."""
        return self._reader(client, batches, progress, _do_nothing)

    def _reader(
        self,
        client: RetryingClient,
        batches: BatchSource,
        progress: StreamProgress,
        begin: Callable[[], None],
    ) -> pa.RecordBatchReader:
        import pyarrow as pa  # noqa: PLC0415 - optional: the callers require it

        self.error = None
        try:
            with progress.whole() as report:
                schema = client.run(batches.prepare(report))
        except BaseException as error:
            self.error = error
            raise
        return pa.RecordBatchReader.from_batches(schema, self._watched(client, batches, progress, begin))

    def _watched(
        self,
        client: RetryingClient,
        batches: BatchSource,
        progress: StreamProgress,
        begin: Callable[[], None],
    ) -> Iterator[pa.RecordBatch]:
        begin()
        try:
            with progress.loop() as report:
                yield from _run(client, batches.stream(report))
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise

    def _prepared(self, target: pa.Schema | None) -> BatchSource | None:
        if self._unused is None:
            return None
        found, batches = self._unused
        is_same = found is target is None or (
            found is not None and target is not None and found.equals(target)
        )
        return batches if is_same else None

    def _used(self, batches: BatchSource) -> None:
        with self._lock:
            if self._unused is not None and self._unused[1] is batches:
                self._unused = None


def record_batches(
    client: RetryingClient, batches: BatchSource, progress: StreamProgress
) -> Iterator[pa.RecordBatch]:
    """Return batch after batch; the first step reads what their types follow from."""
    with progress.whole() as report:
        client.run(batches.prepare(report))
    with progress.loop() as report:
        yield from _run(client, batches.stream(report))


async def record_batches_async(
    client: AsyncRetryingClient, batches: BatchSource, progress: StreamProgress
) -> AsyncIterator[pa.RecordBatch]:
    """As `record_batches`."""
    with progress.whole() as report:
        await client.run(batches.prepare(report))
    with progress.loop() as report:
        cursor = batches.stream(report)
        while (found := await client.run(cursor.next_batches())) is not None:
            for batch in found:
                yield batch
            del found


def _run(client: RetryingClient, cursor: ArrowCursor) -> Iterator[pa.RecordBatch]:
    while (found := client.run(cursor.next_batches())) is not None:
        yield from found
        # Release these rows before the next arrive.
        del found


class _Exportable(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


def capsule_of(data: _Exportable) -> object:
    """Return the capsule of a reader or table of pyarrow, whose stubs have no types for it."""
    return data.__arrow_c_stream__()


def _do_nothing() -> None:
    pass


class _Requested:
    """A schema that a consumer passes as a capsule."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_schema__(self) -> object:
        return self._capsule


def _schema_of(capsule: object) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.schema(_Requested(capsule))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the stubs lack it


def targeted(plan: StreamPlan, target: pa.Schema | None) -> StreamPlan:
    """Return the plan of a stream of the schema that its consumer asks for; None for that of the rows."""
    return plan if target is None else plan.targeting(target)
