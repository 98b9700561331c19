"""The data directory: one server at a time, private files, blobs with owners, and a check after a crash."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.patience import PATIENCE
from tests.server.server_process import environment, start

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import files, recovery
from runql_server.storage.lock import NAME, DataDirectoryError, DirectoryLock
from runql_server.storage.store import Store

Query = Callable[..., dict[str, Any]]


def content(data_dir: Path) -> str:
    return (data_dir / NAME).read_text(encoding="utf-8")


def test_a_second_server_is_refused_by_the_name_of_the_first(server: RunningServer) -> None:
    with pytest.raises(DataDirectoryError) as caught:
        RunningServer(server.data_dir)
    assert f"process id {os.getpid()} on host {socket.gethostname()}" in str(caught.value)
    assert str(server.data_dir) in str(caught.value)


def test_a_second_process_is_refused_and_says_why(tmp_path: Path) -> None:
    first = start(tmp_path / "data")
    try:
        command = [sys.executable, "-m", "runql_server", "--port", "0", "--data-dir", str(tmp_path / "data")]
        second = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert f"in use by the server with process id {first.process.pid}" in second.stderr
    finally:
        first.process.terminate()
        first.process.communicate(timeout=PATIENCE)


@pytest.mark.posix
def test_a_killed_server_frees_its_directory_and_an_orderly_end_leaves_no_mark(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    killed = start(data_dir)
    killed.process.send_signal(signal.SIGKILL)
    killed.process.communicate()
    assert json.loads(content(data_dir))["pid"] == killed.process.pid
    ended = start(data_dir)
    ended.process.send_signal(signal.SIGINT)
    ended.process.communicate(timeout=PATIENCE)
    assert content(data_dir) == ""


def test_the_lock_knows_of_a_crash(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    assert not first.after_crash
    first.abandon()
    second = DirectoryLock(tmp_path)
    assert second.after_crash
    second.release()
    second.release()
    third = DirectoryLock(tmp_path)
    assert not third.after_crash
    third.release()


@pytest.mark.parametrize("holder", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_holder_that_cannot_be_read_is_another_server(tmp_path: Path, holder: bytes) -> None:
    first = DirectoryLock(tmp_path)
    (tmp_path / NAME).write_bytes(holder)
    with pytest.raises(DataDirectoryError, match="another server"):
        DirectoryLock(tmp_path)
    first.release()


def test_only_the_user_may_read_what_the_server_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        with (
            RunningServer(tmp_path / "data", export_policy=ExportPolicy(above_rows=0)) as server,
            httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
        ):
            server.seed("p", [SeedRun(name="r", history=[{"loss": 1}])])
            upload(client, "a.txt", b"x")
            asked = '{ project(name: "p") { run(name: "r") { parquetHistory(liveKeys: ["_step"]) { parquetUrls } } } }'
            assert client.post("/graphql", json={"query": asked}).json()["data"]["project"]["run"][
                "parquetHistory"
            ]["parquetUrls"]
            found = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in found}
            kinds = {path.name: path.is_dir() for path in found}
    finally:
        os.umask(before)
    assert {"data", "blobs", "runql.sqlite3", "runql.sqlite3-wal", NAME} <= modes.keys()
    assert len(modes) >= 8
    assert {
        name: oct(mode) for name, mode in modes.items() if mode != (0o700 if kinds[name] else 0o600)
    } == {}


@pytest.mark.posix
def test_a_directory_of_an_older_server_is_made_private(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / "blobs").chmod(0o755)
    (tmp_path / "runql.sqlite3").chmod(0o644)
    Store(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "runql.sqlite3").stat().st_mode) == 0o600


def upload(client: httpx.Client, name: str, body: bytes) -> None:
    create = 'mutation($f: [String!]!) { createRunFiles(input: {entityName: "local", projectName: "p", runName: "r", files: $f}) { files { uploadUrl } } }'
    made = client.post("/graphql", json={"query": create, "variables": {"f": [name]}}).json()
    url = made["data"]["createRunFiles"]["files"][0]["uploadUrl"]
    assert httpx.put(url, content=body, trust_env=False).status_code == 200


def blobs(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "blobs").rglob("*") if path.is_file()}


def test_blobs_without_a_row_are_swept_and_others_stay(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with (
        RunningServer(data_dir) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        server.seed("p", [SeedRun(name="r")])
        upload(client, "a.txt", b"kept")
        kept = blobs(data_dir)
        orphan = files.write(server.store, b"orphan")
    foreign = data_dir / "blobs" / "README"
    foreign.write_text("not the server's")
    (data_dir / "blobs" / "ab").mkdir(exist_ok=True)
    (data_dir / "blobs" / "ab" / "notes").write_text("neither")
    assert orphan.blob in blobs(data_dir)
    with RunningServer(data_dir) as server:
        assert blobs(data_dir) == kept | {"README", "notes"}


def crashed(data_dir: Path) -> None:
    """Make the directory look as after a crash."""
    lock = DirectoryLock(data_dir)
    lock.abandon()


@pytest.mark.parametrize("page", [2, 5, 9])
def test_a_damaged_database_is_found_after_a_crash(tmp_path: Path, page: int) -> None:
    data_dir = tmp_path / "data"
    with RunningServer(data_dir) as server:
        server.seed("p", [SeedRun(name=f"r{at}", config={"x": "y" * 500}) for at in range(50)])
    database = data_dir / "runql.sqlite3"
    damaged = bytearray(database.read_bytes())
    damaged[page * 4096 + 8 : (page + 1) * 4096] = b"\xa5" * 4088
    database.write_bytes(damaged)
    crashed(data_dir)
    with pytest.raises(DataDirectoryError, match=r"damaged: .*Restore it from a copy"):
        RunningServer(data_dir)
    # Refusing frees the directory, and the next start checks again.
    assert DirectoryLock(data_dir).after_crash


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runql.sqlite3").write_bytes(b"not a database" * 500)
    with pytest.raises(DataDirectoryError, match="damaged: file is not a database"):
        RunningServer(tmp_path)


def test_the_check_runs_after_a_crash_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Path] = []

    def check(_connection: sqlite3.Connection, data_dir: Path) -> None:
        checked.append(data_dir)

    monkeypatch.setattr(recovery, "check_database", check)
    for _ in range(2):
        with RunningServer(tmp_path / "data"):
            pass
    assert checked == []
    crashed(tmp_path / "data")
    with RunningServer(tmp_path / "data"):
        pass
    assert checked == [tmp_path / "data"]


def test_lost_bytes_are_reported_and_a_lost_export_is_written_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir, policy = tmp_path / "data", ExportPolicy(above_rows=0)
    asked = '{ project(name: "p") { run(name: "r") { parquetHistory(liveKeys: ["_step"]) { parquetUrls } files { edges { node { directUrl } } } } } }'

    def read(client: httpx.Client) -> dict[str, Any]:
        run: dict[str, Any] = client.post("/graphql", json={"query": asked}).json()["data"]["project"]["run"]
        return run

    with (
        RunningServer(data_dir, api_key="k" * 40, export_policy=policy) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        server.seed("p", [SeedRun(name="r", history=[{"loss": 1}])])
        upload(client, "a.txt", b"x")
        (before,) = read(client)["parquetHistory"]["parquetUrls"]
    for path in (data_dir / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    crashed(data_dir)
    with (
        caplog.at_level("INFO", "runql_server"),
        RunningServer(data_dir, api_key="k" * 40, export_policy=policy) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        assert "did not end in order" in caplog.text
        assert "1 files have a row, but lost their bytes" in caplog.text
        run = read(client)
        lost = httpx.get(run["files"]["edges"][0]["node"]["directUrl"], trust_env=False)
        assert (lost.status_code, "lost the bytes" in lost.json()["error"]) == (404, True)
        (after,) = run["parquetHistory"]["parquetUrls"]
        assert httpx.URL(after).path != httpx.URL(before).path
        assert httpx.get(after, trust_env=False).content[:4] == b"PAR1"


def test_a_file_that_is_replaced_between_the_look_and_the_send_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_path, contents = files.stored_path, [b"new"]
    with (
        RunningServer(tmp_path / "data", api_key="k" * 40) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as other,
    ):
        server.seed("p", [SeedRun(name="r")])
        upload(client, "a.txt", b"old")

        def path_after_an_upload(store: Store, blob: str) -> Path:
            if contents:
                upload(other, "a.txt", contents.pop())
            return stored_path(store, blob)

        monkeypatch.setattr(files, "stored_path", path_after_an_upload)
        assert client.get(f"/files/{server.entity}/p/r/a.txt").content == b"new"
        assert contents == []
