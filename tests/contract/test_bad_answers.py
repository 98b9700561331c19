"""Answers that cannot be used: their own clear error each, and the number of requests it took."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest
from tests.contract.both_clients import AnyRuns, Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.ports import refusing

from runql import (
    AccessDeniedError,
    AuthenticationError,
    ConnectionFailedError,
    IncompleteHistoriesError,
    InvalidAnswerError,
    PaginationError,
    ProjectNotFoundError,
    QueryError,
    RateLimitedError,
    RequestTimedOutError,
    RetryPolicy,
    RunNotFoundError,
    RunqlError,
    SchemaDriftError,
    ServerFailureError,
)

KEY = "k" * 40
TWICE = RetryPolicy(max_attempts=2, first_delay=0.001)
HTML = b"<!doctype html><title>Sign in</title>"


def node(number: int) -> dict[str, object]:
    """A run as a server tells of it."""
    return {"id": f"R{number}", "name": f"r{number}", "projectId": "1", "createdAt": "2026-01-01T00:00:00"}


def page(numbers: range, cursor: str | None, *, more: bool, total: int = 4) -> dict[str, Any]:  # Any: JSON
    """A page of runs as a server answers it."""
    edges = [{"cursor": f"c{number}", "node": node(number)} for number in numbers]
    info = {"endCursor": cursor, "hasNextPage": more}
    return {
        "project": {
            "name": "p",
            "entityName": "e",
            "runs": {"totalCount": total, "pageInfo": info, "edges": edges},
        }
    }


def errors(*messages: str, data: object = None, path: list[str | int] | None = None) -> bytes:
    """A GraphQL answer that holds errors."""
    problems = [{"message": message, "path": path or []} for message in messages]
    return json.dumps({"data": data, "errors": problems}).encode()


@pytest.fixture
def runs(scripted: ScriptedServer, face: Face) -> AnyRuns:
    return face.runs(face.client(scripted.url, KEY), "e", "p", per_page=2)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            ScriptedResponse(HTML),
            InvalidAnswerError,
            "not a GraphQL response: is WANDB_BASE_URL the API's address",
        ),
        (ScriptedResponse(b""), InvalidAnswerError, "not a GraphQL response"),
        (ScriptedResponse(b"[1]"), InvalidAnswerError, "not a GraphQL response"),
        (ScriptedResponse(b'{"data": null}'), InvalidAnswerError, "not a GraphQL response"),
        (
            ScriptedResponse(HTML, 404),
            InvalidAnswerError,
            "the server responded with status 404: is WANDB_BASE_URL right",
        ),
        (
            ScriptedResponse(HTML, 302, {"Location": "/login"}),
            InvalidAnswerError,
            "the server responded with status 302",
        ),
        (
            ScriptedResponse(b'{"error": "no"}', 401),
            AuthenticationError,
            r"does not accept the API key \(401\): no",
        ),
        (ScriptedResponse(b'{"error": "no"}', 403), AccessDeniedError, r"may not do this \(403\): no"),
        (ScriptedResponse(errors("denied"), 403), AccessDeniedError, r"may not do this \(403\): denied"),
        (ScriptedResponse(b"busy", 429, {"Retry-After": "7"}), RateLimitedError, "asks to wait 7 s"),
        (ScriptedResponse(HTML, 502), ServerFailureError, r"the server failed \(502\)"),
        (ScriptedResponse(errors("a", "b")), QueryError, r"^a; b \[ListFullRuns\]$"),
        (ScriptedResponse(errors("bad variable"), 400), QueryError, "bad variable"),
        (
            ScriptedResponse(b'{"data": {"project": {"name": "p", "entityName": "e", "runs": {}}}}'),
            SchemaDriftError,
            "project.runs.totalCount: Field required",
        ),
    ],
    ids=[
        *("html", "empty", "list", "no data", "404", "302", "401", "403", "graphql 403", "429", "502"),
        *("graphql", "graphql 400", "drift"),
    ],
)
def test_an_answer_that_is_a_refusal_is_one_request(
    answer: ScriptedResponse,
    error: type[RunqlError],
    text: str,
    runs: AnyRuns,
    scripted: ScriptedServer,
    face: Face,
) -> None:
    scripted.give(answer)
    with pytest.raises(error, match=text):
        face.take(runs[0])
    assert len(scripted.asked) == 1


def test_graphql_errors_keep_the_data_that_came_along(
    runs: AnyRuns, scripted: ScriptedServer, face: Face
) -> None:
    data = page(range(2), "c1", more=False)
    scripted.give(ScriptedResponse(errors("summary is broken", data=data, path=["project", "runs", 0])))
    with pytest.raises(QueryError, match="summary is broken") as caught:
        face.take(runs[0])
    assert caught.value.data == data
    assert caught.value.problems[0].path == ("project", "runs", 0)
    assert caught.value.operation == "ListFullRuns"


def test_a_null_project_is_no_project(scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data({"project": None})
    client = face.client(scripted.url, KEY)
    run = face.run(client, "e", "p", "r0", node(0))
    for call in (
        lambda: face.take(face.runs(client, "e", "p")[0]),
        lambda: face.take(face.runs(client, "e", "p").histories()),
        lambda: face.load(run, force=True),
        lambda: face.take(run.history(pandas=False)),
        lambda: face.items(run.scan_history()),
        lambda: face.take(run.lastHistoryStep),
        lambda: face.take(run.metadata),
        lambda: face.wait(run, 1),
    ):
        sent = len(scripted.asked)
        with pytest.raises(ProjectNotFoundError, match="project e/p does not exist"):
            call()
        assert len(scripted.asked) == sent + 1


def test_a_null_run_is_no_run(scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data({"project": {"run": None}})
    run = face.run(face.client(scripted.url, KEY), "e", "p", "r0", node(0))
    for call in (
        lambda: face.load(run, force=True),
        lambda: face.take(run.history(pandas=False)),
        lambda: face.items(run.scan_history()),
        lambda: face.take(run.lastHistoryStep),
        lambda: face.take(run.metadata),
        lambda: face.wait(run, 1),
    ):
        sent = len(scripted.asked)
        with pytest.raises(RunNotFoundError, match="run e/p/r0 does not exist"):
            call()
        assert len(scripted.asked) == sent + 1


@pytest.mark.parametrize("cursor", ["c1", None], ids=["same", "none"])
def test_a_cursor_that_stands_still_ends_the_reading_and_keeps_what_was_read(
    cursor: str | None, runs: AnyRuns, scripted: ScriptedServer, face: Face
) -> None:
    empty = range(2) if cursor else range(0)
    scripted.give_data(page(range(2), "c1", more=True), page(empty, cursor, more=True))
    with pytest.raises(PaginationError, match="its cursor stands still at"):
        face.items(runs)
    assert len(scripted.asked) == 2
    assert [run.id for run in face.items(runs, 2)] == ["r0", "r1"]
    assert len(scripted.asked) == 2


def test_a_cursor_that_stands_still_ends_histories_too(
    runs: AnyRuns, scripted: ScriptedServer, face: Face
) -> None:
    first = page(range(2), "c1", more=True)
    first["project"]["runs"]["edges"][0]["node"]["history"] = ['{"_step": 0}']
    scripted.give_data(first)
    with pytest.raises(IncompleteHistoriesError, match="its cursor stands still at 'c1'") as caught:
        face.take(runs.histories())
    assert isinstance(caught.value.__cause__, PaginationError)
    assert caught.value.partial == [{"_step": 0, "run_id": "r0"}]
    assert len(scripted.asked) == 2


def test_a_missing_end_cursor_is_the_last_edges(runs: AnyRuns, scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data(page(range(2), None, more=True), page(range(2, 4), None, more=False))
    assert [run.id for run in face.items(runs)] == ["r0", "r1", "r2", "r3"]
    assert [json.loads(asked.body)["variables"].get("after") for asked in scripted.asked] == [None, "c1"]


def test_a_host_that_is_not_reachable_is_named_at_once(face: Face) -> None:
    with refusing() as url:
        client = face.client(url, KEY, retry=TWICE)
        host = re.escape(url.removeprefix("http://"))
        text = rf"no response from {host}.*Check WANDB_BASE_URL.*ListFullRuns"
        with pytest.raises(ConnectionFailedError, match=text):
            face.take(face.runs(client, "e", "p")[0])
    assert client.traffic.requests == 1


def test_a_host_that_says_nothing_is_given_up_in_time(face: Face) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = face.client(f"http://127.0.0.1:{silent.getsockname()[1]}", KEY, timeout=0.05)
        with pytest.raises(RequestTimedOutError, match=r"0\.05 s") as caught:
            face.take(face.runs(client, "e", "p")[0])
    assert isinstance(caught.value, TimeoutError)
    assert client.traffic.requests == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_failure_that_passes_is_tried_again(status: int, scripted: ScriptedServer, face: Face) -> None:
    scripted.give(ScriptedResponse(HTML, status))
    scripted.give_data(page(range(1), "c0", more=False, total=1))
    client = face.client(scripted.url, KEY, retry=TWICE)
    assert [run.id for run in face.items(face.runs(client, "e", "p"))] == ["r0"]
    assert client.traffic.requests == len(scripted.asked) == 2
    assert scripted.asked[0].body == scripted.asked[1].body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_a_refusal_is_not_tried_again(status: int, scripted: ScriptedServer, face: Face) -> None:
    scripted.give(ScriptedResponse(HTML, status))
    client = face.client(scripted.url, KEY, retry=TWICE)
    with pytest.raises(RunqlError):
        face.take(face.runs(client, "e", "p")[0])
    assert len(scripted.asked) == 1
