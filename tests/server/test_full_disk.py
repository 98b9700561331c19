"""A full disk of the server: 507, nothing half stored, and all works once there is room."""

from __future__ import annotations

import errno
import json
import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.patience import PATIENCE
from tests.server.server_process import Started, start

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import disk

UPSERT = 'mutation($config: JSONString) { upsertBucket(input: {modelName: "p", name: "r", config: $config}) { bucket { name } } }'
URL = 'mutation { createRunFiles(input: {entityName: "local", projectName: "p", runName: "r", files: ["a"]}) { files { uploadUrl } } }'
STATE = '{ project(name: "p") { run(name: "r") { historyLineCount config fileCount } } }'
STREAM = "/files/local/p/r/file_stream"
LARGE = 3_000_000


class Home(NamedTuple):
    """A server in a process whose files a test can limit, and a client."""

    started: Started
    data_dir: Path
    client: httpx.Client

    def limit(self, size: int) -> None:
        """Let the server write no file beyond the size, as on a full disk."""
        resource.prlimit(self.started.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def ask(self, text: str, **variables: str) -> httpx.Response:
        return self.client.post("/graphql", json={"query": text, "variables": variables})

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(STATE).json()["data"]["project"]["run"]
        return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    data_dir = tmp_path / "data"
    started = start(data_dir)
    with httpx.Client(
        base_url=started.url, auth=("api", started.key or ""), trust_env=False, timeout=PATIENCE
    ) as client:
        yield Home(started, data_dir, client)
    started.process.send_signal(signal.SIGINT)
    started.process.communicate(timeout=PATIENCE)


def row(step: int, size: int) -> dict[str, object]:
    text = json.dumps({"_step": step, "text": "x" * size})
    return {"files": {"wandb-history.jsonl": {"offset": step, "content": [text]}}}


def test_writes_to_a_full_disk_are_507_and_leave_nothing(home: Home) -> None:
    assert home.ask(UPSERT, config="{}").status_code == 200
    assert home.client.post(STREAM, json=row(0, 10)).json() == {}
    upload = home.ask(URL).json()["data"]["createRunFiles"]["files"][0]["uploadUrl"]
    before = home.state()
    # The log of SQLite starts again from its first byte; any file may grow to this size.
    home.limit(1_000_000)
    for _ in range(2):
        refused = home.client.post(STREAM, json=row(1, LARGE))
        assert (refused.status_code, refused.json()) == (507, {"error": disk.FULL})
        refused = home.ask(UPSERT, config=json.dumps({"a": {"value": "x" * LARGE}}))
        assert refused.status_code == 507
        assert [error["message"] for error in refused.json()["errors"]] == [disk.FULL]
        refused = httpx.put(upload, content=b"x" * LARGE, trust_env=False)
        assert (refused.status_code, refused.json()) == (507, {"error": disk.FULL})
        assert home.state() == before, "what was there can be read"
        assert not [path for path in (home.data_dir / "blobs").rglob("*") if path.is_file()]
    home.limit(resource.RLIM_INFINITY)
    assert home.client.post(STREAM, json=row(1, LARGE)).json() == {}
    assert httpx.put(upload, content=b"x" * LARGE, trust_env=False).status_code == 200
    assert home.state() == before | {"historyLineCount": 2, "fileCount": 1}


def test_an_upload_that_announces_more_than_the_disk_has_is_refused_at_once(
    server: RunningServer, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.seed("p", [SeedRun(name="r")])
    url = http.post("/graphql", json={"query": URL}).json()["data"]["createRunFiles"]["files"][0]["uploadUrl"]
    usage = shutil.disk_usage(server.data_dir)

    def nearly_full(_path: Path) -> object:
        return usage._replace(free=5)

    monkeypatch.setattr("runql_server.http.bodies.shutil.disk_usage", nearly_full)
    refused = httpx.put(url, content=b"123456", trust_env=False)
    assert (refused.status_code, "5 bytes left" in refused.json()["error"]) == (507, True)
    assert httpx.put(url, content=b"12345", trust_env=False).status_code == 200


def test_sqlite_and_the_system_say_full_in_several_ways() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError, match="full") as caught:
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    connection.close()
    assert disk.is_full(caught.value)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert disk.is_full(OSError(number, "full"))
    for other in (
        OSError(errno.ENOENT, "no"),
        sqlite3.OperationalError("database is locked"),
        ValueError(),
        None,
    ):
        assert not disk.is_full(other)
