"""Stored numbers that GraphQL's types cannot represent never make a project unreadable."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest
from tests.server.conftest import Query

from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

READ = '{ project(name: "p") { runs { edges { node { name exitcode historyLineCount historyKeys history sampledHistory(specs: ["{\\"keys\\":[\\"_step\\"]}"]) parquetHistory(liveKeys: ["_step"]) { liveData } } } } } }'


def post(http: httpx.Client, body: object) -> httpx.Response:
    return http.post("/files/local/p/r/file_stream", content=json.dumps(body).encode())


def read(http: httpx.Client) -> dict[str, Any]:
    response = http.post("/graphql", json={"query": READ})

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    body = json.loads(response.content, parse_constant=refuse)
    assert "errors" not in body, body["errors"]
    found: dict[str, Any] = body["data"]["project"]["runs"]["edges"][0]["node"]
    return found


@pytest.mark.parametrize(
    ("sent", "shown"), [(1, 1), (-(2**31), -(2**31)), (2**31, None), (3221225477, None), (2**62, None)]
)
def test_an_exit_code_beyond_32_bits_is_null(
    sent: int, shown: int | None, server: RunningServer, http: httpx.Client
) -> None:
    server.seed("p", [SeedRun(name="r")])
    assert post(http, {"complete": True, "exitcode": sent}).status_code == 200
    assert read(http)["exitcode"] == shown


@pytest.mark.parametrize(
    "step", [math.inf, -math.inf, math.nan, 10**400, -(10**400)], ids=lambda value: str(value)[:5]
)
def test_a_step_that_is_no_point_counts_as_its_line(
    step: JsonValue, server: RunningServer, http: httpx.Client
) -> None:
    server.seed("p", [SeedRun(name="r")])
    rows = [json.dumps({"_step": 0, "x": 1}), json.dumps({"_step": step, "x": 2})]
    chunk = {"files": {"wandb-history.jsonl": {"offset": 0, "content": rows}}}
    assert post(http, chunk).status_code == 200
    found = read(http)
    assert (found["historyLineCount"], found["historyKeys"]["lastStep"]) == (2, 1)
    assert found["history"] == rows
    assert found["parquetHistory"]["liveData"] == [{"_step": 0}, {"_step": 1}]


def test_a_metric_too_large_for_a_float_is_kept(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r")])
    rows = [json.dumps({"_step": step, "x": value}) for step, value in enumerate((1, 10**400, 2.0))]
    assert post(http, {"files": {"wandb-history.jsonl": {"offset": 0, "content": rows}}}).status_code == 200
    found = read(http)
    assert found["history"] == rows
    assert found["historyKeys"]["keys"]["x"]["monotonic"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"files": {"wandb-history.jsonl": {"offset": 2**31 - 1, "content": ["{}"]}}},
        {"files": {"wandb-events.jsonl": {"offset": 2**40, "content": ["{}"]}}},
        {"files": {"output.log": {"offset": 2**70, "content": ["x"]}}},
        {"complete": True, "exitcode": 2**70},
    ],
)
def test_lines_that_no_count_could_show_are_refused(
    body: object, server: RunningServer, http: httpx.Client
) -> None:
    server.seed("p", [SeedRun(name="r")])
    assert post(http, body).status_code == 400
    assert read(http)["historyLineCount"] == 0


@pytest.mark.parametrize(
    ("text", "fits"),
    [("9223372036854775807", True), ("9223372036854775808", False), ("1.5", False), ("true", False)],
)
def test_an_int64_has_64_bits(text: str, fits: bool, server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"x": 1}])])
    asked = f'{{ project(name: "p") {{ run(name: "r") {{ history(minStep: 0, maxStep: {text}) }} }} }}'
    body = query(asked)
    if fits:
        assert len(body["data"]["project"]["run"]["history"]) == 1
    else:
        assert "Int64" in body["errors"][0]["message"]
