"""Makes every call through both libraries, and finds mismatches of their results."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance import project
from tests.conformance.calls.call import Call
from tests.conformance.calls.every import CALLS
from tests.conformance.library import Name
from tests.conformance.library_process import CallResult, ask
from tests.conformance.plain_values import Json
from tests.conformance.reference_files import serve

VERSIONS: Final = {"0.21.4": "RUNQL_WANDB_OLD", "0.31.0": "RUNQL_WANDB_NEW"}
"""Versions of the official SDK, and the variables that name their interpreters."""
NOTHING: Final = "nothing"
ATOMS: Final = frozenset({"raises", "float", "bytes"})
"""Objects with one of these keys are single values: see `plain_values`."""


@dataclass(frozen=True)
class Mismatch:
    """A mismatch of two results: its path, and both values."""

    way: tuple[str, ...]
    official: Json
    ours: Json


@dataclass(frozen=True)
class Compared:
    """The results of one call through the official SDK, runql, and runql's async client."""

    call: Call
    official: CallResult
    ours: CallResult
    awaited: CallResult

    @property
    def mismatches(self) -> list[Mismatch]:
        """Mismatches of runql's result with the official one; empty if they are equal."""
        return list(mismatches(_as_json(self.official), _as_json(self.ours)))

    @property
    def between_clients(self) -> list[Mismatch]:
        """Mismatches between the sync and the async client."""
        return list(mismatches(_as_json(self.ours), _as_json(self.awaited)))


Comparison = Mapping[str, Compared]


def compare_all() -> dict[str, Comparison]:
    """Make every call, by version and name; the versions are independent, and run concurrently."""
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        return dict(zip(VERSIONS, pool.map(_compare, VERSIONS.values()), strict=True))


def mismatches(official: Json, ours: Json, way: tuple[str, ...] = ()) -> Iterator[Mismatch]:
    """Yield the smallest parts of two results that differ; ignores the order of an object's keys."""
    if isinstance(official, dict) and isinstance(ours, dict) and not ATOMS & {*official, *ours}:
        for key in sorted({*official, *ours}):
            yield from mismatches(official.get(key, NOTHING), ours.get(key, NOTHING), (*way, key))
    elif isinstance(official, list) and isinstance(ours, list) and len(official) == len(ours):
        for index, (one, other) in enumerate(zip(official, ours, strict=True)):
            yield from mismatches(one, other, (*way, str(index)))
    elif type(official) is not type(ours) or official != ours:
        yield Mismatch(way, official, ours)


def _as_json(answer: CallResult) -> Json:
    return {"answers": answer.answers, "afterwards": answer.state}


def _compare(variable: str) -> Comparison:
    python = os.environ[variable]
    askable: dict[Name, str] = {"wandb": python, "runql": sys.executable, "runql-awaited": sys.executable}
    with (
        tempfile.TemporaryDirectory(prefix="runql-conformance-") as folder,
        serve(Path(folder, "references")) as references,
    ):
        written = Path(folder, "written")
        api_key = project.write(python, written, Path(folder, "sdk"), references)
        results = {
            name: ask(
                name,
                interpreter,
                CALLS.values(),
                written=written,
                api_key=api_key,
                folder=Path(folder, name),
                references=references,
            )
            for name, interpreter in askable.items()
        }
    return {
        name: Compared(call, results["wandb"][name], results["runql"][name], results["runql-awaited"][name])
        for name, call in CALLS.items()
    }
