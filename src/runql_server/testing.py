"""The pytest plugin for users: a W&B server for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runql_server.running import RunningServer


@pytest.fixture
def wandb_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A fresh embedded server, with ``WANDB_BASE_URL`` and ``WANDB_API_KEY`` set for the test."""
    # Imported here: pytest loads this plugin in every project that has runql installed.
    from runql_server.running import RunningServer  # noqa: PLC0415 - see above

    with RunningServer(tmp_path / "wandb-server") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.api_key)
        yield server
