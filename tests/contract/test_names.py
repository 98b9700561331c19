"""Names as others spell them: camelCase attributes, streams of machine metrics, lists of lazily listed runs in full."""

from __future__ import annotations

import copy

import pytest
from tests.contract.both_clients import AnyApi, Face, Row
from tests.contract.untyped import Untyped, listed, taken

from runql import ManifestEntry, User
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

EVENTS: list[Row] = [{"_timestamp": 1.0 + number, "system.cpu": number / 2} for number in range(5)]


@pytest.fixture
def path(server: RunningServer, project: str) -> str:
    history: list[Row] = [{"_step": step, "loss": 1.0} for step in range(3)]
    server.seed(
        project,
        [
            SeedRun(name=f"r{number}", history=history, events=EVENTS, config={"n": number})
            for number in range(6)
        ],
    )
    server.seed_artifacts(project, [SeedArtifact(name="rows", files={"a.csv": b"a\n"}, logged_by="r0")])
    server.clear()
    return f"{server.entity}/{project}"


@pytest.fixture
def api(server: RunningServer, face: Face) -> AnyApi:
    return face.api(server.url, server.api_key)


# -- camelCase ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("createdAt", "created_at"), ("heartbeatAt", "heartbeat_at"), ("systemMetrics", "system_metrics")),
        *(("jobType", "job_type"), ("displayName", "display_name"), ("summaryMetrics", "summary_metrics")),
        *(("historyLineCount", "history_line_count"), ("sweepName", "sweep_name"), ("readOnly", "read_only")),
        *(("historyKeys", "history_keys"), ("projectId", "project_internal_id"), ("storageId", "storage_id")),
    ],
)
def test_a_runs_camel_case_attribute_names_the_other(
    name: str, known: str, api: AnyApi, path: str, face: Face
) -> None:
    run: Untyped = face.take(api.run(f"{path}/r0"))
    with pytest.raises(
        AttributeError, match=f"Run' object has no attribute '{name}': use {known}$"
    ) as caught:
        getattr(run, name)
    assert (caught.value.name, caught.value.obj) == (name, run)
    assert hasattr(run, known)
    assert not hasattr(run, name)


def test_the_objects_of_all_classes_name_the_other(
    api: Untyped, path: str, face: Face, server: RunningServer
) -> None:
    run = taken(face, api.run(f"{path}/r0"))
    artifact = taken(face, api.artifact(f"{path}/rows:latest"))
    kind = taken(face, api.artifact_type("dataset", path))
    entry = taken(face, artifact.get_entry("a.csv"))
    collection = taken(face, kind.collection("rows"))
    project = taken(face, api.project(path))
    viewer = taken(face, api.viewer)
    runs = taken(face, api.runs(path))
    server.clear()
    asked: list[tuple[Untyped, str, str]] = [
        (project, "createdAt", "created_at"),
        (project, "entityName", "entity_name"),
        (artifact, "createdAt", "created_at"),
        (artifact, "versionIndex", "version"),
        (artifact, "fileCount", "file_count"),
        (kind, "createdAt", "created_at"),
        (collection, "updatedAt", "updated_at"),
        (entry, "birthArtifactId", "birth_artifact_id"),
        (ManifestEntry("a", "b"), "digestAlgorithm", "digest_algorithm"),
        (listed(face, artifact.files())[0], "directUrl", "direct_url"),
        (runs, "totalCount", "length"),
        (run.logged_artifacts(), "convertObjects", "convert_objects"),
        (viewer, "userName", "username"),
    ]
    for thing, name, known in asked[:-1]:
        with pytest.raises(AttributeError, match=f"has no attribute '{name}': use {known}$"):
            getattr(thing, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'userName'$"):
        _ = viewer.userName
    # Names that mean nothing, here or there.
    for thing, _, _ in asked:
        with pytest.raises(AttributeError, match=r"has no attribute 'noSuchThing'$"):
            _ = thing.noSuchThing
    assert [request.operation for request in server.requests] == ["ListArtifactFiles"]


def test_documented_camel_case_works_and_objects_can_be_copied(api: AnyApi, path: str, face: Face) -> None:
    run = face.take(api.run(f"{path}/r0"))
    assert face.take(run.lastHistoryStep) == 2
    assert copy.copy(run).id == "r0"
    assert copy.deepcopy(User(name="Ada")) == User(name="Ada")


# -- machine metrics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["system", "events", "systemMetrics"])
def test_machine_metrics_have_three_names(
    stream: Untyped, api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    run: Untyped = face.take(api.run(f"{path}/r0"))
    runs: Untyped = face.take(api.runs(path))
    server.clear()
    assert taken(face, run.history(stream=stream, pandas=False)) == EVENTS
    assert list(taken(face, run.history(stream=stream))["system.cpu"]) == [
        row["system.cpu"] for row in EVENTS
    ]
    assert [row["run_id"] for row in taken(face, runs.histories(stream=stream))] == [
        f"r{number}" for number in range(6) for _ in EVENTS
    ]
    assert taken(face, runs.histories(stream=stream, format="polars")).height == 6 * len(EVENTS)
    assert len(server.requests) == 4


@pytest.mark.parametrize("stream", ["", "metrics", "System", "sysstem", None])
def test_other_streams_are_refused_before_anything_is_sent(
    stream: Untyped, api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    run: Untyped = face.take(api.run(f"{path}/r0"))
    runs: Untyped = face.take(api.runs(path))
    server.clear()
    for asked in (run.history, runs.histories):
        with pytest.raises(ValueError, match="stream must be 'default' for metrics, or 'system'"):
            taken(face, asked(stream=stream))
    assert server.requests == []


# -- lazily listed runs in full -----------------------------------------------------------------------------------


def operations(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def test_a_lazy_list_is_upgraded_by_a_request_a_page(
    api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    runs: Untyped = face.take(api.runs(path, per_page=2, lazy=True))
    early = [taken(face, runs[number]) for number in range(4)]
    server.clear()
    taken(face, runs.upgrade_to_full())
    assert operations(server) == ["ListFullRuns"] * 2
    assert [run.config for run in early] == [{"n": number} for number in range(4)]
    taken(face, runs.upgrade_to_full())
    assert [run.config["n"] for run in listed(face, runs)] == list(range(6))
    assert operations(server) == ["ListFullRuns"] * 3
    assert all(run is same for run, same in zip(early, listed(face, runs), strict=False))


def test_pages_that_were_looked_at_are_not_read_again(
    api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    runs: Untyped = face.take(api.runs(path, per_page=3, lazy=True))
    first, *_ = listed(face, runs)
    taken(face, first.load_full_data())
    server.clear()
    taken(face, runs.upgrade_to_full())
    assert operations(server) == ["ListFullRuns"]


def test_a_full_list_has_nothing_to_upgrade(
    api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    runs: Untyped = face.take(api.runs(path))
    listed(face, runs)
    server.clear()
    taken(face, runs.upgrade_to_full())
    assert server.requests == []


def test_a_run_is_loaded_in_full_once_or_by_force(
    api: AnyApi, path: str, face: Face, server: RunningServer
) -> None:
    runs: Untyped = face.take(api.runs(path, per_page=3, lazy=True))
    run = taken(face, runs[1])
    server.clear()
    taken(face, run.load_full_data())
    assert run.config == {"n": 1}
    assert operations(server) == ["ListFullRuns"]
    taken(face, run.load_full_data())
    taken(face, run.load_full_data(force=True))
    assert operations(server) == ["ListFullRuns", "GetRun"]


# -- other names of the same ---------------------------------------------------------------------------------------


def test_a_path_leads_to_what_it_says(
    api: Untyped, path: str, face: Face, server: RunningServer, project: str
) -> None:
    made = taken(face, api.run(f"{path}/r0"))
    for form in (f"{path}/r0", f"{path}/runs/r0", f"/{path}/runs/r0/", made.url, f"{path}:r0"):
        assert taken(face, api.from_path(form)).storage_id == made.storage_id, form
    home = taken(face, api.project(path))
    for form in (path, project, home.url):
        assert taken(face, api.from_path(form)).id == home.id, form
    server.clear()
    with pytest.raises(Exception, match="no-such-sweep"):
        taken(face, api.from_path(f"{path}/sweeps/no-such-sweep"))
    assert operations(server) == ["GetSweep"]
    server.clear()
    with pytest.raises(ValueError, match="it names a report"):
        taken(face, api.from_path(f"{path}/reports/Name--Vmlldzox"))
    with pytest.raises(ValueError, match="too many parts"):
        taken(face, api.from_path(f"{path}/a/b/c"))
    assert server.requests == []


def test_older_names_warn_and_work(api: Untyped, path: str, face: Face) -> None:
    run = taken(face, api.run(f"{path}/r0"))
    artifact = taken(face, api.artifact(f"{path}/rows:latest"))
    with pytest.warns(DeprecationWarning, match="beta_scan_history is deprecated: use"):
        scan = run.beta_scan_history(["loss"], use_cache=False)
    assert len(listed(face, scan)) == len(listed(face, run.scan_history(["loss"], use_cache=False))) == 3
    with pytest.warns(DeprecationWarning, match="artifact_versions is deprecated: use"):
        versions = taken(face, api.artifact_versions("dataset", f"{path}/rows"))
    assert [each.version for each in listed(face, versions)] == ["v0"]
    with pytest.warns(DeprecationWarning, match="get_path is deprecated: use"):
        entry = taken(face, artifact.get_path("a.csv"))
    assert entry.size == 2


def test_who_sends_says_its_name(api: Untyped) -> None:
    assert api.user_agent.startswith("runql/")
