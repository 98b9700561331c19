"""The histories of many runs as a dask dataframe; needs the extra ``dask``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runql.frames.extras import require
from runql.resources.runs.histories.fixed_frame import fixed_frame

if TYPE_CHECKING:
    import dask.dataframe as dd

    from runql.frames.library_types import pandas_types as pd
    from runql.resources.runs.histories.scan import HistoriesScan


def read_histories(scan: HistoriesScan[pd.DataFrame], partitions: int, *, workers: int = 1) -> dd.DataFrame:
    """Return a dask dataframe whose partitions are parts of a scan; a worker reads each when it is computed::

        types = {"loss": float}
        scan = api.runs("team/vision").scan_histories(["loss"], format="pandas", schema=types)
        frame = read_histories(scan, 64, workers=4)
        frame.groupby("run_id")["loss"].min().compute()

    A partition that is computed again, as after the loss of a worker, has the same rows; see `HistoriesScan.split`. The
    API key does not travel: each worker needs ``WANDB_API_KEY`` or netrc.

    Args:
        scan: with ``format="pandas"``, ``keys``, and a ``schema`` that names each of them: all partitions have the same
            types.
        partitions: at most; a worker holds the rows of the ones that it reads.
        workers: processes that read at the same time; each takes such a part of the server's rate limit.

    Raises:
        MissingExtraError: dask is not installed.
        ValueError: the scan has another format, no keys, or a key without a type.

    Requests: one for each 500 runs here; in the workers as `HistoriesScan.collect` for each partition.
    """
    require("dask", needed_for="runql.integrations.dask")
    empty = fixed_frame(scan, "pandas")
    import dask.dataframe as dd  # noqa: PLC0415 - of the extra

    parts = scan.split(partitions, workers=workers)
    make: Callable[..., dd.DataFrame] = dd.from_map  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] — dask declares no types of it
    return make(_read, parts, meta=empty, label="runql-histories")


def _read(part: HistoriesScan[pd.DataFrame]) -> pd.DataFrame:
    return part.collect(progress=False)
