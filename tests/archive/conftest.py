"""Servers with projects to export, their archives, and servers to import into."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.killing_front import KillingFront
from tests.archive.processes import Processes
from tests.archive.reading import read_project

from runql import Api, Archive
from runql_server.running import RunningServer


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve the hostile project; tests must not change it."""
    with RunningServer() as server:
        hostile.seed(server, tmp_path_factory.mktemp("seed"))
        yield server


@pytest.fixture
def target() -> Iterator[RunningServer]:
    """Serve nothing yet."""
    with RunningServer() as server:
        yield server


@pytest.fixture(scope="module")
def archive(source: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The hostile project in a folder; tests must not change it."""
    with api_of(source) as api:
        folder = tmp_path_factory.mktemp("archive") / "whole"
        return api.project(hostile.PATH).export(folder, files=True, artifacts=True)


def api_of(server: RunningServer) -> Api:
    """An entry point."""
    return Api(base_url=server.url, api_key=server.api_key)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Start the process."""
    started = Processes()
    yield started
    started.close()


@pytest.fixture(scope="module")
def front(source: RunningServer) -> Iterator[KillingFront]:
    """A front of the server with the hostile project."""
    with KillingFront(source.url) as started:
        yield started


@pytest.fixture(scope="module")
def through(
    front: KillingFront, source: RunningServer, tmp_path_factory: pytest.TempPathFactory, processes: Processes
) -> tuple[int, Path]:
    """The requests of a whole export, and the archive."""
    folder = tmp_path_factory.mktemp("through") / "whole"
    call = {"call": "export", "key": source.api_key, "path": hostile.PATH, "folder": str(folder)}
    assert processes.run(front, 0, carries_out=False, **call) == 0
    return front.count, folder


@pytest.fixture(scope="module")
def whole_import(
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[int, dict[str, object]]:
    """The requests of a whole import, and the original project."""
    folder = shutil.copytree(through[1], tmp_path_factory.mktemp("imported") / "archive")
    with RunningServer() as target, KillingFront(target.url) as front:
        call = {"call": "import", "key": target.api_key, "path": "local/back", "folder": str(folder)}
        assert processes.run(front, 0, carries_out=False, **call) == 0
        requests = front.count
    with api_of(source) as api:
        return requests, read_project(api, hostile.PATH)
