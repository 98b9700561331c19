"""A server that keeps what it was asked to replace: the update says so, and the run holds what the server holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.writing.stored_run import SUMMARY, again, upsert

from runql import IncompleteUpdateError, JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NESTED: dict[str, JSONValue] = {
    "lr": 0.1,
    "opt": {"name": "sgd", "momentum": {"beta": 0.9, "nesterov": True}},
    "layers": [64, 32],
}


@pytest.fixture
def merging() -> Iterator[RunningServer]:
    """A server that merges configs, with a run of nested values."""
    with RunningServer(config_merge=True) as running:
        running.seed(
            "p", [SeedRun(name="r", config=NESTED, summary=SUMMARY, tags=("a",), notes="n", group="g")]
        )
        yield running


@pytest.fixture
def merged_run(merging: RunningServer, face: Face) -> AnyRun:
    run = face.take(face.api(merging.url, merging.api_key).run(f"{merging.entity}/p/r"))
    merging.clear()
    return run


def read_through(transport: InterceptingTransport, server: RunningServer, face: Face) -> AnyRun:
    return face.take(face.api(server.url, server.api_key, transport=transport).run(f"{server.entity}/p/r"))


def operations(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def test_deleted_keys_that_come_back_are_named(
    merged_run: AnyRun, merging: RunningServer, face: Face
) -> None:
    config: Any = merged_run.config  # Any: nested values are changed
    del config["lr"], config["opt"]["momentum"]["beta"]
    config["opt"]["name"], config["new"] = "adam", 1
    merged_run.tags.append("b")
    with pytest.raises(IncompleteUpdateError, match=r"config\.lr, config\.opt\.momentum\.beta") as caught:
        face.take(merged_run.update())
    assert caught.value.failed == ("config.lr", "config.opt.momentum.beta")
    assert caught.value.written == ("config", "tags")
    assert operations(merging) == ["UpdateRun"]
    truth: dict[str, JSONValue] = {**NESTED, "new": 1}
    truth["opt"] = {"name": "adam", "momentum": {"beta": 0.9, "nesterov": True}}
    assert merged_run.config == again(merging, f"{merging.entity}/p/r").config == truth
    assert config is merged_run.config, "what a caller holds follows"
    merging.clear()
    face.take(merged_run.update())
    assert merging.requests == [], "nothing is left to write"


def test_an_object_that_is_replaced_by_another_kind_is_no_leftover(
    merged_run: AnyRun, merging: RunningServer, face: Face
) -> None:
    merged_run.config["opt"] = "adam"
    merged_run.config["layers"] = [1]
    face.take(merged_run.update())
    assert again(merging, f"{merging.entity}/p/r").config == {"lr": 0.1, "opt": "adam", "layers": [1]}


def test_the_summary_is_written_before_the_config_is_complained_of(
    merged_run: AnyRun, merging: RunningServer, face: Face
) -> None:
    del merged_run.config["lr"]
    merged_run.summary["loss"] = 0.25
    with pytest.raises(IncompleteUpdateError) as caught:
        face.take(merged_run.update())
    assert caught.value.failed == ("config.lr",)
    assert caught.value.written == ("config", "summary")
    assert again(merging, f"{merging.entity}/p/r").summary["loss"] == 0.25


def test_a_failing_summary_does_not_hide_the_config(merging: RunningServer, face: Face) -> None:
    def no_summary(sent: Sent) -> Fault:
        asked = sent.variables.get("input", {})
        return httpx.Response(403) if "summaryMetrics" in asked and sent.answer is None else None

    run = read_through(InterceptingTransport(no_summary), merging, face)
    del run.config["lr"]
    run.summary["loss"] = 0.25
    with pytest.raises(IncompleteUpdateError) as caught:
        face.take(run.update())
    assert caught.value.failed == ("config.lr", "summary")
    assert caught.value.written == ("config",)


def test_what_others_wrote_meanwhile_is_no_leftover(
    merged_run: AnyRun, merging: RunningServer, face: Face
) -> None:
    upsert(merging, merged_run.storage_id, config='{"theirs": {"value": 1}}')
    merged_run.config["lr"] = 0.3
    face.take(merged_run.update())
    assert merged_run.config == {**NESTED, "lr": 0.3, "theirs": 1}


def stubborn(server: RunningServer, face: Face, **kept: object) -> AnyRun:
    """A run whose server says that these fields are still what they were."""

    def keep(sent: Sent) -> Fault:
        if sent.operation != "UpdateRun" or sent.answer is None:
            return None
        answer = json.loads(sent.answer)
        bucket = answer["data"]["upsertBucket"]["bucket"]
        bucket.update({name: value for name, value in kept.items() if name in bucket})
        return httpx.Response(200, json=answer)

    return read_through(InterceptingTransport(keep), server, face)


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [
        ("name", "two", {"displayName": "one"}),
        ("notes", None, {"notes": "n"}),
        ("group", None, {"group": "g"}),
        ("description", "d", {"description": None}),
        ("job_type", "j", {"jobType": ""}),
        ("tags", [], {"tags": ["a"]}),
        ("tags", ["a", "b"], {"tags": ["a"]}),
    ],
)
def test_a_small_field_that_is_kept_is_named(
    member: str, value: object, kept: dict[str, object], merging: RunningServer, face: Face
) -> None:
    (kept_value,) = kept.values()
    run = stubborn(merging, face, **kept)
    setattr(run, member, value)
    with pytest.raises(IncompleteUpdateError, match=f"not updated: {member}") as caught:
        face.take(run.update())
    assert (caught.value.written, caught.value.failed) == ((), (member,))
    assert getattr(run, member) == kept_value


def test_a_summary_that_is_kept_is_named(merging: RunningServer, face: Face) -> None:
    run = stubborn(merging, face, summaryMetrics=json.dumps(SUMMARY))
    summary: Any = run.summary  # Any: nested values are changed
    del summary["_runtime"], summary["deep"]["x"]["y"]
    with pytest.raises(IncompleteUpdateError) as caught:
        face.take(run.update())
    assert (caught.value.written, caught.value.failed) == (
        ("summary",),
        ("summary._runtime", "summary.deep.x.y"),
    )
    assert dict(run.summary) == SUMMARY
    with pytest.raises(IncompleteUpdateError, match=r"summary\.loss"):
        face.take(run.summary.update(loss=7))


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        (1.0, "1"),
        (1e-05, "0.00001"),
        (float("nan"), "null"),
        (float("inf"), '"Infinity"'),
        ({"a": [1.0, None]}, '{"a": [1, null]}'),
        ("größe", '"gr\\u00f6\\u00dfe"'),
    ],
)
def test_another_spelling_of_the_same_is_no_leftover(
    asked: Any, stored: str, merging: RunningServer, face: Face
) -> None:
    run = stubborn(merging, face, config=f'{{"a": {{"value": {stored}}}, "_wandb": {{"value": {{}}}}}}')
    run.config = {"a": asked}
    face.take(run.update())


def test_a_server_that_says_nothing_of_the_config_is_believed(merging: RunningServer, face: Face) -> None:
    run = stubborn(merging, face, config=None)
    del run.config["lr"]
    face.take(run.update())
    assert "lr" not in run.config


@pytest.mark.parametrize("stored", ["{", "[]", '"x"', "[" * 5000])
def test_a_config_that_cannot_be_read_back_is_our_error(
    stored: str, merging: RunningServer, face: Face
) -> None:
    run = stubborn(merging, face, config=stored)
    del run.config["lr"]
    with pytest.raises(IncompleteUpdateError, match="config was not written"):
        face.take(run.update())
