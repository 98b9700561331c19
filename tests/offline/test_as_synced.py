"""Offline runs of both SDKs read the same when opened as after `wandb sync`, value for value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.offline.conftest import Logged, run_folders
from tests.offline.old_sync import EXEMPTIONS, ROWLESS
from tests.offline.reading import comparable, different, members
from tests.oracle.sdk import VERSIONS

import runql
from runql_server.offline.fields import items
from runql_server.offline.framing import RecordFile
from runql_server.offline.messages import decode
from runql_server.running import RunningServer

pytestmark = [pytest.mark.nightly, pytest.mark.oracle, pytest.mark.long]
OF_THE_OLD_SDK = pytest.mark.parametrize("logged", VERSIONS[:1], ids=["old"], indirect=True)
RUNS = ("plain", "media", "listed", "fails", "killed", "fork")


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


def test_a_fork_begins_with_the_rows_of_its_parent(opened: runql.OpenedRuns) -> None:
    run = opened.api.run("fork")
    assert [(row["_step"], row["q"]) for row in run.scan_history() if "q" in row] == [
        (0, 0), (1, 1), (2, 100), (3, 101)
    ]  # fmt: skip
    assert not [problem for problem in opened.problems if "fork" in problem]


def test_a_rewound_run_goes_on_behind_the_step(opened: runql.OpenedRuns) -> None:
    # Not compared: sync asks the server for a rewind, which the embedded server refuses.
    rows = [(row["_step"], row["q"]) for row in opened.api.run("rewound").scan_history()]
    assert rows == [(0, 0), (1, 1), (2, 2), (3, 100), (4, 101)]
    assert opened.api.run("rewound").summary["q"] == 101


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


@OF_THE_OLD_SDK
def test_what_the_old_tool_syncs_differs_only_where_listed(
    opened: runql.OpenedRuns, there_by_itself: runql.Api, logged: Logged
) -> None:
    used: set[str] = set()
    others: dict[str, object] = {}
    for name in RUNS:
        found = different(members(opened.api.run(name)), members(there_by_itself.run(name)))
        for place, pair in found.items():
            reasons = {reason for reason, each in EXEMPTIONS.items() if each.holds(name, place)}
            used |= reasons
            if not reasons:
                others[f"{name}: {place}"] = pair
    assert others == {}
    expected = set(EXEMPTIONS) if ends_between_summary_and_row(logged) else set(EXEMPTIONS) - {ROWLESS}
    assert used == expected, "an exemption that never occurs"


def ends_between_summary_and_row(logged: Logged) -> bool:
    """Whether the file of the killed run ends with the summary of a row that it does not have."""
    (path,) = (found for folder in run_folders(logged.folder) for found in folder.glob("*-killed.wandb"))
    steps: dict[str, str] = {}
    for record in map(decode, RecordFile(path).read()):
        for item in items(record.fields, {"summary": "update", "history": "item"}.get(record.kind, "")):
            if item.path == ("_step",):
                steps[record.kind] = item.json
    return steps["summary"] != steps["history"]


@OF_THE_OLD_SDK
def test_the_old_tools_code_makes_it_so(logged: Logged) -> None:
    (package,) = logged.python.parent.parent.glob("lib/python3*/site-packages/wandb")
    for name, each in EXEMPTIONS.items():
        assert each.code in (package / each.module).read_text(encoding="utf-8"), name
    for folder in run_folders(logged.folder):
        (path,) = folder.glob("*.wandb")
        # It would send the exit code at a record `final`.
        assert "final" not in {decode(data).kind for data in RecordFile(path).read()}
