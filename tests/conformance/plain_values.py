"""Converts results of either library to plain JSON that keeps bits of floats, types, columns and kinds of errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any, Protocol, TypeAlias, TypeGuard

Json: TypeAlias = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Frame: TypeAlias = Any  # Any: a pandas frame; not every interpreter here has its types

CRASHES = (AttributeError, IndexError, KeyError, NameError, TypeError, ZeroDivisionError)
"""Errors that mean a crash of a library; all others are deliberate refusals."""


class Scalar(Protocol):
    """A numpy number."""

    def item(self) -> object:
        """Convert to a Python number."""
        ...


def attempt(action: Callable[[], object]) -> Json:
    """Return the result of a call, or its kind of error."""
    try:
        return plain(action())
    except Exception as error:  # noqa: BLE001 - whatever it is, is the answer
        return {"raises": kind_of(error)}


def kind_of(error: BaseException) -> str:
    """Return ``refusal``, or the name of the builtin error of a crash; unwraps errors of the official SDK."""
    inner: object = getattr(error, "exc", None)
    while isinstance(inner, BaseException):
        error, inner = inner, getattr(inner, "exc", None)
    for crash in CRASHES:
        if isinstance(error, crash):
            return crash.__name__
    return "refusal"


def plain(value: object) -> Json:
    """Convert a value to JSON that distinguishes floats from integers, and every float from others.

    Raises:
        TypeError: the value is an object of a library; the call must select its fields.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": repr(float(value))}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, (date, timedelta, PurePath)):
        return str(value)
    if type(value).__name__ == "DataFrame":
        return frame(value)
    if _is_keyed(value):
        return {str(key): plain(value[key]) for key in value.keys()}  # noqa: SIM118 - some iterate otherwise
    if _is_scalar(value):
        return plain(value.item())
    if _is_sequence(value):
        return [plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} is no plain data: the call must say what it looks at")


def frame(value: Frame) -> Json:
    """Convert a pandas frame: its columns in order, each with its dtype and its values."""
    return {
        "columns": [
            {"name": name, "dtype": str(value[name].dtype), "values": [plain(each) for each in value[name]]}
            for name in value.columns
        ],
        "index": [plain(each) for each in value.index],
    }


def _is_keyed(value: object) -> TypeGuard[Mapping[str, object]]:
    # The official SDK's summaries are no mappings, but `dict` accepts them.
    return isinstance(value, Mapping) or hasattr(value, "keys")


def _is_scalar(value: object) -> TypeGuard[Scalar]:
    return hasattr(value, "item") and hasattr(value, "dtype")


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))
