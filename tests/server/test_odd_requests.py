"""Odd requests: each is refused properly, and the server works afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route
from tests.profiles import examples
from tests.server.odd_requests import Call, Operation, calls, own_operations, root_fields

from runql_server.access.signing import Signer, load_signer
from runql_server.running import RunningServer
from runql_server.seed import Row, SeedRun
from runql_server.seed_artifacts import SeedArtifact

pytestmark = pytest.mark.long

OPERATIONS: Final = [*own_operations(), *root_fields()]


class Home:
    """A server with a little of everything, shared by all examples of this module."""

    def __init__(self, server: RunningServer, client: httpx.Client) -> None:
        self.server = server
        self.client = client
        with server.store.writing() as connection:
            self.signer: Signer = load_signer(connection)
        self.routes = [each for each in server.routes if isinstance(each, Route)]

    def ask(self, text: str, variables: object) -> httpx.Response:
        # Names of JSON may hold lone surrogates, and numbers may be NaN: httpx would refuse both.
        content = json.dumps({"query": text, "variables": variables}).encode()
        return self.client.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    def check_works(self) -> None:
        """Read, and write one row; nothing else counts as working."""
        answer = self.ask(
            'mutation { upsertBucket(input: {modelName: "w", name: "w"}) { bucket { name } } }', {}
        )
        assert answer.json() == {"data": {"upsertBucket": {"bucket": {"name": "w"}}}}
        row = {"files": {"wandb-history.jsonl": {"offset": 0, "content": ['{"loss": 1}']}}}
        assert self.client.post("/files/local/w/w/file_stream", json=row).json() == {}
        answer = self.ask('{ project(name: "w") { run(name: "w") { historyLineCount } } }', {})
        assert answer.json() == {"data": {"project": {"run": {"historyLineCount": 1}}}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with RunningServer(tmp_path_factory.mktemp("odd") / "data") as server:
        rows: list[Row] = [{"loss": 1 / (step + 1), "text": "x"} for step in range(5)]
        server.seed(
            "p", [SeedRun(name=name, config={"a": 1}, history=rows, tags=("t",)) for name in ("r", "s")]
        )
        server.seed_artifacts("p", [SeedArtifact(name="a", type="dataset", files={"f": b"x"})])
        with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
            yield Home(server, client)


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.status_code == 507, answer.text[:500]
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        return
    body: dict[str, Any] = answer.json()
    errors: list[Any] = body.get("errors") or []
    for error in errors:
        assert "internal server error" not in error["message"], error
    if answer.status_code >= 400:
        assert body.get("errors") or body.get("error")


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_odd_variables_are_refused_properly(home: Home, operation: Operation) -> None:
    @examples(40)
    @given(operation.variables)
    def run(variables: object) -> None:
        check(home.ask(operation.text, variables))

    run()
    home.check_works()


@examples(400)
@given(st.data())
def test_odd_calls_of_every_route_are_refused_properly(home: Home, data: st.DataObject) -> None:
    call: Call = data.draw(calls(home.routes))
    path = call.path
    if data.draw(st.booleans()) and path.startswith(("/storage", "/artifact-storage", "/history-exports")):
        signed = unquote(path)
        url = home.signer.url("", "PUT" if call.method == "PUT" else "GET", signed)
        path += "?" + url.partition("?")[2]
    answer = home.client.request(call.method, path, content=call.body, headers=call.headers)
    assert answer.status_code < 500 or answer.status_code == 507, answer.text[:500]
    # A response to HEAD has no body.
    if answer.status_code >= 400 and call.method != "HEAD":
        check(answer)
    home.check_works()


def test_the_server_says_what_was_odd(home: Home, tmp_path: Path) -> None:
    answer = home.client.post("/files/local/p/r/file_stream", json={"exitcode": 2**70})
    assert (answer.status_code, "exitcode" in answer.json()["error"]) == (400, True)
