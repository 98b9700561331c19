"""Changing a run: what is stored, what is left alone, and how many requests it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.writing.stored_run import CONFIG, SUMMARY, again, config_text, upsert

from runql import (
    AsyncRun,
    NotLoadedError,
)
from runql_server.running import RunningServer


def test_every_field_is_written_by_one_request(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    run.name, run.notes, run.description = "two", "größe ✓", "older"
    run.group, run.job_type = "h", "eval"
    run.tags.append("c")
    run.config["lr"] = 0.2
    face.take(run.update())
    assert len(server.requests) == 1
    stored = again(server, path)
    for seen in (run, stored):
        assert (seen.name, seen.display_name, seen.notes) == ("two", "two", "größe ✓")
        assert (seen.description, seen.group, seen.job_type) == ("older", "h", "eval")
        assert (seen.tags, seen.config) == (["a", "b", "c"], {"lr": 0.2, "layers": [64, 32]})
    assert dict(stored.summary) == SUMMARY


def test_a_changed_summary_is_a_second_request(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    run.notes = "m"
    run.summary["best"] = 1 / 3
    face.take(run.save())
    assert len(server.requests) == 2
    assert dict(again(server, path).summary) == SUMMARY | {"best": 1 / 3}
    face.take(run.update())
    assert len(server.requests) - 1 == 2, "one was ours to look; nothing is left to write"


def test_without_a_change_nothing_is_sent(run: AnyRun, server: RunningServer, face: Face) -> None:
    run.name, run.tags, run.config = "one", ["a", "b"], dict(CONFIG)
    run.summary["loss"] = 0.5
    face.take(run.update())
    face.take(run.update(if_unchanged=True))
    face.take(run.summary.update())
    assert len(server.requests) == 0


def test_what_others_changed_meanwhile_stays_unless_it_is_the_same_field(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    upsert(server, run.storage_id, tags=["theirs"], summaryMetrics='{"loss": 9}', groupName="theirs")
    run.notes = "mine"
    face.take(run.update())
    stored = again(server, path)
    assert (stored.notes, stored.tags, stored.group) == ("mine", ["theirs"], "theirs")
    assert dict(stored.summary) == {"loss": 9}
    assert run.tags == ["theirs"], "as the answer told"
    run.summary["loss"] = 1
    face.take(run.update())
    assert dict(again(server, path).summary) == SUMMARY | {"loss": 1}, "a summary is replaced wholly"


def test_the_sdks_entries_and_descriptions_stay_in_the_config(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    stored = {
        "lr": {"value": 1, "desc": "rate"},
        "_wandb": {"value": {"cli_version": "0.21.4"}, "desc": None},
        "wandb_version": 1,
    }
    upsert(server, run.storage_id, config=json.dumps(stored))
    face.load(run, force=True)
    run.config["lr"] = 2
    run.config["new"] = {"value": 3}
    face.take(run.update())
    assert again(server, path).rawconfig == {
        "_wandb": {"cli_version": "0.21.4"},
        "lr": 2,
        "new": {"value": 3},
    }
    text = json.loads(config_text(server, path))
    assert list(text) == ["_wandb", "lr", "new"]
    assert text["lr"] == {"value": 2, "desc": "rate"}
    assert run.rawconfig == again(server, path).rawconfig


def test_texts_can_be_emptied(run: AnyRun, server: RunningServer, path: str, face: Face) -> None:
    run.notes, run.group, run.tags, run.config = None, None, [], {}
    face.take(run.update())
    stored = again(server, path)
    assert ((stored.notes or ""), (stored.group or ""), stored.tags, stored.config) == ("", "", [], {})


def test_a_listed_light_run_is_changed_without_loading_it(
    api: AnyApi, path: str, server: RunningServer, face: Face
) -> None:
    light = face.items(face.take(api.runs(path.rpartition("/")[0], lazy=True)))[0]
    server.clear()
    light.notes = "light"
    light.tags.append("c")
    face.take(light.update())
    assert len(server.requests) == 1
    stored = again(server, path)
    assert (stored.notes, stored.tags, stored.config) == ("light", ["a", "b", "c"], CONFIG)


def test_changes_survive_that_more_is_loaded(
    api: AnyApi, path: str, server: RunningServer, face: Face
) -> None:
    light = face.items(face.take(api.runs(path.rpartition("/")[0], lazy=True)))[0]
    light.notes = "kept"
    assert light.tags == ["a", "b"]
    upsert(server, light.storage_id, tags=["a", "theirs"])
    face.load(light)
    assert (light.notes, light.tags, light.config) == ("kept", ["a", "theirs"], CONFIG)
    light.config["lr"] = 7
    face.load(light)
    assert light.config["lr"] == 7
    face.load(light, force=True)
    assert (light.notes, light.config) == ("n", CONFIG)


def test_an_awaited_light_run_says_that_its_config_is_not_here(api: AnyApi, path: str, face: Face) -> None:
    light = face.items(face.take(api.runs(path.rpartition("/")[0], lazy=True)))[0]
    if isinstance(light, AsyncRun):
        with pytest.raises(NotLoadedError):
            _ = light.summary
        with pytest.raises(NotLoadedError):
            light.config = {}
    else:
        assert light.summary["loss"] == 0.5


@pytest.mark.parametrize(
    ("member", "value"),
    [("name", 1), ("notes", b"x"), ("tags", "a,b"), ("tags", [1]), ("group", ["g"]), ("job_type", 2.5)],
)
def test_what_is_no_text_is_a_type_error(
    member: str, value: object, run: AnyRun, server: RunningServer
) -> None:
    with pytest.raises(TypeError, match="must be"):
        setattr(run, member, value)
    assert len(server.requests) == 0


def test_a_value_that_cannot_be_stored_is_refused_before_anything_is_sent(
    run: AnyRun, server: RunningServer, face: Face
) -> None:
    run.notes = "m"
    wrong: Any = object()  # Any: what an untyped caller gives
    run.config["wrong"] = wrong
    with pytest.raises(TypeError, match=r"config\['wrong'\] cannot be stored: object has no JSON form"):
        face.take(run.update())
    run.config.pop("wrong")
    run.config["_wandb"] = {}
    with pytest.raises(ValueError, match="_wandb belong to the SDK"):
        face.take(run.update())
    assert len(server.requests) == 0
