"""Creating and deleting runs: what is there afterwards, and how many requests it takes."""

from __future__ import annotations

import json
import re

import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.writing.stored_run import CONFIG, FULL, KEY, again

from runql import (
    AccessDeniedError,
    Api,
    AsyncRun,
    AuthenticationError,
    ConfigurationError,
    InvalidAnswerError,
    ProjectNotFoundError,
    QueryError,
    Run,
    RunNotFoundError,
    RunqlError,
)
from runql_server.running import RunningServer


def create(face: Face, api: AnyApi, run_id: str | None = None, project: str | None = None) -> AnyRun:
    if isinstance(api, Api):
        return Run.create(api, run_id, project)
    return face.take(AsyncRun.create(api, run_id, project))


def test_a_run_is_created_by_one_request(
    api: AnyApi, server: RunningServer, project: str, face: Face
) -> None:
    face.take(api.default_entity)
    server.clear()
    run = create(face, api, "mine", project)
    assert len(server.requests) == 1
    assert (run.id, run.entity, run.project, run.state) == ("mine", server.entity, project, "running")
    assert (run.config, dict(run.summary), run.tags) == ({}, {}, [])
    assert len(server.requests) == 1
    assert again(server, f"{server.entity}/{project}/mine").storage_id == run.storage_id


def test_creating_again_gives_the_run_as_it_is(api: AnyApi, path: str, project: str, face: Face) -> None:
    run = create(face, api, "r", project)
    assert (run.config, run.tags, run.name) == (CONFIG, ["a", "b"], "one")


def test_what_is_not_given_is_chosen(api: AnyApi, server: RunningServer, face: Face) -> None:
    run, other = create(face, api), create(face, api)
    assert run.project == "uncategorized"
    assert re.fullmatch(r"[a-z0-9]{8}", run.id)
    assert run.id != other.id


def test_the_projects_setting_counts(server: RunningServer, project: str, face: Face) -> None:
    api = face.api(server.url, server.api_key, overrides={"project": project})
    assert create(face, api).project == project


@pytest.mark.parametrize("run_id", ["", " ", "a/b", "a:b", "a?", "a\x00", "x" * 129])
def test_an_id_that_cannot_be_one_is_refused_before_anything_is_sent(
    run_id: str, api: AnyApi, server: RunningServer, face: Face
) -> None:
    server.clear()
    with pytest.raises(ValueError, match="run_id must have 1 to 128"):
        create(face, api, run_id)
    assert len(server.requests) == 0


@pytest.mark.parametrize(
    "answer", [{"upsertBucket": None}, {"upsertBucket": {"bucket": None, "place": None}}]
)
def test_a_server_that_makes_no_run_is_told(answer: object, scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data(answer)
    with pytest.raises(ProjectNotFoundError, match="project e/p"):
        create(face, face.api(scripted.url, KEY, overrides={"entity": "e"}), "r", "p")


def test_the_id_of_a_deleted_run_is_told(scripted: ScriptedServer, face: Face) -> None:
    scripted.give(ScriptedResponse(b'{"errors": []}', 410))
    with pytest.raises(InvalidAnswerError, match="run e/p/r was deleted, and its id cannot be used again"):
        create(face, face.api(scripted.url, KEY, overrides={"entity": "e"}), "r", "p")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ScriptedResponse(b"no", 403), AccessDeniedError),
        (ScriptedResponse(b'{"errors": [{"message": "permission denied"}]}'), QueryError),
        (ScriptedResponse(b"no", 401), AuthenticationError),
    ],
    ids=["403", "errors", "401"],
)
def test_a_run_that_may_not_be_made_is_told_by_one_request(
    answer: ScriptedResponse, error: type[RunqlError], scripted: ScriptedServer, face: Face
) -> None:
    scripted.give(answer)
    with pytest.raises(error):
        create(face, face.api(scripted.url, KEY, overrides={"entity": "e"}), "r", "p")
    assert len(scripted.asked) == 1


def test_without_an_entity_nothing_is_created(scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data({"viewer": {"id": "u", "name": "Ada"}})
    with pytest.raises(ConfigurationError, match=r"pass entity=\.\.\."):
        create(face, face.api(scripted.url, KEY), "r", "p")
    assert len(scripted.asked) == 1


def test_a_deleted_run_is_gone(run: AnyRun, server: RunningServer, path: str, face: Face) -> None:
    face.take(run.delete())
    assert len(server.requests) == 1
    with pytest.raises(RunNotFoundError):
        face.load(run, force=True)


@pytest.mark.parametrize(
    ("with_artifacts", "sent"), [(False, {"id": "R"}), (True, {"id": "R", "deleteArtifacts": True})]
)
def test_artifacts_are_named_only_when_they_go_too(
    with_artifacts: bool, sent: object, scripted: ScriptedServer, face: Face
) -> None:
    run = face.run(face.client(scripted.url, KEY), "e", "p", "r", FULL)
    scripted.give_data({"deleteRun": {"clientMutationId": None}})
    face.take(run.delete(with_artifacts))
    body = json.loads(scripted.asked[0].body)
    assert body["variables"] == {"input": sent}
    assert "deleteArtifacts" not in body["query"]
