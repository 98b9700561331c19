"""The rows of a scan as record batches of one schema: what to read when, for both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

from runql.frames.batches import Batch
from runql.frames.stored_batch import StoredBatch, columns_of
from runql.frames.streams.batch_maker import BatchMaker
from runql.frames.streams.plan import StreamPlan
from runql.frames.streams.row_spool import RowSpool
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, offload

if TYPE_CHECKING:
    import pyarrow as pa


class Portions(Protocol):
    """The rows of a scan in portions."""

    def next_batches(self) -> Flow[Iterable[Batch] | None]:
        """Return the next rows, perhaps none of them; None at the end."""
        ...


OpenPortions = Callable[[Progress | None], Portions]


class BatchSource(Protocol):
    """Record batches of one schema."""

    def prepare(self, report: Progress | None = None) -> Flow[pa.Schema]:
        """Read what the types follow from, and return the schema; a second call reads nothing."""
        ...

    def stream(self, report: Progress | None = None) -> ArrowCursor:
        """Return the batches from the first one, after `prepare`."""
        ...


class ArrowBatches:
    """Record batches of one schema.

    Where the plan knows all types, rows are passed on as they arrive. Where types follow from the first rows, a later
    value that needs another type is an error. Else all rows are read first, and kept in a `RowSpool`.
    """

    def __init__(self, plan: StreamPlan, portions: OpenPortions) -> None:
        self._plan = plan
        self._open = portions
        self._maker: BatchMaker | None = None
        self._spool: RowSpool | None = None
        # The portions of which the first rows were read for their types, and these rows.
        self._begun: tuple[Portions, list[Batch]] | None = None

    def prepare(self, report: Progress | None = None) -> Flow[pa.Schema]:
        """Read what the types follow from, and return the schema; a second call reads nothing."""
        if self._maker is None:
            unified = self._plan.new_columns()
            if not self._plan.is_known and self._plan.infer == "all":
                self._spool = yield from _fill(RowSpool(unified), self._open(report))
            elif not self._plan.is_known:
                portions = self._open(report)
                first = yield from _first_rows(portions)
                for batch in first:
                    unified.see(columns_of(batch))
                self._begun = portions, first
            self._maker = BatchMaker(self._plan, unified)
        return self._maker.schema

    def stream(self, report: Progress | None = None) -> ArrowCursor:
        """Return the batches from the first one, after `prepare`; of types that the first rows gave, only once."""
        if self._maker is None:
            raise RuntimeError("the types of a stream are not known yet")
        if self._spool is not None:
            return _SpoolCursor(self._maker, self._spool)
        portions, first = self._begun or (self._open(report), [])
        return _LiveCursor(self._maker, portions, first)


class ArrowCursor(Protocol):
    """The position of a consumer."""

    def next_batches(self) -> Flow[list[pa.RecordBatch] | None]:
        """Return the next batches, perhaps none; None at the end.

        Raises:
            FrameValueError: a value does not fit the type of its column.
        """
        ...


class _LiveCursor:
    """Rows as they arrive."""

    def __init__(self, maker: BatchMaker, portions: Portions, first: list[Batch]) -> None:
        self._maker = maker
        self._portions = portions
        self._first = first

    def next_batches(self) -> Flow[list[pa.RecordBatch] | None]:
        rows: Iterable[Batch] | None = self._first
        if self._first:
            self._first = []
        else:
            rows = yield from self._portions.next_batches()
        return None if rows is None else [batch for each in rows for batch in self._make(each)]

    def _make(self, batch: Batch) -> list[pa.RecordBatch]:
        return self._maker.make(columns_of(batch), batch.height, checked=True)


class _SpoolCursor:
    """Rows that are kept until all types are known."""

    def __init__(self, maker: BatchMaker, spool: RowSpool) -> None:
        self._maker = maker
        # The spool removes its folder with itself: the cursor keeps it.
        self._spool: RowSpool | None = spool
        self._pieces = spool.pieces()

    def next_batches(self) -> Flow[list[pa.RecordBatch] | None]:
        found: list[pa.RecordBatch] = []
        is_over = False

        def read() -> None:
            nonlocal is_over
            piece = next(self._pieces, None)
            is_over = piece is None
            if piece is not None:
                found.extend(self._maker.make(piece.columns, piece.height, checked=False))

        yield from offload(read)
        if is_over:
            self._spool, self._pieces = None, _nothing()
        return None if is_over else found


def _nothing() -> Iterator[StoredBatch]:
    yield from ()


def _fill(spool: RowSpool, portions: Portions) -> Flow[RowSpool]:
    while (rows := (yield from portions.next_batches())) is not None:
        yield from offload(partial(spool.add, [*rows]))
        del rows
    return spool


def _first_rows(portions: Portions) -> Flow[list[Batch]]:
    while (rows := (yield from portions.next_batches())) is not None:
        first = [batch for batch in rows if batch.height]
        if first:
            return first
    return []
