"""Rows as a parquet or an Arrow file, by polars or pyarrow, piece by piece."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias

from runql.cli.console.spool import MOST_IN_MEMORY, Spool, temporary_file_errors
from runql.frames.batches import Batch
from runql.frames.columns import Cells
from runql.frames.stored_batch import columns_of
from runql.frames.table import Table
from runql.frames.unified_columns import UnifiedColumns

if TYPE_CHECKING:
    import polars as pl

FrameFormat: TypeAlias = Literal["parquet", "arrow"]
Piece: TypeAlias = tuple[Mapping[str, Cells], int]
"""Columns, and how many rows."""

ROW_GROUP: Final = 65_536
"""Rows of a row group of parquet, at least; the last one may have fewer."""


def write_frame(
    file: BinaryIO,
    batches: Iterable[Batch],
    columns: Sequence[str] | None,
    format: FrameFormat,  # noqa: A002 - the option's name
) -> None:
    """Write a file; an Arrow file is in the IPC file format, which is also Feather's.

    The types hold every value, so nothing is written before the last row was read. Memory holds a few portions: the
    others wait in a temporary file.

    Args:
        file: where to write.
        batches: read once, in order.
        columns: the names to write, in this order; None for all names of the rows, as they appear.
        format: of the file.

    Raises:
        LocalFileError: the folder of temporary files is full.
        OSError: the file cannot be written.
    """
    with Spool[Piece]() as spool, SpooledTemporaryFile[bytes](MOST_IN_MEMORY) as whole:
        unified = UnifiedColumns(columns or ())
        names = dict.fromkeys(columns or ())
        for batch in batches:
            found = columns_of(batch)
            if columns is not None:
                found = {name: found[name] for name in columns if name in found}
            unified.see(found)
            names |= dict.fromkeys(found)
            spool.add((found, batch.height))
        known = unified.dtypes()
        dtypes = {name: known[name] for name in names}
        tables = (unified.table(dtypes, cells, height) for cells, height in spool)
        write = _by_polars if find_spec("polars") is not None else _by_pyarrow
        with temporary_file_errors():
            write(whole, unified.table(dtypes, {}, 0), tables, format)
        whole.seek(0)
        shutil.copyfileobj(whole, file)


def _by_polars(
    file: SpooledTemporaryFile[bytes], empty: Table, tables: Iterator[Table], kind: FrameFormat
) -> None:
    import polars as pl  # noqa: PLC0415 - the extra
    from polars.io.plugins import register_io_source  # noqa: PLC0415

    from runql.frames.to_polars import to_polars  # noqa: PLC0415

    failures: list[Exception] = []

    def frames(*_: object) -> Iterator[pl.DataFrame]:
        try:
            yield from map(to_polars, tables)
        except Exception as error:
            failures.append(error)
            raise

    source = register_io_source(frames, schema=to_polars(empty).schema)
    try:
        if kind == "parquet":
            source.sink_parquet(file, row_group_size=ROW_GROUP)
        else:
            source.sink_ipc(file)
    except pl.exceptions.PolarsError as error:
        raise (failures[0] if failures else OSError(str(error))) from error


def _by_pyarrow(
    file: SpooledTemporaryFile[bytes], empty: Table, tables: Iterator[Table], kind: FrameFormat
) -> None:
    import pyarrow as pa  # noqa: PLC0415 - the extra
    from pyarrow import ipc  # noqa: PLC0415
    from pyarrow import parquet as pq  # noqa: PLC0415

    from runql.frames.to_arrow import to_arrow  # noqa: PLC0415

    schema = to_arrow(empty).schema
    opened = (
        pq.ParquetWriter(file, schema, compression="zstd")
        if kind == "parquet"
        else ipc.new_file(file, schema)
    )
    with opened as writer:
        waiting: list[pa.Table] = []
        for table in map(to_arrow, tables):
            waiting.append(table)
            if sum(each.num_rows for each in waiting) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
