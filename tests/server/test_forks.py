"""Forks: every reader of rows returns the parent's rows up to the branch point."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from tests.server.conftest import Query

from runql_server.exports.policy import ExportPolicy
from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

UPSERT = "mutation U($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted bucket { id historyLineCount } } }"
READ = 'query R($name: String!, $spec: JSONString!) { project(name: "p") { run(name: $name) { historyLineCount historyKeys historyTail history(samples: 100) sampledHistory(specs: [$spec]) parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData } } } }'


def row(step: int, **values: JsonValue) -> dict[str, JsonValue]:
    return {"_step": step, **values}


STEPS = (0, 2, 4, 6, 8)
PARENT = [row(step, loss=1 / (step + 1), a=step) for step in STEPS]


def fork(query: Query, parent: str = "parent", step: float = 4, **more: object) -> dict[str, Any]:
    internal = {"branch_point": {"run_id": parent, "step": step}}
    config = json.dumps({"_wandb": {"value": internal}, "lr": {"value": 2}})
    return query(UPSERT, input={"modelName": "p", "name": "fork", "config": config, **more})


def post(http: httpx.Client, offset: int, *rows: dict[str, JsonValue], complete: bool = False) -> None:
    content = [json.dumps(each) for each in rows]
    body = {"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}, "complete": complete}
    assert http.post("/files/local/p/fork/file_stream", json=body).status_code == 200


def read(query: Query, name: str = "fork") -> dict[str, Any]:
    spec = json.dumps({"keys": ["_step", "loss"], "samples": 100})
    found: dict[str, Any] = query(READ, name=name, spec=spec)["data"]["project"]["run"]
    return found


def check(query: Query, *rows: dict[str, JsonValue]) -> None:
    """All ways to read give these rows."""
    found = read(query)
    assert [json.loads(text) for text in found["history"]] == list(rows)
    assert [json.loads(text) for text in json.loads(found["historyTail"])] == list(rows)
    assert found["historyLineCount"] == len(rows)
    assert found["sampledHistory"] == [[{"_step": each["_step"], "loss": each["loss"]} for each in rows]]
    assert found["historyKeys"]["lastStep"] == rows[-1]["_step"]
    assert found["historyKeys"]["keys"]["loss"]["typeCounts"] == [{"type": "number", "count": len(rows)}]
    assert [each["_step"] for each in found["parquetHistory"]["liveData"]] == [each["_step"] for each in rows]


def test_a_fork_begins_with_its_parents_rows(server: RunningServer, http: httpx.Client, query: Query) -> None:
    server.seed("p", [SeedRun(name="parent", history=PARENT)])
    made = fork(query)["data"]["upsertBucket"]
    assert (made["inserted"], made["bucket"]["historyLineCount"]) == (True, 3)
    check(query, *PARENT[:3])
    own = [row(5, loss=7.0), row(6, loss=8.0), row(7, loss=9.0)]
    post(http, 0, *own[:1])
    post(http, 1, *own[1:])
    check(query, *PARENT[:3], *own)
    post(http, 0, *own[:2])
    check(query, *PARENT[:3], *own)
    assert not fork(query)["data"]["upsertBucket"]["inserted"], "the SDK sends its config again"
    check(query, *PARENT[:3], *own)
    assert read(query, "parent")["historyLineCount"] == 5


def test_a_process_that_resumes_a_fork_counts_all_lines(
    server: RunningServer, http: httpx.Client, query: Query
) -> None:
    server.seed("p", [SeedRun(name="parent", history=PARENT)])
    fork(query)
    first = [row(5 + step, loss=float(step)) for step in range(4)]
    post(http, 0, *first)
    later = [row(9 + step, loss=float(step)) for step in range(6)]
    resumed = fork(query)["data"]["upsertBucket"]["bucket"]["historyLineCount"]
    assert resumed == 7
    post(http, resumed, *later[:2])
    post(http, resumed, *later[:4])
    post(http, resumed + 4, *later[4:])
    check(query, *PARENT[:3], *first, *later)


def test_a_fork_outlives_its_parent_and_can_be_forked(
    server: RunningServer, http: httpx.Client, query: Query
) -> None:
    server.seed("p", [SeedRun(name="parent", history=PARENT)])
    config = {"_wandb": {"value": {"branch_point": {"run_id": "parent", "step": 2}}}}
    query(UPSERT, input={"modelName": "p", "name": "middle", "config": json.dumps(config)})
    text = 'query { project(name: "p") { run(name: "parent") { id } } }'
    opaque = query(text)["data"]["project"]["run"]["id"]
    query("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=opaque)
    fork(query, "middle", 1)
    check(query, PARENT[0])
    assert read(query, "middle")["historyLineCount"] == 2


def exported(url: str) -> Sequence[object]:
    content = io.BytesIO(httpx.get(url, trust_env=False).content)
    # pyarrow-stubs leave the arguments of read() partly open.
    return pq.ParquetFile(content).read()["_step"].to_pylist()  # pyright: ignore[reportUnknownMemberType] - see above


def test_the_exports_of_a_fork_hold_the_parents_rows(tmp_path: Path) -> None:
    policy = ExportPolicy(above_rows=0, rows_per_file=2)
    with (
        RunningServer(tmp_path / "server", export_policy=policy) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as http,
    ):

        def query(text: str, **variables: object) -> dict[str, Any]:
            body: dict[str, Any] = http.post("/graphql", json={"query": text, "variables": variables}).json()
            return body

        server.seed("p", [SeedRun(name="parent", history=PARENT)])
        fork(query)
        post(http, 0, row(5, loss=7.0), complete=True)
        parquet = read(query)["parquetHistory"]
        steps = [step for url in parquet["parquetUrls"] for step in exported(url)]
    assert parquet["liveData"] == []
    assert steps == [0, 2, 4, 5]


@pytest.mark.parametrize("step", [-1, 0.5, 8, 100])
def test_the_branch_step_is_inclusive(step: float, server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="parent", history=PARENT)])
    made = fork(query, step=step)["data"]["upsertBucket"]
    assert made["bucket"]["historyLineCount"] == sum(each <= step for each in STEPS)


def test_a_fork_of_nothing_is_refused_and_leaves_nothing(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="other")])
    for parent in ("absent", "fork"):
        assert f"run {parent} not found" in fork(query, parent)["errors"][0]["message"]
    broken = json.dumps({"_wandb": {"value": {"branch_point": {"run_id": "other"}}}})
    body = query(UPSERT, input={"modelName": "p", "name": "fork", "config": broken})
    assert "branch_point needs a run_id and a step" in body["errors"][0]["message"]
    assert query('{ project(name: "p") { runCount } }')["data"]["project"]["runCount"] == 1


def test_a_rewind_is_refused_by_name(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="parent", history=PARENT)])
    text = 'mutation { rewindRun(input: {runName: "parent", projectName: "p", metricName: "_step", metricValue: 2}) { rewoundRun { id } } }'
    message = query(text)["errors"][0]["message"]
    assert "rewindRun (resume_from) is not supported by the embedded server" in message
    assert "fork_from" in message
    assert read(query, "parent")["historyLineCount"] == 5
