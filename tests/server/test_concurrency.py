"""Many processes log concurrently: no request fails, no row is lost, readers see whole chunks."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS, CHUNKS, ROWS = 6, 10, 5
COUNTS = (
    '{ project(name: "p") { runs { totalCount edges { node { historyLineCount historyKeys history } } } } }'
)


def log(server: RunningServer, name: str) -> None:
    with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
        for offset in range(0, CHUNKS * ROWS, ROWS):
            rows = [json.dumps({"_step": offset + index, "x": index}) for index in range(ROWS)]
            body = {"files": {"wandb-history.jsonl": {"offset": offset, "content": rows}}}
            assert client.post(f"/files/local/p/{name}/file_stream", json=body).status_code == 200


def read(server: RunningServer) -> list[int]:
    with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
        answer = client.post("/graphql", json={"query": COUNTS}).json()
    nodes = [edge["node"] for edge in answer["data"]["project"]["runs"]["edges"]]
    for node in nodes:
        # One request sees one snapshot: the count, the keys and the rows belong together.
        assert node["historyLineCount"] == len(node["history"])
        assert len(node["history"]) % ROWS == 0
        last = node["historyKeys"]["lastStep"] if node["historyKeys"] else -1
        assert last == len(node["history"]) - 1
    return [node["historyLineCount"] for node in nodes]


def test_writers_and_readers_at_the_same_time(server: RunningServer) -> None:
    names = server.seed("p", [SeedRun() for _ in range(RUNS)])
    with ThreadPoolExecutor(RUNS + 2) as pool:
        writers = [pool.submit(log, server, name) for name in names]
        readers = [pool.submit(read, server) for _ in range(12)]
        for reader in readers:
            reader.result()
        for writer in writers:
            writer.result()
    assert read(server) == [CHUNKS * ROWS] * RUNS
