"""`peak.py frame|rows|kept RUN [BYTES]`: reads one run, and prints the peak of memory and the frame's size as JSON.

BYTES limits the part of a parquet file in memory; the default limit is higher than a test can reach.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl

import runql
from runql.resources.history.exports import files as export_files
from runql.resources.history.exports import parts as export_parts


def peak() -> int:
    """Return the highest memory of this process in bytes; `getrusage` may return its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Import everything first, then read."""
    way, path, *most = sys.argv[1:]
    if most:
        for module in (export_files, export_parts):
            vars(module)["MOST_BYTES_IN_MEMORY"] = int(most[0])
    pl.read_ndjson(b'{"a": 1}').to_arrow()
    with runql.Api() as api:
        run = api.run(path)
        before = peak()
        scan = run.scan_history()
        if way == "frame":
            frame = scan.to_polars()
            rows, size = frame.height, int(frame.estimated_size())
        elif way == "kept":
            rows, size = len(list(scan)), 0
        else:
            rows, size = sum(1 for _ in scan), 0
    print(json.dumps({"rows": rows, "frame": size, "peak": peak() - before}))


if __name__ == "__main__":
    main()
