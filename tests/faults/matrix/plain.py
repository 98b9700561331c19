"""Results of both clients as plain JSON, for comparisons by content: objects of runql by their fields."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeGuard

import pandas as pd
import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from runql import AsyncRetryingClient, RetryingClient
from runql.transport.flow import ReadOnce
from runql.transport.single_flight import SingleFlight

Json: TypeAlias = Any  # Any: nested plain JSON
_MACHINERY: Final = (RetryingClient, AsyncRetryingClient, ReadOnce, SingleFlight, type(threading.Lock()))
_TIMES: Final = re.compile(r"(updated|created|heartbeat|expires)_?(at|time)", re.IGNORECASE)
_HOST: Final = re.compile(r"https?://[^/?:]*:\d+")
_SIGNED: Final = re.compile(r"\?.*")
_MARKS: Final = re.compile(r"[\ud800-\udfff\x01]|\\x01|\\ud[89ab][0-9a-f]{2}")


def is_object(value: object) -> TypeGuard[dict[str, Json]]:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Json]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_group(value: object) -> TypeGuard[Sequence[object] | set[object] | frozenset[object]]:
    return isinstance(value, (Sequence, set, frozenset))


def plain(value: object, *, times: bool = True) -> Json:
    """Convert a result to JSON.

    Args:
        value: what a call returned.
        times: keep the times that a change sets.
    """
    return _Walk(times=times).plain(value)


class _Walk:
    def __init__(self, *, times: bool) -> None:
        self._times = times
        self._above: list[int] = []

    def plain(self, value: object) -> Json:
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, str):
            # Signatures of URLs end at a time, and hosts differ between fronts.
            return _SIGNED.sub("", _HOST.sub("", value)) if value.startswith(("http", "/")) else value
        if isinstance(value, float):
            return {"float": repr(value)}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Path):
            return files(value)
        if isinstance(value, io.IOBase):
            with value:
                return {"content": self.plain(value.read())}
        if isinstance(value, (pl.DataFrame, pd.DataFrame, pa.Table)):
            return _frame(value)
        if id(value) in self._above:
            return "itself"
        self._above.append(id(value))
        try:
            return self._nested(value)
        finally:
            self._above.pop()

    def _nested(self, value: object) -> Json:
        if isinstance(value, BaseModel):
            return self._fields({name: getattr(value, name) for name in type(value).model_fields})
        if _is_ours(value):
            return {type(value).__name__.removeprefix("Async"): self._fields(_state(value))}
        if _is_mapping(value):
            return self._fields({str(key): value[key] for key in value})
        if _is_group(value):
            return [self.plain(each) for each in value]
        return type(value).__name__

    def _fields(self, fields: Mapping[str, object]) -> Json:
        return {
            name: self.plain(child)
            for name, child in fields.items()
            if not isinstance(child, _MACHINERY)
            and not callable(child)
            and (self._times or not _TIMES.search(name))
        }


def files(folder: Path) -> Json:
    """Return the content of a file, or of all files below a folder, hidden ones too."""
    if folder.is_file():
        return {"file": hashlib.sha256(folder.read_bytes()).hexdigest()}
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_marks(value: Json) -> Json:
    """Remove what a fault put into strings: halves of surrogate pairs, and control characters."""
    if isinstance(value, str):
        return _MARKS.sub("", value)
    if is_object(value):
        return {without_marks(key): without_marks(child) for key, child in value.items()}
    if is_array(value):
        return [without_marks(child) for child in value]
    return value


def _is_ours(value: object) -> bool:
    return type(value).__module__.split(".")[0] == "runql"


def _state(value: object) -> Mapping[str, object]:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return (
        vars(value)
        if hasattr(value, "__dict__")
        else {"items": [*value] if _is_group(value) else repr(value)}
    )


def _frame(value: pl.DataFrame | pd.DataFrame | pa.Table) -> Json:
    if isinstance(value, pa.Table):
        return {"schema": str(value.schema), "rows": _rows(value.to_pylist())}
    if isinstance(value, pd.DataFrame):
        return {"schema": str(value.dtypes.to_dict()), "rows": _rows(value.to_dict("records"))}
    return {"schema": str(value.schema), "rows": _rows(value.to_dicts())}


def _rows(rows: object) -> str:
    return _HOST.sub("", repr(rows))
