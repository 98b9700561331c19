"""Artifacts under stress: kill -9 between any two steps, and many concurrent writers."""

from __future__ import annotations

import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tests.patience import PATIENCE
from tests.server.artifact_writer import Writer
from tests.server.server_process import start

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact
from runql_server.storage.migrations import MIGRATIONS

LIST = """{ project(name: "p") { artifactCollection(name: "a") { artifacts(order: "+versionIndex") { totalCount edges { version
node { state files { edges { node { name directUrl } } } } } } } latest: artifact(name: "a:latest") { versionIndex } } }"""


def logged(version: int) -> dict[str, bytes]:
    """The files of one version: one of its own, one that all share."""
    return {"own.txt": f"content {version}".encode(), "shared/by/all.txt": b"always the same"}


def contents(writer: Writer) -> list[dict[str, bytes]]:
    """What the versions of the collection hold, downloaded."""
    found = writer.ask(LIST)["artifactCollection"]["artifacts"]
    versions = [edge["version"] for edge in found["edges"]]
    assert versions == [f"v{number}" for number in range(found["totalCount"])]
    return [
        {
            file["node"]["name"]: httpx.get(file["node"]["directUrl"], trust_env=False).content
            for file in edge["node"]["files"]["edges"]
        }
        for edge in found["edges"]
    ]


def test_kill_9_loses_no_acknowledged_version_and_what_was_begun_can_be_finished(tmp_path: Path) -> None:
    process, url, key = start(tmp_path / "data")
    assert key is not None
    files = logged(3)
    with httpx.Client(base_url=url, auth=("api", key), trust_env=False) as client:
        writer = Writer(client)
        try:
            for version in range(3):
                assert writer.log(logged(version))["versionIndex"] == version
            begun = writer.open(files, clientID="begun")
            births = writer.upload(begun["id"], {"own.txt": files["own.txt"]})
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    process, url, _ = start(tmp_path / "data")
    with httpx.Client(base_url=url, auth=("api", key), trust_env=False) as client:
        writer = Writer(client)
        try:
            assert contents(writer) == [logged(version) for version in range(3)]
            again = writer.open(files, clientID="begun")
            assert (again["id"], again["state"]) == (begun["id"], "PENDING")
            wanted = [node for node in writer.announce(begun["id"], files) if node["uploadUrl"]]
            assert wanted == [], "the bytes that arrived before are still here"
            assert births == {"own.txt": begun["id"]}
            assert writer.log(files, clientID="begun")["versionIndex"] == 3
            assert contents(writer) == [logged(version) for version in range(4)]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def test_a_data_directory_from_before_artifacts_gets_them(tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "runql.sqlite3")
    for number, script in enumerate(MIGRATIONS[:2], start=1):
        older.executescript(f"{script}; PRAGMA user_version = {number}")
    older.execute("INSERT INTO users VALUES (1, 'local', 'Local User', 'local@localhost')")
    older.execute("INSERT INTO entities VALUES (1, 'local', 1)")
    older.commit()
    older.close()
    with RunningServer(tmp_path) as server:
        server.seed("p", [SeedRun(name="r")])
        assert server.seed_artifacts("p", [SeedArtifact(name="a", logged_by="r")]) == ["a:v0"]


def test_many_writers_of_one_collection_get_one_number_each(server: RunningServer) -> None:
    server.seed("p", [SeedRun(name="r")])
    writers = 6

    def work(number: int) -> int:
        with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
            index: int = Writer(client).log(logged(number), runName="r")["versionIndex"]
            return index

    with ThreadPoolExecutor(writers) as pool:
        given = list(pool.map(work, range(writers)))
    assert sorted(given) == list(range(writers))
    with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
        writer = Writer(client)
        found = contents(writer)
        assert [found[index] for index in given] == [logged(number) for number in range(writers)]
        assert writer.ask(LIST)["latest"] == {"versionIndex": writers - 1}
    shared = [path for path in server.store.blobs.glob("*/*") if path.read_bytes() == b"always the same"]
    assert len(shared) == 1, "uploads at the same time leave one copy"
