"""Fixtures of the server tests: a store, a running server, and a GraphQL client without runql."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runql_server.access import auth
from runql_server.running import RunningServer
from runql_server.storage.store import Store

Query = Callable[..., dict[str, Any]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open an empty store with its one user."""
    opened = Store(tmp_path / "data")
    with opened.writing() as connection:
        auth.add_key(connection, auth.new_key())
    yield opened
    opened.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Start a server over an empty data directory."""
    with RunningServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    """Make an HTTP client that sends the API key."""
    with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:
        yield client


@pytest.fixture
def query(http: httpx.Client) -> Query:
    """Return a function that sends one operation and returns the response body."""

    def send(text: str, **variables: object) -> dict[str, Any]:
        response = http.post("/graphql", json={"query": text, "variables": variables})
        assert response.headers["content-type"] == "application/json"
        body: dict[str, Any] = response.json()
        return body

    return send
