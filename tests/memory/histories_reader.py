"""`python -m tests.memory.histories_reader URL KEY PATH HOW TARGET`: reads all histories of a project, and prints its peak in KiB.

The peak counts from after the imports and a first use, so that it is the peak of the reading alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pyarrow as pa

from runql import Api, Runs

WINDOW, DEFAULT_CONCURRENCY = 1000, 2
KEYS = 6
LAZY_KEYS = 2


def status(name: str) -> int:
    """Return a figure of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def read(runs: Runs, how: str, target: Path) -> int:
    """Read everything in one of the ways, and return the number of rows."""
    scan = runs.scan_histories(page_size=WINDOW, max_concurrency=DEFAULT_CONCURRENCY, format="arrow")
    if how == "sink":
        scan.sink_parquet(target)
        return 0
    if how == "folders":
        scan.sink_parquet(target, partition_by="run_id")
        return 0
    if how == "batches":
        return sum(batch.num_rows for batch in scan.iter_batches())
    if how == "known":
        types = {f"k{key}": float for key in range(KEYS)}
        keyed = runs.scan_histories(
            [*types], schema=types, page_size=WINDOW, max_concurrency=DEFAULT_CONCURRENCY
        )
        return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(keyed))
    if how == "lazy":
        totals = scan.lazy().select(pl.len(), *(pl.col(f"k{key}").sum() for key in range(LAZY_KEYS)))
        return int(totals.collect(engine="streaming")["len"].item())
    if how == "lazy rows":
        return int(scan.lazy().select(pl.all().count()).collect(engine="streaming")["_step"].item())
    if how == "iterate":
        return sum(frame.num_rows for frame in scan)
    return scan.collect().num_rows


def main(url: str, key: str, path: str, how: str, target: str) -> None:
    """Warm up with the first run, then measure all runs."""
    with Api(base_url=url, api_key=key) as api:
        read(api.runs(path, {"name": "warm"}), how, Path(f"{target}.warm"))
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        read(api.runs(path, {"name": {"$ne": "warm"}}), how, Path(target))
        print(max(0, status("VmHWM") - before))


if __name__ == "__main__":
    main(*sys.argv[1:])
