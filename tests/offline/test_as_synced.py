"""Offline runs of both SDKs read the same when opened as after `wandb sync`, value for value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.offline.conftest import Logged
from tests.offline.reading import comparable, members

import runql
from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer

pytestmark = [pytest.mark.oracle, pytest.mark.long]
RUNS = ("plain", "media", "fails", "killed")
CHANGES_OF_THE_OLD_SYNC = {
    "state": "it never sends the exit code",
    "config": "it replaces nested objects where newer ones merge them, and names parts of the environment differently",
    "summary": "it keeps removed keys, and leaves out _wandb",
    "log": "it orders stdout and stderr differently",
    "metadata": "it names parts of the environment differently",
    "files": "it makes the files above",
    "logged artifacts": "it gives other digests' versions, because it uploads in another order",
}


@pytest.fixture
def there(synced: RunningServer) -> Iterator[runql.Api]:
    """The server that sync filled."""
    with runql.Api(
        {"entity": synced.entity, "project": "offline"}, api_key=synced.api_key, base_url=synced.url
    ) as api:
        yield api


@pytest.fixture
def there_by_itself(synced_by_itself: RunningServer) -> Iterator[runql.Api]:
    """The server that the same SDK's sync filled."""
    server = synced_by_itself
    with runql.Api(
        {"entity": server.entity, "project": "offline"}, api_key=server.api_key, base_url=server.url
    ) as api:
        yield api


def different(here: dict[str, Any], there: dict[str, Any]) -> dict[str, object]:
    """What differs, by member; of dicts and lists only the differing places."""
    found: dict[str, object] = {}
    for name, own in here.items():
        mine, others = places(own), places(there[name])
        pairs = {key: (mine.get(key), others.get(key)) for key in mine | others}
        differing = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        if differing:
            found[name] = differing
    return found


def places(value: JsonValue) -> dict[str | int, JsonValue]:
    """The members of a dict or list by key or index; another value alone."""
    if isinstance(value, dict):
        return dict[str | int, JsonValue](value.items())
    return dict[str | int, JsonValue](enumerate(value)) if isinstance(value, list) else {"": value}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_reads_the_same_as_after_sync(opened: runql.OpenedRuns, there: runql.Api, name: str) -> None:
    assert different(members(opened.api.run(name)), members(there.run(name))) == {}


def test_the_runs_are_the_synced_ones(opened: runql.OpenedRuns, there: runql.Api) -> None:
    assert sorted(run.id for run in opened.api.runs()) == sorted(run.id for run in there.runs())
    assert sorted(opened.paths) == sorted("/".join(run.path) for run in there.runs())


def test_a_resumed_run_is_one_run(logged: Logged, opened: runql.OpenedRuns, there: runql.Api) -> None:
    here = opened.api.run("resumed")
    assert [(row["_step"], row["q"]) for row in here.scan_history()] == [
        (0, 0), (1, 1), (2, 2), (3, 10), (4, 11), (5, 12), (50, 20)
    ]  # fmt: skip
    assert here.config == {"a": 1, "b": 2, "both": 2}
    assert here.tags == ["new"]
    assert here.state == "finished"
    if not logged.is_old:
        # The old SDK does not note that a run resumes; then sync writes the second part over the first.
        assert different(members(here), members(there.run("resumed"))) == {}


def test_values_are_those_that_were_logged(opened: runql.OpenedRuns) -> None:
    run = opened.api.run("plain")
    rows = list(run.scan_history())
    assert [comparable(row["unstable"]) for row in rows if "unstable" in row] == [
        "NaN",
        float("inf"),
        float("-inf"),
    ]
    assert rows[90]["late"] == 2**53 + 1
    assert rows[90]["text"] == "x" * 70_000
    assert (run.state, run.name, run.notes, run.group) == ("finished", "plain run", "a\nnote", "g")
    assert run.summary["deep"] == {"x": {"q": 3}}
    assert "gone" not in run.summary
    assert opened.api.run("fails").state == "failed"
    assert opened.api.run("killed").state == "failed"


def test_media_and_artifacts_are_there(opened: runql.OpenedRuns) -> None:
    run = opened.api.run("media")
    assert run.table("table").rows() == [{"x": 1, "y": "a"}, {"x": 2.5, "y": "b"}, {"x": None, "y": "ü"}]
    names = [artifact.name for artifact in run.logged_artifacts() if artifact.type == "dataset"]
    assert names == ["data-first:v0", "data-second:v0"]
    version = opened.api.artifact("data-first:first")
    assert version.metadata == {"k": [1, None]}
    assert version.entries["ref.bin"].ref == "https://example.com/a.bin"


@pytest.mark.parametrize("name", RUNS)
def test_what_the_same_sdk_syncs_differs_only_where_listed(
    logged: Logged, opened: runql.OpenedRuns, there_by_itself: runql.Api, name: str
) -> None:
    allowed = CHANGES_OF_THE_OLD_SYNC if logged.is_old else {}
    found = different(members(opened.api.run(name)), members(there_by_itself.run(name)))
    assert {member: value for member, value in found.items() if member not in allowed} == {}
