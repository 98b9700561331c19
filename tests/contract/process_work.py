"""What tests do with a pickle in another process, which shares nothing with the test but its environment."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import AsyncIterable, Callable
from functools import partial
from typing import Any, TypeAlias

import anyio

Untyped: TypeAlias = Any  # Any: one function serves both clients


async def called(use: Callable[[Untyped], object], subject: Untyped) -> object:
    """Return what a use of an object returns, awaited and as a list where it is iterated."""
    found: Untyped = use(subject)
    if inspect.isawaitable(found):
        found = await found
    if hasattr(found, "keys"):
        return sorted(found)
    if hasattr(found, "__anext__"):
        return await _collected(found)
    return list(found) if hasattr(found, "__next__") else found


async def _collected(items: AsyncIterable[object]) -> list[object]:
    return [item async for item in items]


def used(pickled: bytes, use: Callable[[Untyped], object]) -> object:
    """Unpickle an object and use it."""
    return anyio.run(partial(called, use, pickle.loads(pickled)))


def used_with_key(pickled: bytes, key: str, use: Callable[[Untyped], object]) -> object:
    """Unpickle an object, give it a key and use it."""
    return anyio.run(partial(called, use, pickle.loads(pickled).with_key(key)))


def error_of(pickled: bytes, use: Callable[[Untyped], object]) -> str:
    """Unpickle an object and return the error of its use."""
    try:
        used(pickled, use)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return f"{type(error).__name__}: {error}"
    return ""


def viewer(api: Untyped) -> Untyped:
    """Send a request."""
    return api.viewer


def url(subject: Untyped) -> Untyped:
    """Send nothing."""
    return subject.settings.base_url


def config(run: Untyped) -> Untyped:
    """Send nothing for a run that was read."""
    return run.id, run.config, dict(run.summary)


def rows(scan: Untyped) -> Untyped:
    """Iterate over rows."""
    return scan


def ids(runs: Untyped) -> Untyped:
    """Iterate over runs, one page."""
    return runs.length


def frame(scan: Untyped) -> Untyped:
    """Return all rows."""
    return scan.collect()


def digest(artifact: Untyped) -> Untyped:
    """Read the manifest."""
    return artifact.entries


def size(file: Untyped) -> Untyped:
    """Send nothing."""
    return file.name, file.size
