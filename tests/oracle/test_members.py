"""runql has every member of the newest official SDK's public API, or a list gives the reason."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict
from tests.oracle.sdk import interpreter
from tests.patience import PATIENCE

import runql

LEFT_OUT = Path(__file__).with_name("left_out.toml")

# The classes that have another name here; the others have the same one.
RENAMED = {
    "ArtifactManifest": "Manifest",
    "ArtifactManifestEntry": "ArtifactEntry",
    "DownloadHistoryResult": "HistoryFiles",
    "HTTPSummary": "Summary",
    "IncompleteRunHistoryError": "HistoryNotExportedError",
}


class Found(BaseModel):
    """What a class of the official SDK has; see `list_members.Found`."""

    members: list[str]
    settable: list[str]
    parameters: dict[str, list[str]]


class LeftOut(BaseModel):
    """Members, or whole classes, that runql does not have, and why."""

    model_config = ConfigDict(extra="forbid")

    because: str
    members: list[str]


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """The classes of the newest official SDK."""
    done = subprocess.run(
        [interpreter("RUNQL_WANDB_NEW"), str(Path(__file__).with_name("list_members.py"))],
        env={**os.environ, "WANDB_ERROR_REPORTING": "false", "WANDB_BASE_URL": "http://127.0.0.1:9"},
        cwd=tmp_path_factory.mktemp("members"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Found.model_validate(each) for name, each in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def left_out() -> dict[str, str]:
    """What is listed, each with its reason."""
    listed = [LeftOut.model_validate(each) for each in tomllib.loads(LEFT_OUT.read_text("utf-8"))["left_out"]]
    assert all(each.because and each.members for each in listed)
    counted = Counter(member for each in listed for member in each.members)
    assert [member for member, times in counted.items() if times > 1] == []
    return {member: each.because for each in listed for member in each.members}


def ours(name: str) -> type | None:
    """The class of runql that takes the place of one of the official SDK's."""
    found: object = getattr(runql, RENAMED.get(name, name), None)
    return found if inspect.isclass(found) else None


def has(owner: type, member: str) -> bool:
    return hasattr(owner, member) or member in getattr(owner, "__dataclass_fields__", ())


def can_be_set(owner: type, member: str) -> bool:
    value = inspect.getattr_static(owner, member, None)
    return isinstance(value, property) and value.fset is not None


def missing(official: dict[str, Found]) -> Iterator[str]:
    """What runql has not: ``Class``, ``Class.member``, ``Class.member=``, ``Class.method()``, ``Class.method(parameter)``."""
    for name, found in official.items():
        owner = ours(name)
        if owner is None:
            yield name
            continue
        here = [member for member in found.members if has(owner, member)]
        yield from (f"{name}.{member}" for member in found.members if member not in here)
        yield from (
            f"{name}.{member}="
            for member in found.settable
            if member in here and not can_be_set(owner, member)
        )
        for method, parameters in found.parameters.items():
            function: object = getattr(owner, method, None)
            if method in here and not callable(function):
                yield f"{name}.{method}()"
            elif callable(function):
                known = inspect.signature(function).parameters
                yield from (f"{name}.{method}({each})" for each in parameters if each not in known)


@pytest.mark.oracle
def test_what_the_newest_sdk_has_is_here_or_left_out_for_a_reason(
    official: dict[str, Found], left_out: dict[str, str]
) -> None:
    assert set(missing(official)) - set(left_out) == set(), "build them, or list them with the reason"


@pytest.mark.oracle
def test_what_is_left_out_is_in_the_newest_sdk_and_not_here(
    official: dict[str, Found], left_out: dict[str, str]
) -> None:
    assert set(left_out) - set(missing(official)) == set(), "here by now, or gone from the official SDK"


@pytest.mark.oracle
def test_the_members_that_matter_are_seen(official: dict[str, Found]) -> None:
    assert {"Api", "Run", "Runs", "Sweep", "Artifact", "HTTPSummary"} <= set(official)
    run = official["Run"]
    # Written in the class, put on instances by its methods, and looked up in what the server sent.
    assert {"stop", "dir", "job_type", "lastHistoryStep"} <= set(run.members)
    assert set(run.settable) == {"id", "name"}
    assert run.parameters["scan_history"][:4] == ["keys", "page_size", "min_step", "max_step"]
