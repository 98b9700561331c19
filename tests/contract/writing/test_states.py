"""Stopping runs, putting them in another state, creating pending ones; creating projects."""

from __future__ import annotations

import httpx
import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.scripted_server import ScriptedServer
from tests.contract.untyped import Untyped, taken
from tests.contract.writing.stored_run import FULL, KEY, again

from runql import (
    Api,
    AsyncRun,
    ChangeRefusedError,
    NotFoundError,
    PathError,
    QueryError,
    Run,
    RunNotFoundError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture
def running(api: Untyped, server: RunningServer, project: str, face: Face) -> Untyped:
    server.seed(project, [SeedRun(name="live", state="running"), SeedRun(name="over", state="finished")])
    found = taken(face, api.run(f"{server.entity}/{project}/live"))
    server.clear()
    return found


def operations(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def test_a_run_is_asked_to_stop_by_one_request_as_often_as_one_likes(
    running: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    taken(face, running.stop())
    taken(face, running.stop())
    assert operations(server) == ["StopRun", "StopRun"]
    # Its process reads the flag with its next sign of life; until then it runs.
    assert running.state == again(server, f"{server.entity}/{project}/live").state == "running"
    assert _stopped(server, project)


def _stopped(server: RunningServer, project: str) -> bool:
    query = 'query Q($p: String!) { project(name: $p) { run(name: "live") { stopped } } }'
    reply = httpx.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": {"p": project}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    return bool(reply.json()["data"]["project"]["run"]["stopped"])


@pytest.mark.parametrize("data", [{"stopRun": None}, {"stopRun": {"success": False}}])
def test_a_stop_that_the_server_does_not_take_is_an_error(
    data: object, scripted: ScriptedServer, face: Face
) -> None:
    run = face.run(face.client(scripted.url, KEY), "e", "p", "r", FULL)
    scripted.give_data(data)
    with pytest.raises(ChangeRefusedError, match="stop flag of run e/p/r"):
        taken(face, run.stop())


def test_stopping_a_run_that_is_gone_says_so(
    running: Untyped, api: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    taken(face, taken(face, api.run(f"{server.entity}/{project}/live")).delete())
    for asked in (running.stop, lambda: running.update_state("failed")):
        with pytest.raises(RunNotFoundError, match="live"):
            taken(face, asked())


def test_a_state_is_changed_on_the_server_and_here(
    running: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    assert taken(face, running.update_state("pending")) is True
    assert running.state == again(server, f"{server.entity}/{project}/live").state == "pending"
    assert taken(face, running.update_state("failed")) is True
    assert running.state == again(server, f"{server.entity}/{project}/live").state == "failed"
    assert operations(server).count("UpdateRunState") == 2
    assert len(server.requests) == 4


def test_a_state_that_no_run_can_be_put_in_is_refused_before_anything_is_sent(
    running: Untyped, server: RunningServer, face: Face
) -> None:
    with pytest.raises(ValueError, match="state must be 'pending' or 'failed', not 'finished'"):
        taken(face, running.update_state("finished"))
    assert server.requests == []


def test_a_state_that_the_present_one_does_not_lead_to_is_the_servers_error(
    api: Untyped, running: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    over = taken(face, api.run(f"{server.entity}/{project}/over"))
    with pytest.raises(QueryError, match="invalid state transition"):
        taken(face, over.update_state("failed"))
    assert over.state == "finished"


def test_a_state_that_the_server_did_not_take_is_not_the_runs(scripted: ScriptedServer, face: Face) -> None:
    run = face.run(face.client(scripted.url, KEY), "e", "p", "r", {**FULL, "state": "running"})
    scripted.give_data({"updateRunState": {"success": False}})
    assert taken(face, run.update_state("failed")) is False
    assert run.state == "running"


def created(face: Face, api: Untyped, run_id: str, project: str, state: Untyped) -> AnyRun:
    if isinstance(api, Api):
        return Run.create(api, run_id, project, state=state)
    made: AnyRun = taken(face, AsyncRun.create(api, run_id, project, state=state))
    return made


def test_a_pending_run_is_created(api: Untyped, server: RunningServer, project: str, face: Face) -> None:
    made = created(face, api, "later", project, "pending")
    assert made.state == again(server, f"{server.entity}/{project}/later").state == "pending"
    server.clear()
    with pytest.raises(ValueError, match="state must be 'running' or 'pending', not 'finished'"):
        created(face, api, "other", project, "finished")
    assert server.requests == []


def test_the_entry_point_creates_runs(api: Untyped, server: RunningServer, project: str, face: Face) -> None:
    taken(face, api.default_entity)
    server.clear()
    made = taken(face, api.create_run(run_id="mine", project=project))
    assert (made.id, made.project, made.state, made.config) == ("mine", project, "running", {})
    assert operations(server) == ["CreateRun"]
    assert len(taken(face, api.create_run()).id) == 8


def test_the_entry_point_creates_projects(
    api: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    made = taken(face, api.create_project(project, server.entity))
    assert operations(server) == ["CreateProject"]
    assert (made.name, made.entity, made.entity_name) == (project, server.entity, server.entity)
    assert str(made.owner) == made.owner.name
    # Once more it is the same one, and the default entity is the viewer's.
    assert taken(face, api.create_project(project)).id == made.id
    assert taken(face, taken(face, api.project(project)).runs().length) == 0


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a#b", "x" * 129, "a\nb"])
def test_a_name_that_no_project_can_have_is_refused_before_anything_is_sent(
    name: str, api: Untyped, server: RunningServer, face: Face
) -> None:
    with pytest.raises(PathError, match="cannot be a project's name"):
        taken(face, api.create_project(name, "e"))
    with pytest.raises(TypeError, match="name must be a str"):
        taken(face, api.create_project(None, "e"))
    assert server.requests == []


@pytest.mark.parametrize("data", [{"upsertModel": None}, {"upsertModel": {"project": None}}])
def test_a_server_that_makes_no_project_is_an_error(
    data: object, scripted: ScriptedServer, face: Face
) -> None:
    scripted.give_data(data)
    api: Untyped = face.api(scripted.url, KEY)
    with pytest.raises(NotFoundError, match="made no project e/p"):
        taken(face, api.create_project("p", "e"))
