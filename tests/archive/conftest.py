"""Servers with projects to export, their archives, and servers to import into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.archive import hostile

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
