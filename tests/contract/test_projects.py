"""Projects and users, read from an embedded server of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken

from runql import PathError, ProjectNotFoundError, User
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NAMES = [f"project {n}" for n in range(5)]


@pytest.fixture(scope="module")
def _holder() -> Iterator[RunningServer]:
    with RunningServer() as running:
        for number, name in enumerate(NAMES):
            running.seed(name, [SeedRun(name=f"run{n}") for n in range(number)])
        yield running


@pytest.fixture
def holder(_holder: RunningServer) -> RunningServer:
    """A server with five projects that has received nothing yet."""
    _holder.clear()
    return _holder


@pytest.fixture
def api(holder: RunningServer, face: Face) -> Untyped:
    return face.api(holder.url, holder.api_key)


def operations(holder: RunningServer) -> list[str | None]:
    return [request.operation for request in holder.requests]


def test_projects_are_read_page_by_page(api: Untyped, face: Face, holder: RunningServer) -> None:
    projects = taken(face, api.projects(holder.entity, per_page=2))
    assert holder.requests == []
    assert taken(face, projects[1]).name == NAMES[1]
    assert operations(holder) == ["ListProjects"]
    assert [project.name for project in listed(face, projects)] == NAMES
    assert taken(face, projects.length) == 5
    assert operations(holder) == ["ListProjects"] * 3


def test_the_count_reads_all_pages(api: Untyped, face: Face, holder: RunningServer) -> None:
    projects = taken(face, api.projects(holder.entity, per_page=4))
    assert taken(face, projects.length) == 5
    assert operations(holder) == ["ListProjects"] * 2


def test_without_an_entity_it_is_the_default_one(api: Untyped, face: Face, holder: RunningServer) -> None:
    projects = taken(face, api.projects())
    assert len(listed(face, projects)) == 5
    assert operations(holder) == ["GetViewer", "ListProjects"]


def test_a_project_tells_what_it_is_by_one_request(api: Untyped, face: Face, holder: RunningServer) -> None:
    project = taken(face, api.project(NAMES[3], holder.entity))
    assert operations(holder) == ["GetProject"]
    assert (project.name, project.entity, project.path) == (
        NAMES[3],
        holder.entity,
        [holder.entity, NAMES[3]],
    )
    assert project.url == f"{holder.url}/{holder.entity}/project%203/workspace"
    assert (project.description, project.access, project.is_benchmark) == (None, None, False)
    assert project.id
    assert project.created_at
    assert project.updated_at
    assert repr(project) == f"<Project {holder.entity}/{NAMES[3]}>"
    assert len(holder.requests) == 1


@pytest.mark.parametrize("with_entity", [True, False])
def test_the_entity_may_stand_in_the_name(
    with_entity: bool, api: Untyped, face: Face, holder: RunningServer
) -> None:
    name = f"{holder.entity}/{NAMES[0]}" if with_entity else NAMES[0]
    assert taken(face, api.project(name)).name == NAMES[0]
    assert operations(holder) == (["GetProject"] if with_entity else ["GetViewer", "GetProject"])


def test_its_runs_and_sweeps_are_listed(api: Untyped, face: Face, holder: RunningServer) -> None:
    project = taken(face, api.project(NAMES[4], holder.entity))
    assert len(listed(face, project.runs(order="-created_at", per_page=3))) == 4
    assert [run.id for run in listed(face, project.runs({"name": "run2"}, lazy=True))] == ["run2"]
    sweeps = project.sweeps()
    assert listed(face, sweeps) == []
    assert taken(face, sweeps.length) == 0
    assert operations(holder) == ["GetProject", "ListFullRuns", "ListFullRuns", "ListRuns", "ListSweeps"]


def test_its_sweeps_come_page_by_page(api: Untyped, face: Face, holder: RunningServer) -> None:
    with holder.store.writing() as connection:
        moment = "2026-01-01T00:00:00"
        number = connection.execute("SELECT id FROM projects WHERE name = ?", (NAMES[1],)).fetchone()[0]
        connection.execute("DELETE FROM sweeps")
        connection.executemany(
            """INSERT INTO sweeps (project_id, name, state, config, created_at, updated_at)
               VALUES (?, ?, 'RUNNING', '{"method": "grid"}', ?, ?)""",
            [(number, f"s{n}", moment, moment) for n in range(5)],
        )
    sweeps = taken(face, api.project(NAMES[1], holder.entity)).sweeps(per_page=2)
    assert taken(face, sweeps.length) == 5
    assert [sweep.id for sweep in listed(face, sweeps)] == [f"s{n}" for n in range(5)]
    assert taken(face, sweeps[-1]).config == {"method": "grid"}
    assert operations(holder) == ["GetProject", *["ListSweeps"] * 3]


def test_what_is_absent_is_an_error(api: Untyped, face: Face, holder: RunningServer) -> None:
    with pytest.raises(ProjectNotFoundError):
        taken(face, api.project("nope", holder.entity))
    with pytest.raises(ProjectNotFoundError):
        taken(face, api.project(NAMES[0], "nobody"))


@pytest.mark.parametrize("name", ["a/b/c", " ", "a:b"])
def test_a_name_that_is_no_projects_is_refused_before_anything_is_sent(
    name: str, api: Untyped, face: Face, holder: RunningServer
) -> None:
    with pytest.raises(PathError):
        taken(face, api.project(name))
    assert holder.requests == []


@pytest.mark.parametrize("per_page", [0, -1])
def test_a_page_holds_something(per_page: int, api: Untyped, face: Face, holder: RunningServer) -> None:
    with pytest.raises(ValueError, match="per_page"):
        taken(face, api.projects(holder.entity, per_page))
    assert holder.requests == []


def test_users_are_found(api: Untyped, face: Face, holder: RunningServer) -> None:
    user = taken(face, api.user(holder.entity))
    assert isinstance(user, User)
    assert user.username == holder.entity
    assert taken(face, api.users(holder.entity)) == [user]
    assert taken(face, api.user("nobody at all")) is None
    assert taken(face, api.users("nobody at all")) == []
    assert operations(holder) == ["ListUsers"] * 4
