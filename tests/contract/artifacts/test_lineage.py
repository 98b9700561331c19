"""Which run wrote and which read an artifact: told from both ends, and changed."""

from __future__ import annotations

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken

from runql import ArtifactNotFoundError, RunNotFoundError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact


def operations(server: RunningServer) -> list[str]:
    return [request.operation or request.method for request in server.requests]


def names(face: Face, artifacts: Untyped) -> list[str]:
    return [artifact.name for artifact in listed(face, artifacts)]


@pytest.fixture
def maker(api: Untyped, face: Face, home: str, server: RunningServer) -> Untyped:
    run = taken(face, api.run(f"{home}/maker"))
    server.clear()
    return run


@pytest.fixture
def idle(api: Untyped, face: Face, home: str, server: RunningServer) -> Untyped:
    run = taken(face, api.run(f"{home}/idle"))
    server.clear()
    return run


def test_what_a_run_wrote_and_read(
    api: Untyped, face: Face, home: str, maker: Untyped, idle: Untyped, server: RunningServer
) -> None:
    server.clear()
    logged = maker.logged_artifacts(per_page=1)
    assert server.requests == []
    assert taken(face, logged.length) == 2
    assert sorted(names(face, logged)) == ["rows:v0", "rows:v1"]
    assert operations(server) == ["ListLoggedArtifacts"] * 2
    assert repr(logged) == f"<RunArtifacts logged by {home}/maker>"
    reader = taken(face, api.run(f"{home}/reader"))
    assert names(face, reader.used_artifacts()) == ["rows:v1"]
    assert names(face, idle.used_artifacts()) == names(face, idle.logged_artifacts()) == []
    with pytest.raises(ValueError, match="per_page"):
        idle.used_artifacts(per_page=0)


def test_who_wrote_and_read_an_artifact(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:v1"))
    server.clear()
    maker = taken(face, artifact.logged_by())
    (reader,) = taken(face, artifact.used_by())
    assert operations(server) == ["GetArtifactCreator", "ListArtifactUsers"]
    assert (maker.id, maker.config, reader.id) == ("maker", {"lr": 0.1}, "reader")
    assert f"{reader.entity}/{reader.project}" == home
    assert len(server.requests) == 2, "the runs come with all their fields"
    unused = taken(face, api.artifact(f"{home}/rows:v0"))
    assert taken(face, unused.used_by()) == []


def test_readers_of_many_runs_are_pages_not_runs(
    api: Untyped, face: Face, home: str, server: RunningServer, project: str
) -> None:
    server.seed(project, [SeedRun(name=f"r{number}") for number in range(120)])
    server.seed_artifacts(
        project,
        [SeedArtifact(name="popular", files={"a": b"a"}, used_by=tuple(f"r{n}" for n in range(120)))],
    )
    artifact = taken(face, api.artifact(f"{home}/popular:v0"))
    server.clear()
    readers = taken(face, artifact.used_by())
    assert len({run.id for run in readers}) == 120
    assert [run.config for run in readers] == [{}] * 120
    assert operations(server) == ["ListArtifactUsers"] * 3


def test_an_artifact_that_a_person_made_has_no_run(
    api: Untyped, face: Face, home: str, server: RunningServer, project: str
) -> None:
    server.seed_artifacts(project, [SeedArtifact(name="by-hand", files={"a": b"a"})])
    assert taken(face, taken(face, api.artifact(f"{home}/by-hand:v0")).logged_by()) is None


def test_a_run_is_said_to_read_an_artifact(
    api: Untyped, face: Face, home: str, idle: Untyped, server: RunningServer
) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:v0"))
    server.clear()
    assert taken(face, idle.use_artifact(artifact, "training data")) is artifact
    assert operations(server) == ["UseArtifact"]
    assert names(face, idle.used_artifacts()) == ["rows:v0"]
    assert [run.id for run in taken(face, artifact.used_by())] == ["idle"]
    taken(face, idle.use_artifact(artifact))
    assert names(face, idle.used_artifacts()) == ["rows:v0"], "twice is once"


def test_a_run_reads_artifacts_of_other_projects(
    api: Untyped, face: Face, home: str, server: RunningServer, project: str
) -> None:
    other = f"{project}-other"
    server.seed(other, [SeedRun(name="far")])
    artifact = taken(face, api.artifact(f"{home}/rows:v0"))
    far = taken(face, api.run(f"{server.entity}/{other}/far"))
    taken(face, far.use_artifact(artifact))
    (found,) = listed(face, far.used_artifacts())
    assert found.qualified_name == f"{home}/rows:v0"
    (reader,) = taken(face, artifact.used_by())
    assert (reader.project, reader.id) == (other, "far")
    with pytest.raises(ValueError, match="of its own project only"):
        taken(face, far.log_artifact(artifact))


def test_a_run_is_said_to_have_written_an_artifact(
    api: Untyped, face: Face, home: str, idle: Untyped, server: RunningServer
) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:v2"))
    server.clear()
    logged = taken(face, idle.log_artifact(artifact, aliases=["champion"], tags=["good one"]))
    assert operations(server) == ["CreateArtifact"]
    assert (logged.id, logged.name) == (artifact.id, "rows:v2")
    assert "champion" in logged.aliases
    assert logged.tags == ["good one"]
    assert names(face, idle.logged_artifacts()) == ["rows:v2"]
    assert taken(face, api.artifact(f"{home}/rows:champion")).id == artifact.id


def test_what_is_no_artifact_is_refused_before_anything_is_sent(
    api: Untyped, face: Face, idle: Untyped, server: RunningServer, project: str
) -> None:
    for call in (idle.use_artifact, idle.log_artifact):
        with pytest.raises(TypeError, match="must be one that Api"):
            taken(face, call("rows:v0"))
    artifact = taken(face, api.artifact(f"{server.entity}/{project}/rows:v0"))
    server.clear()
    with pytest.raises(ValueError, match="alias"):
        taken(face, idle.log_artifact(artifact, aliases=["a/b"]))
    with pytest.raises(TypeError, match="list of str"):
        taken(face, idle.log_artifact(artifact, tags="tag"))
    assert server.requests == []


def test_a_run_or_an_artifact_that_is_gone(
    api: Untyped, face: Face, home: str, idle: Untyped, server: RunningServer
) -> None:
    artifact = taken(face, api.artifact(f"{home}/rows:v0"))
    gone = taken(face, api.artifact(f"{home}/net:v0"))
    taken(face, gone.delete(delete_aliases=True))
    with pytest.raises(ArtifactNotFoundError):
        taken(face, idle.use_artifact(gone))
    taken(face, idle.delete())
    for call in (idle.use_artifact, idle.log_artifact):
        with pytest.raises(RunNotFoundError):
            taken(face, call(artifact))
    with pytest.raises(RunNotFoundError):
        listed(face, idle.used_artifacts())
