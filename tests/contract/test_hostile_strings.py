"""A server whose every string is hostile: errors and log lines stay one bounded line, over HTTP."""

from __future__ import annotations

import json
import logging

import pytest
from tests.contract.both_clients import Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, taken
from tests.unit import test_escaping
from tests.unit.test_escaping import is_safe

from runql import AnswerError, QueryError, RunqlError

KEY = "k" * 40
HOSTILE = {name: string[:20_000] for name, string in test_escaping.HOSTILE.items()}


def errors_of(message: str) -> bytes:
    entry = {"message": message, "path": [message, 1]}
    return json.dumps({"errors": [entry] * 20, "data": {message: None}}).encode()


def body_of(message: str, form: str) -> bytes:
    if form == "GraphQL":
        return errors_of(message)
    if form == "error":
        return json.dumps({"error": message}).encode()
    return message.encode("utf-8", "surrogatepass")


@pytest.fixture
def api(face: Face, scripted: ScriptedServer) -> Untyped:
    return face.api(scripted.url, KEY).with_options(retries=1)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["GraphQL", "error", "text"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 422, 500])
def test_each_status_with_each_body(
    status: int,
    form: str,
    name: str,
    face: Face,
    scripted: ScriptedServer,
    api: Untyped,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "runql")
    headers = {"X-Request-Id": "id\x1b[31m" + "9" * 500, "Retry-After": "0"}
    scripted.give(ScriptedResponse(body_of(HOSTILE[name], form), status, headers))
    with pytest.raises(AnswerError) as caught:
        taken(face, api.with_options(retries=0).run("e/p/r"))
    assert is_safe(str(caught.value))
    if isinstance(caught.value, QueryError):
        assert caught.value.problems[0].message == HOSTILE[name]
    for record in caplog.records:
        assert is_safe(record.getMessage())


@pytest.mark.parametrize("name", [name for name in HOSTILE if "long" not in name])
def test_names_in_responses(name: str, face: Face, scripted: ScriptedServer, api: Untyped) -> None:
    hostile = HOSTILE[name]
    scripted.give_data({"project": {"name": hostile, "entityName": hostile, "run": {"name": hostile}}})
    with pytest.raises(RunqlError) as caught:
        taken(face, api.run("e/p/r"))
    assert is_safe(str(caught.value))


@pytest.mark.parametrize("header", ["bad header\x1b[2J: 1", "Content-Length: 1\x1b[2J"])
def test_what_the_http_library_says(header: str, face: Face, scripted: ScriptedServer, api: Untyped) -> None:
    name, _, value = header.partition(": ")
    scripted.give(ScriptedResponse(b"{}", headers={name: value}))
    with pytest.raises(RunqlError) as caught:
        taken(face, api.with_options(retries=0).run("e/p/r"))
    assert is_safe(str(caught.value))
