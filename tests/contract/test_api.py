"""The entry point: path forms, the viewer, defaults."""

from __future__ import annotations

import pytest
from tests.contract.face import AnyApi, Face
from tests.contract.facts import a_run
from tests.contract.world import World

from runql import PathError, User

FORMS = (
    "{entity}/{project}/{id}",
    "/{entity}/{project}/{id}",
    "{entity}/{project}/runs/{id}",
    "{entity}/{project}:{id}",
    "http://127.0.0.1:8080/{entity}/{project}/runs/{id}/overview",
)


@pytest.mark.parametrize("form", FORMS, ids=["plain", "slash", "runs", "colon", "url"])
def test_every_form_of_a_full_path_names_the_same_run(
    form: str, api: AnyApi, face: Face, world: World
) -> None:
    listed = a_run(face, api, world)
    before = api.traffic.requests
    run = face.take(api.run(form.format(entity=world.entity, project=world.project, id=listed.id)))
    assert (run.id, run.storage_id, run.entity, run.project) == (
        listed.id,
        listed.storage_id,
        world.entity,
        world.project,
    )
    assert api.traffic.requests == before + 1


@pytest.mark.parametrize("form", ["{project}/{id}", "{id}"], ids=["project-id", "id"])
def test_a_short_path_takes_the_rest_from_the_defaults(form: str, face: Face, world: World) -> None:
    overrides = {"entity": world.entity, "project": world.project}
    api = face.api(world.url, world.api_key, overrides={**overrides})
    listed = a_run(face, api, world)
    run = face.take(api.run(form.format(project=world.project, id=listed.id)))
    assert run.path == [world.entity, world.project, listed.id]
    assert run.path == listed.path


def test_without_any_entity_the_viewers_own_is_asked_for_once(api: AnyApi, face: Face, world: World) -> None:
    entity = face.take(api.default_entity)
    assert entity == world.entity or not world.is_sample
    assert face.take(api.default_entity) == entity
    assert api.traffic.requests == 1
    runs = face.take(api.runs(world.project, per_page=1, lazy=True))
    assert api.traffic.requests == 1
    assert face.take(runs[0]).entity == entity
    assert api.traffic.requests == 2


def test_the_viewer_is_the_owner_of_the_key(api: AnyApi, face: Face) -> None:
    viewer = face.take(api.viewer)
    assert isinstance(viewer, User)
    assert str(viewer) == viewer.name
    assert viewer.username
    assert viewer.entity
    assert face.take(api.viewer) == viewer
    assert api.traffic.requests == 1


def test_the_default_project_and_entity_come_from_the_overrides(face: Face, world: World) -> None:
    api = face.api(world.url, world.api_key, overrides={"entity": world.entity, "project": world.project})
    assert face.take(api.default_entity) == world.entity
    assert api.traffic.requests == 0
    runs = face.take(api.runs(per_page=1, lazy=True))
    assert face.take(runs[0]).path[:2] == [world.entity, world.project]


def test_flush_sends_nothing_and_changes_nothing(api: AnyApi, face: Face, world: World) -> None:
    run = a_run(face, api, world)
    before = api.traffic.requests
    api.flush()
    assert face.take(api.run("/".join(run.path))).storage_id == run.storage_id
    assert api.traffic.requests == before + 1


def test_making_an_entry_point_and_a_list_sends_nothing(api: AnyApi, face: Face, world: World) -> None:
    face.take(api.runs(world.path))
    assert (api.traffic.requests, api.traffic.bytes_sent, api.traffic.bytes_received) == (0, 0, 0)


@pytest.mark.parametrize("path", ["a/b/c/d", "", "a//b", "a/b:c:d", "https://wandb.ai/a", "a/\n/b", "a/ /b"])
def test_a_malformed_path_is_refused_before_anything_is_sent(path: str, face: Face) -> None:
    api = face.api("http://127.0.0.1:9", "k" * 40)
    with pytest.raises(PathError, match=r"Valid forms are entity/project/id"):
        face.take(api.run(path))
    assert api.traffic.requests == 0
