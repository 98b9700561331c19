"""One run: every documented attribute, the two shapes, reloading, waiting."""

from __future__ import annotations

import json
import math
from datetime import datetime

import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.sample_facts import CRASHED, DENSE, FAMILY, RUNNING, a_run
from tests.contract.world import World

from runql import AsyncSummary, RunStillActiveError, Summary, User

TERMINAL = {"finished", "crashed", "failed", "killed", "preempted"}


@pytest.fixture
def run(api: AnyApi, face: Face, world: World) -> AnyRun:
    return face.take(api.run("/".join(a_run(face, api, world).path)))


def test_who_and_where_it_is(run: AnyRun, api: AnyApi, world: World) -> None:
    before = api.traffic.requests
    assert (run.entity, run.project) == (world.entity, world.project)
    assert run.path == [world.entity, world.project, run.id]
    assert run.url.endswith(f"/{world.entity}/{world.project}/runs/{run.id}")
    assert run.url.startswith(api.settings.app_url)
    assert run.storage_id != run.id
    assert run.name == run.display_name
    assert isinstance(run.project_internal_id, int)
    assert repr(run) == f"<Run {world.path}/{run.id} ({run.state})>"
    assert api.traffic.requests == before == 2


def test_what_a_list_shows_of_it(run: AnyRun, sampled: World) -> None:
    assert run.state == "finished"
    assert {type(tag) for tag in run.tags} == {str}
    assert run.group
    assert run.job_type
    assert isinstance(run.user, User)
    assert str(run.user) == run.user.name
    assert datetime.fromisoformat(run.created_at) <= datetime.fromisoformat(run.heartbeat_at or "")
    assert run.history_line_count
    assert run.read_only is not True
    assert (run.notes, run.description, run.commit, run.sweep_name) == (
        run.notes or None,
        run.description or None,
        run.commit or None,
        run.sweep_name or None,
    )


def test_the_light_and_the_full_shape_say_the_same(api: AnyApi, face: Face, world: World) -> None:
    light = a_run(face, api, world)
    full = face.take(api.run("/".join(light.path)))
    names = [
        *("id", "storage_id", "name", "state", "tags", "group", "job_type", "notes", "description", "commit"),
        *("created_at", "heartbeat_at", "sweep_name", "history_line_count", "project_internal_id", "user"),
    ]
    assert {name: getattr(light, name) for name in names} == {name: getattr(full, name) for name in names}
    assert api.traffic.requests == 2


def test_config_in_its_three_forms(run: AnyRun) -> None:
    assert run.config
    assert not {"_wandb", "wandb_version"} & run.config.keys()
    assert {key: value for key, value in run.rawconfig.items() if key in run.config} == run.config
    assert run.rawconfig.keys() - run.config.keys() <= {"_wandb", "wandb_version"}
    stored = json.loads(run.json_config)
    assert {key: entry["value"] for key, entry in stored.items() if key != "_wandb"} == run.config


def test_config_keeps_types_and_nesting(run: AnyRun, sampled: World) -> None:
    assert isinstance(run.config[FAMILY], str)
    assert {str, int, float, dict} <= {type(value) for value in run.config.values()}


def test_summary_is_a_mapping_of_the_last_values(run: AnyRun) -> None:
    assert isinstance(run.summary, Summary | AsyncSummary)
    assert run.summary_metrics == dict(run.summary)
    assert len(run.summary) == len(list(run.summary))
    assert run.summary["_step"] == run.summary_metrics["_step"]
    with pytest.raises(KeyError):
        run.summary["nothing of this name was logged"]


def test_history_keys_count_what_was_logged(run: AnyRun, face: Face, sampled: World) -> None:
    keys = run.history_keys
    assert keys is not None
    assert isinstance(keys["keys"], dict)
    assert DENSE in keys["keys"]
    assert keys["lastStep"] == run.summary["_step"]


def test_last_history_step_asks_each_time(run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    step = face.take(run.lastHistoryStep)
    assert step == face.take(run.lastHistoryStep) >= 0
    assert api.traffic.requests == before + 2


def test_username_is_the_entity_and_says_that_it_is_deprecated(run: AnyRun, world: World) -> None:
    with pytest.warns(DeprecationWarning, match=r"use Run\.entity"):
        assert run.username == world.entity


def test_html_shows_the_runs_page(run: AnyRun) -> None:
    html = run.to_html(height=123)
    assert run.url in html
    assert "height:123px" in html
    assert "display:none" not in html
    assert "display:none" in run.to_html(hidden=True)
    assert "<button" in run.to_html(hidden=True)


def test_load_asks_only_when_it_must(api: AnyApi, face: Face, world: World) -> None:
    run = face.take(api.run("/".join(a_run(face, api, world).path)))
    summary = run.summary
    face.load(run)
    assert api.traffic.requests == 2
    assert run.summary is summary
    face.load(run, force=True)
    assert api.traffic.requests == 3
    assert run.summary is not summary
    assert dict(run.summary) == dict(summary)


def test_metadata_comes_through_the_file_door(run: AnyRun, api: AnyApi, face: Face, sampled: World) -> None:
    before = api.traffic.requests
    metadata = face.take(run.metadata)
    assert metadata
    assert "startedAt" in metadata
    assert api.traffic.requests == before + 2


def test_waiting_for_a_run_that_is_over_asks_once(run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    face.wait(run, None)
    assert run.state in TERMINAL
    assert api.traffic.requests == before + 1


def test_waiting_for_a_crashed_run_ends_too(api: AnyApi, face: Face, sampled: World) -> None:
    run = a_run(face, api, sampled, CRASHED)
    face.wait(run, None)
    assert run.state == "crashed"
    assert api.traffic.requests == 2


def test_waiting_for_a_running_run_gives_up_in_time(api: AnyApi, face: Face, sampled: World) -> None:
    run = a_run(face, api, sampled, RUNNING)
    with pytest.raises(RunStillActiveError, match=f"{run.id} is still running after 0 s") as caught:
        face.wait(run, 0)
    assert isinstance(caught.value, TimeoutError)
    assert api.traffic.requests == 2


@pytest.mark.parametrize("timeout", [-1.0, math.nan])
def test_a_time_to_wait_that_is_none_is_refused(timeout: float, run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    with pytest.raises(ValueError, match="timeout"):
        face.wait(run, timeout)
    assert api.traffic.requests == before
