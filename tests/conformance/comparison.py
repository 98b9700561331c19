"""Both libraries asked, call by call, and where their answers part."""

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
"""Versions of the official SDK, and the variables that name an interpreter that has them."""
NOTHING: Final = "nothing"
ATOMS: Final = frozenset({"raises", "float", "bytes"})
"""Objects with one of these keys stand for one thing: see `answers`."""


@dataclass(frozen=True)
class Parting:
    """Where two answers part: the way there, and what each has at its end."""

    way: tuple[str, ...]
    official: Json
    ours: Json


@dataclass(frozen=True)
class Compared:
    """One call, answered by the official SDK, by runql, and by the awaited face of runql."""

    call: Call
    official: CallResult
    ours: CallResult
    awaited: CallResult

    @property
    def partings(self) -> list[Parting]:
        """Where runql's answer is not the official one; empty when they are the same."""
        return list(partings(_whole(self.official), _whole(self.ours)))

    @property
    def between_faces(self) -> list[Parting]:
        """Where the two faces of runql part."""
        return list(partings(_whole(self.ours), _whole(self.awaited)))


Comparison = Mapping[str, Compared]


def compare_all() -> dict[str, Comparison]:
    """Every call, by version and name. The versions have nothing to do with each other: they are asked side by side."""
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        return dict(zip(VERSIONS, pool.map(_compare, VERSIONS.values()), strict=True))


def partings(official: Json, ours: Json, way: tuple[str, ...] = ()) -> Iterator[Parting]:
    """The smallest parts of two answers that are not the same. The order of an object's keys says nothing."""
    if isinstance(official, dict) and isinstance(ours, dict) and not ATOMS & {*official, *ours}:
        for key in sorted({*official, *ours}):
            yield from partings(official.get(key, NOTHING), ours.get(key, NOTHING), (*way, key))
    elif isinstance(official, list) and isinstance(ours, list) and len(official) == len(ours):
        for index, (one, other) in enumerate(zip(official, ours, strict=True)):
            yield from partings(one, other, (*way, str(index)))
    elif type(official) is not type(ours) or official != ours:
        yield Parting(way, official, ours)


def _whole(answer: CallResult) -> Json:
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
