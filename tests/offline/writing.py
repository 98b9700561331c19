"""Writes `.wandb` files without an SDK: records from dicts, in W&B's framing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from google.protobuf import json_format

from runql_server.offline.framing import (
    BLOCK,
    CHUNK_HEADER,
    FIRST,
    FULL,
    HEADER,
    LAST,
    MAGIC,
    MIDDLE,
    NAME,
    VERSION,
)
from runql_server.offline.messages import record_class

START = HEADER.pack(NAME, MAGIC, VERSION)


def record(fields: Mapping[str, object]) -> bytes:
    """Encode one record, such as ``{"exit": {"exit_code": 1}}``."""
    return json_format.ParseDict(dict(fields), record_class()()).SerializeToString()


def run(run_id: str = "abc", **fields: object) -> bytes:
    """Encode the record of a run."""
    return record(
        {"run": {"run_id": run_id, "project": "p", "start_time": {"seconds": 1_700_000_000}, **fields}}
    )


def row(**values: object) -> bytes:
    """Encode a history row."""
    items = [{"nested_key": [key], "value_json": json.dumps(value)} for key, value in values.items()]
    return record({"history": {"item": items}})


def exit_record(code: int = 0) -> bytes:
    """Encode the end of a run."""
    return record({"exit": {"exit_code": code}})


def framed(records: Iterable[bytes], *, at: int = len(START)) -> bytes:
    """Frame records that begin at a byte of a file."""
    out = bytearray()
    for data in records:
        rest, kind = data, FULL
        while True:
            left = BLOCK - (at + len(out)) % BLOCK
            if left < CHUNK_HEADER.size:
                out += bytes(left)
                left = BLOCK
            part, rest = rest[: left - CHUNK_HEADER.size], rest[left - CHUNK_HEADER.size :]
            begins = kind == FULL
            kind = (FIRST if begins else MIDDLE) if rest else (FULL if begins else LAST)
            out += CHUNK_HEADER.pack(zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            if not rest:
                break
            kind = MIDDLE
    return bytes(out)


def write(folder: Path, records: Iterable[bytes], *, name: str = "abc") -> Path:
    """Write a run's folder below a folder, and return its `.wandb` file."""
    path = folder / f"offline-run-20260101_000000-{name}" / f"run-{name}.wandb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(START + framed(records))
    return path


def append(path: Path, records: Iterable[bytes]) -> None:
    """Append records, as a process that still runs."""
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(framed(records, at=size))
