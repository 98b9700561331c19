"""What a server keeps or answers and nobody can read: our error, which names what it is of."""

from __future__ import annotations

import json
from typing import Final

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.test_sweeps import make_sweep
from tests.contract.untyped import Untyped, listed, taken

from runql import InvalidAnswerError, JSONValue, UnreadableValueError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

KEY = "k" * 40
JSON_TEXTS: Final = frozenset({"config", "summaryMetrics", "systemMetrics", "metadata"})
CORRUPT = ["{", "[1]", '"x"', '{"a": }', "[" * 100_000, "\ud800", '{"a": ' + "9" * 5000 + "}"]
IDS = ["cut", "list", "str", "hole", "deep", "half a pair", "digits"]


def corrupting(server: RunningServer, face: Face, text: str) -> Untyped:
    """An entry point to which every JSON text of runs, sweeps and artifacts comes corrupt."""

    def corrupt(sent: Sent) -> Fault:
        if sent.answer is None:
            return None
        return httpx.Response(200, content=json.dumps(_spoiled(json.loads(sent.answer), text)).encode())

    return face.api(server.url, server.api_key, transport=InterceptingTransport(corrupt))


def _spoiled(value: JSONValue, text: str) -> JSONValue:
    if isinstance(value, dict):
        return {
            key: text if key in JSON_TEXTS and isinstance(member, str) else _spoiled(member, text)
            for key, member in value.items()
        }
    return [_spoiled(member, text) for member in value] if isinstance(value, list) else value


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    server.seed(project, [SeedRun(name="r", config={"lr": 1}, summary={"loss": 1}, events=[{"cpu": 1}])])
    server.seed_artifacts(project, [SeedArtifact(name="rows", files={"a": b"a"}, metadata={"a": 1})])
    return f"{server.entity}/{project}"


@pytest.mark.parametrize("text", CORRUPT, ids=IDS)
def test_a_run_is_read_and_what_cannot_be_read_says_so(
    text: str, face: Face, server: RunningServer, home: str
) -> None:
    api = corrupting(server, face, text)
    run = taken(face, api.run(f"{home}/r"))
    for member, name in (("config", "config"), ("summary_metrics", "summary"), ("json_config", "config")):
        with pytest.raises(UnreadableValueError, match=f"the {name} of run {home}/r cannot be read: "):
            getattr(run, member)
    with pytest.raises(UnreadableValueError):
        _ = run.summary["loss"]
    run.notes = "still"
    taken(face, run.update())
    assert run.notes == "still"


@pytest.mark.parametrize("text", CORRUPT, ids=IDS)
def test_an_artifact_is_read_and_what_cannot_be_read_says_so(
    text: str, face: Face, server: RunningServer, home: str
) -> None:
    artifact = taken(face, corrupting(server, face, text).artifact(f"{home}/rows:v0"))
    with pytest.raises(UnreadableValueError, match=f"the metadata of {home}/rows:v0 cannot be read"):
        _ = artifact.metadata


@pytest.mark.parametrize("text", ["[1]", '{"a": ', "a: [", "- b"])
def test_a_sweep_is_read_and_what_cannot_be_read_says_so(
    text: str, face: Face, server: RunningServer, home: str
) -> None:
    name = make_sweep(server, home.partition("/")[2])
    sweep = taken(face, corrupting(server, face, text).sweep(f"{home}/{name}"))
    assert sweep.id == name
    with pytest.raises(UnreadableValueError, match="a sweep's configuration"):
        _ = sweep.config
    with pytest.raises(UnreadableValueError):
        taken(face, sweep.best_run())


def test_a_list_ordered_by_what_cannot_be_read_is_listed(
    face: Face, server: RunningServer, home: str
) -> None:
    api = corrupting(server, face, "{")
    runs = listed(face, taken(face, api.runs(home, order="-summary_metrics.loss")))
    assert [run.id for run in runs] == ["r"]
    with pytest.raises(UnreadableValueError):
        _ = runs[0].summary["loss"]


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe{}",
        b'{"data": {"project": "\xff"}}',
        b'{"data": ' + b"1" * 5000 + b"}",
        b"",
        b"null",
        b"\x00",
    ],
    ids=["bom", "not UTF-8", "digits", "empty", "null", "null character"],
)
def test_a_response_that_cannot_be_read_is_our_error(
    body: bytes, scripted: ScriptedServer, face: Face
) -> None:
    scripted.give(ScriptedResponse(body))
    client = face.client(scripted.url, KEY)
    with pytest.raises(InvalidAnswerError, match="not a GraphQL response"):
        taken(face, face.runs(client, "e", "p")[0])
