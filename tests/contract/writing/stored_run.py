"""The run that tests of writing change, and its stored fields."""

from __future__ import annotations

import httpx

from runql import Api, JSONValue, Run
from runql_server.running import RunningServer

KEY = "k" * 40
SUMMARY: dict[str, JSONValue] = {
    "loss": 0.5,
    "_step": 9,
    "_runtime": 3.5,
    "_wandb": {"runtime": 3},
    "deep": {"x": {"y": 1}},
}
CONFIG: dict[str, JSONValue] = {"lr": 0.1, "layers": [64, 32]}
FULL: dict[str, object] = {
    "id": "R",
    "name": "r",
    "projectId": "1",
    "createdAt": "2026-01-01T00:00:00",
    "config": "{}",
    "summaryMetrics": "{}",
    "systemMetrics": "{}",
    "historyKeys": None,
}


def again(server: RunningServer, path: str) -> Run:
    """Load the stored run again."""
    with Api(base_url=server.url, api_key=server.api_key) as fresh:
        return fresh.run(path)


def config_text(server: RunningServer, path: str) -> str:
    """Return the stored config as a JSON string."""
    entity, project, name = path.split("/")
    query = "query Q($e: String!, $p: String!, $r: String!) { project(entityName: $e, name: $p) { run(name: $r) { config } } }"
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": {"e": entity, "p": project, "r": name}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    return str(answer.json()["data"]["project"]["run"]["config"])


def upsert(server: RunningServer, storage_id: str, **given: object) -> None:
    """Change a run as another client would."""
    answer = httpx.post(
        f"{server.url}/graphql",
        json={
            "query": "mutation M($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { id } } }",
            "variables": {"input": {"id": storage_id, **given}},
        },
        auth=("api", server.api_key),
        trust_env=False,
    )
    assert "errors" not in answer.json(), answer.text
