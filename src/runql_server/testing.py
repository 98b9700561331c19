"""The pytest plugin: a fresh W&B server for each test, and a shared one with the sample project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runql_server.running import RunningServer
    from runql_server.sample import Sample


@pytest.fixture
def wandb_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """Start an empty embedded server, and set ``WANDB_BASE_URL`` and ``WANDB_API_KEY`` for the test."""
    # A late import: pytest loads this plugin in every project that has runql installed.
    from runql_server.running import RunningServer  # noqa: PLC0415 - see above

    with RunningServer(tmp_path / "wandb-server") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.api_key)
        yield server


@pytest.fixture(scope="session")
def sample_server() -> Iterator[Sample]:
    """Start a server with the sample project, once per session; tests must not change its data."""
    from runql_server.sample import start  # noqa: PLC0415 - as above

    with start() as sample:
        yield sample
