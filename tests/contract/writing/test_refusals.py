"""Writes that are refused or fail: nothing half-written is called done, and no change is forgotten."""

from __future__ import annotations

import math

import httpx
import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.writing.stored_run import FULL, KEY, again, upsert

from runql import (
    AccessDeniedError,
    IncompleteUpdateError,
    QueryError,
    RunChangedError,
    RunNotFoundError,
    ServerFailureError,
)
from runql_server.running import RunningServer


def test_an_unchanged_run_is_written_by_one_request_more(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    run.notes = "m"
    face.take(run.update(if_unchanged=True))
    assert len(server.requests) == 2
    run.summary["loss"] = math.nan
    face.take(run.update(if_unchanged=True))
    run.summary["loss"] = 1
    face.take(run.update(if_unchanged=True))
    assert again(server, path).summary["loss"] == 1


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"tags": ["a"]}, ("tags",)),
        ({"notes": "theirs"}, ("notes",)),
        ({"config": "{}"}, ("config",)),
        ({"summaryMetrics": "{}", "displayName": "x"}, ("name", "summary")),
    ],
)
def test_a_run_that_changed_is_not_written(
    given: dict[str, object],
    fields: tuple[str, ...],
    run: AnyRun,
    server: RunningServer,
    path: str,
    face: Face,
) -> None:
    upsert(server, run.storage_id, **given)
    server.clear()
    run.group = "mine"
    with pytest.raises(RunChangedError, match="has changed since it was read") as caught:
        face.take(run.update(if_unchanged=True))
    assert caught.value.fields == fields
    assert len(server.requests) == 1
    assert again(server, path).group == "g"
    face.load(run, force=True)
    run.group = "mine"
    face.take(run.update(if_unchanged=True))
    assert again(server, path).group == "mine"


def test_a_run_deleted_meanwhile_is_told(run: AnyRun, path: str, api: AnyApi, face: Face) -> None:
    face.take(face.take(api.run(path)).delete())
    run.notes = "m"
    run.summary["loss"] = 1
    with pytest.raises(RunNotFoundError, match=r"run .*/r does not exist"):
        face.take(run.update())
    with pytest.raises(RunNotFoundError):
        face.take(run.update(if_unchanged=True))
    with pytest.raises(RunNotFoundError):
        face.take(run.summary.update())
    with pytest.raises(RunNotFoundError):
        face.take(run.delete())
    assert run.notes == "m"


def test_a_half_written_update_says_so_and_can_be_finished(
    path: str, server: RunningServer, face: Face
) -> None:
    broken = True

    def fail(sent: Sent) -> Fault:
        if broken and sent.answer is None and "summaryMetrics" in sent.variables.get("input", {}):
            return httpx.Response(403, text="no")
        return None

    run = face.take(face.api(server.url, server.api_key, transport=InterceptingTransport(fail)).run(path))
    run.notes = "written"
    run.summary["loss"] = 1
    with pytest.raises(
        IncompleteUpdateError, match=r"notes was written, summary was not: .*\(403\)"
    ) as caught:
        face.take(run.update())
    assert (caught.value.written, caught.value.failed) == (("notes",), ("summary",))
    assert isinstance(caught.value.__cause__, AccessDeniedError)
    assert again(server, path).notes == "written"
    broken = False
    face.take(run.update())
    assert again(server, path).summary["loss"] == 1


def test_a_lost_answer_is_no_reason_to_give_up_an_update(
    path: str, server: RunningServer, face: Face
) -> None:
    lost: list[str] = []

    def lose(sent: Sent) -> Fault:
        if sent.answer is not None and sent.operation == "UpdateRun" and not lost:
            lost.append(sent.operation)
            return httpx.ReadError("gone")
        return None

    run = face.take(face.api(server.url, server.api_key, transport=InterceptingTransport(lose)).run(path))
    run.notes = "m"
    face.take(run.update())
    assert lost
    assert again(server, path).notes == "m"


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [
        (ScriptedResponse(b"no", 403), AccessDeniedError, 1),
        (ScriptedResponse(b"no", 410), RunNotFoundError, 1),
        (ScriptedResponse(b"no", 501), ServerFailureError, 1),
        (ScriptedResponse(b'{"data": {"upsertBucket": null, "deleteRun": null}}'), RunNotFoundError, 1),
        (ScriptedResponse(b'{"errors": [{"message": "permission denied"}]}'), QueryError, 2),
    ],
)
def test_a_refusal_keeps_what_was_changed(
    answer: ScriptedResponse, error: type[Exception], requests: int, scripted: ScriptedServer, face: Face
) -> None:
    run = face.run(face.client(scripted.url, KEY), "e", "p", "r", FULL)
    run.notes = "m"
    scripted.give(answer)
    for count, write in enumerate((run.update, run.delete), start=1):
        with pytest.raises(error):
            face.take(write())
        assert len(scripted.asked) == count * requests
    assert run.notes == "m"
