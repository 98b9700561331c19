"""Fixtures: a run to change, on an embedded server."""

from __future__ import annotations

import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.writing.stored_run import CONFIG, SUMMARY

from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture
def api(server: RunningServer, face: Face) -> AnyApi:
    return face.api(server.url, server.api_key)


@pytest.fixture
def path(server: RunningServer, project: str) -> str:
    """Seed a run with values of every kind, and return its path."""
    run = SeedRun(
        name="r", display_name="one", config=CONFIG, summary=SUMMARY, tags=("a", "b"), notes="n", group="g"
    )
    server.seed(project, [run])
    return f"{server.entity}/{project}/r"


@pytest.fixture
def run(api: AnyApi, path: str, face: Face, server: RunningServer) -> AnyRun:
    read = face.take(api.run(path))
    server.clear()
    return read
