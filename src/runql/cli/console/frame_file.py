"""Rows as the bytes of a parquet or an Arrow file, by polars or pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Literal

from runql.frames.table import Table
from runql.values import JSONValue


def frame_bytes(
    rows: Iterable[Mapping[str, JSONValue]],
    columns: Sequence[str] | None,
    format: Literal["parquet", "arrow"],  # noqa: A002 - the option's name
) -> bytes:
    """Return the bytes of a file; an Arrow file is in the IPC file format, which is also Feather's.

    Args:
        rows: read once, in order.
        columns: the names to write, in this order; None for all names of the rows, as they appear.
        format: of the file.

    Raises:
        MissingExtraError: neither library is installed.
    """
    if columns is not None:
        rows = ({name: row.get(name) for name in columns} for row in rows)
    table = Table.from_rows(rows, leading=columns or ())
    return _by_polars(table, format) if find_spec("polars") is not None else _by_pyarrow(table, format)


def _by_polars(table: Table, format: Literal["parquet", "arrow"]) -> bytes:  # noqa: A002
    from runql.frames.to_polars import to_polars  # noqa: PLC0415 - the extra

    frame, held = to_polars(table), io.BytesIO()
    if format == "parquet":
        frame.write_parquet(held)
    else:
        frame.write_ipc(held)
    return held.getvalue()


def _by_pyarrow(table: Table, format: Literal["parquet", "arrow"]) -> bytes:  # noqa: A002
    from runql.frames.to_arrow import to_arrow  # noqa: PLC0415 - the extra

    arrow, held = to_arrow(table), io.BytesIO()
    if format == "parquet":
        from pyarrow import parquet as pq  # noqa: PLC0415 - the extra

        with pq.ParquetWriter(held, arrow.schema, compression="zstd") as writer:
            writer.write_table(arrow)
    else:
        from pyarrow import ipc  # noqa: PLC0415 - the extra

        with ipc.new_file(held, arrow.schema) as writer:
            writer.write_table(arrow)
    return held.getvalue()
