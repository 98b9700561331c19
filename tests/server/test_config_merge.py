"""Config keys that an update lacks: deleted by default, kept with `config_merge`."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from runql_server.lenient_json import JsonObject
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

UPSERT = "mutation U($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { config } } }"
FILTERED = 'query R($filters: JSONString) { project(name: "p") { run(name: "a") { config } runCount(filters: $filters) } }'


@pytest.mark.parametrize(
    ("config_merge", "kept"),
    [
        (False, {"opt": {"value": {"lr": 2}}, "new": {"value": [1]}}),
        (
            True,
            {
                "gone": {"value": 1, "desc": None},
                "opt": {"value": {"lr": 2, "mom": 0.9}, "desc": None},
                "new": {"value": [1], "desc": None},
            },
        ),
    ],
)
def test_keys_that_an_update_lacks(config_merge: bool, kept: JsonObject, tmp_path: Path) -> None:
    with (
        RunningServer(tmp_path / "server", config_merge=config_merge) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        server.seed(
            "p", [SeedRun(name="a", config={"gone": 1, "opt": {"lr": 1, "mom": 0.9}, "new": {"x": 1}})]
        )
        config = json.dumps({"opt": {"value": {"lr": 2}}, "new": {"value": [1]}})
        given = {"modelName": "p", "name": "a", "config": config}
        body = client.post("/graphql", json={"query": UPSERT, "variables": {"input": given}}).json()
        returned = json.loads(body["data"]["upsertBucket"]["bucket"]["config"])
        filters = json.dumps({"config.gone": 1, "config.opt.mom": 0.9})
        read = client.post("/graphql", json={"query": FILTERED, "variables": {"filters": filters}}).json()
    assert returned == kept
    assert json.loads(read["data"]["project"]["run"]["config"]) == kept
    assert read["data"]["project"]["runCount"] == int(config_merge)
