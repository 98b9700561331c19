"""The pytest plugin for users: a W&B server for each test, and one with the sample project."""

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
    """A fresh embedded server, with ``WANDB_BASE_URL`` and ``WANDB_API_KEY`` set for the test."""
    # Imported here: pytest loads this plugin in every project that has runql installed.
    from runql_server.running import RunningServer  # noqa: PLC0415 - see above

    with RunningServer(tmp_path / "wandb-server") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.api_key)
        yield server


@pytest.fixture(scope="session")
def sample_server() -> Iterator[Sample]:
    """A server with the sample project, one for the whole session; tests must not change what it holds."""
    from runql_server.sample import start  # noqa: PLC0415 - as above

    with start() as sample:
        yield sample
