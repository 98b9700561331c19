"""Digests of what was read, equal for equal values, whatever library read them; imported by every contender.

What the official SDK cannot tell apart is not told apart here either: integers count as floats, in frames and in
configs (its readers make 1 of 1.0 and the reverse). Everything else is by bits.
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
    """Of a frame's columns by name, its rows in the order of some of them."""
    told = hashlib.md5(usedforsecurity=False)
    ordered = frame.sort(*keys)
    for name in sorted(ordered.columns):
        column = ordered[name]
        told.update(f"{name}\0".encode())
        if column.dtype == pl.String:
            told.update("\0".join(str(value) for value in column.to_list()).encode())
            continue
        values = column.cast(pl.Float64).to_list()
        told.update(bytes(value is None for value in values))
        told.update(array("d", (math.nan if value is None else value for value in values)).tobytes())
    return told.hexdigest()


def of_records(records: Iterable[tuple[str, Mapping[str, object], Mapping[str, object]]]) -> str:
    """Of names with a config and a summary each."""
    told = hashlib.md5(usedforsecurity=False)
    for name, config, summary in sorted(records, key=lambda record: record[0]):
        told.update("\0".join([name, _plain(config), _plain(summary)]).encode())
    return told.hexdigest()


def of_folder(folder: str) -> str:
    """Of all files below a folder, by name and content."""
    told = hashlib.md5(usedforsecurity=False)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            told.update(path.name.encode() + b"\0" + hashlib.md5(path.read_bytes()).digest())
    return told.hexdigest()


def _plain(values: Mapping[str, object]) -> str:
    kept = {key: value for key, value in values.items() if key != "_wandb"}
    return json.dumps(json.loads(json.dumps(kept, default=dict), parse_int=float), sort_keys=True)
