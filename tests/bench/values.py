"""Digests of results, equal for equal values from any library; every contender imports this module.

Integers count as floats in frames and configs, because the official SDK does not distinguish them: its readers convert
1.0 to 1 and the reverse. All other values are compared by bits.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl


def of_frame(frame: pl.DataFrame, *keys: str) -> str:
    """Digest a frame's columns by name, with rows in the order of ``keys``."""
    hasher = hashlib.md5(usedforsecurity=False)
    ordered = frame.sort(*keys)
    for name in sorted(ordered.columns):
        column = ordered[name]
        hasher.update(f"{name}\0".encode())
        if column.dtype == pl.String:
            hasher.update("\0".join(str(value) for value in column.to_list()).encode())
            continue
        values = column.cast(pl.Float64).to_list()
        hasher.update(bytes(value is None for value in values))
        hasher.update(array("d", (math.nan if value is None else value for value in values)).tobytes())
    return hasher.hexdigest()


def of_records(records: Iterable[tuple[str, Mapping[str, object], Mapping[str, object]]]) -> str:
    """Digest names with their configs and summaries."""
    hasher = hashlib.md5(usedforsecurity=False)
    for name, config, summary in sorted(records, key=lambda record: record[0]):
        hasher.update("\0".join([name, _plain(config), _plain(summary)]).encode())
    return hasher.hexdigest()


def of_folder(folder: str) -> str:
    """Digest all files below a folder, by name and content."""
    hasher = hashlib.md5(usedforsecurity=False)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            hasher.update(path.name.encode() + b"\0" + hashlib.md5(path.read_bytes()).digest())
    return hasher.hexdigest()


def _plain(values: Mapping[str, object]) -> str:
    kept = {key: value for key, value in values.items() if key != "_wandb"}
    return json.dumps(json.loads(json.dumps(kept, default=dict), parse_int=float), sort_keys=True)
