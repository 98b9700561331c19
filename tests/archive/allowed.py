"""What may differ after an export and an import: kinds of values, each with its reason and the calls that show it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.conformance.comparison import Mismatch
from tests.conformance.library import Name
from tests.conformance.library_process import CallResult

Kind: TypeAlias = Literal["time", "cursor", "row id", "sweep id", "address", "commit hash"]
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
_COMMIT: Final = re.compile(r"[0-9a-f]{20}")
_ROW: Final = re.compile(r"([A-Z][A-Za-z]+):\d+(:.*)?", re.DOTALL)
_ROW_IN_PATH: Final = re.compile(r"/(artifact-storage/\d+|[A-Za-z0-9+_-]{8,}(%3D|=)*)(?=/)")


@dataclass(frozen=True)
class Allowed:
    """Values that servers choose.

    Attributes:
        because: why an import cannot keep them.
        calls: the calls of the conformance suite that return them.
    """

    because: str
    calls: frozenset[str]


@dataclass(frozen=True)
class Rounds:
    """Results before and after an export and an import.

    Attributes:
        sweeps: old ids of sweeps to new ones.
        results: by client, the results of every call before and after.
    """

    sweeps: Mapping[str, str]
    results: Mapping[Name, tuple[Mapping[str, CallResult], Mapping[str, CallResult]]]


ALLOWED: Final[Mapping[Kind, Allowed]] = {
    "time": Allowed(
        "the server notes when a project, run, file or artifact was created or changed",
        frozenset(
            {
                *("projects", "Run.created_at", "Run.heartbeat_at", "File.updated_at"),
                *("ArtifactCollection.created_at", "ArtifactCollection.updated_at"),
                *("Artifact.created_at", "Artifact.updated_at", "known_of_an_artifacts_files"),
            }
        ),
    ),
    "cursor": Allowed("a cursor holds the time at which the last run was created", frozenset({"cursor"})),
    "row id": Allowed(
        "the server numbers its rows",
        frozenset(
            {
                *("Run.storage_id", "artifact_type", "ArtifactCollection.id", "Artifact.id"),
                *("known_of_an_artifacts_files", "birth_artifact_id"),
            }
        ),
    ),
    "sweep id": Allowed(
        "the server chooses ids of sweeps",
        frozenset(
            {
                *("Run.sweep_name", "sweep_of_a_run", "Sweep.id", "Sweep.path", "Sweep.url"),
                "load_a_sweep",
            }
        ),
    ),
    "address": Allowed(
        "addresses of artifacts' files hold row ids", frozenset({"addresses_of_an_artifacts_files"})
    ),
    "commit hash": Allowed(
        "it is the digest of a manifest, which holds row ids", frozenset({"Artifact.commit_hash"})
    ),
}


def kind_of(mismatch: Mismatch, sweeps: Mapping[str, str]) -> Kind | None:
    """Return the kind of two values that differ only in what a server chooses; None for any other difference."""
    one, other = mismatch.official, mismatch.ours
    if not isinstance(one, str) or not isinstance(other, str):
        return None
    if _TIME.fullmatch(one) and _TIME.fullmatch(other):
        return "time"
    for old, new in sweeps.items():
        if old in one and one.replace(old, new) == other:
            return "sweep id"
    if _ROW_IN_PATH.search(one) and _ROW_IN_PATH.sub("/", one) == _ROW_IN_PATH.sub("/", other):
        return "address"
    if (row := _row(one)) is not None and row == _row(other):
        return "row id"
    if _without_times(one) == _without_times(other) is not None:
        return "cursor"
    if _COMMIT.fullmatch(one) and _COMMIT.fullmatch(other):
        return "commit hash"
    return None


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return None


def _row(value: str) -> tuple[str, str | None] | None:
    found = _ROW.fullmatch(_decoded(value) or "")
    return None if found is None else (found[1], found[2])


def _without_times(value: str) -> str | None:
    found = _decoded(value)
    return None if found is None or not _TIME.search(found) else _TIME.sub("", found)
