"""Fixtures of the security tests: both clients, with no configuration but the marked key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.contract.both_clients import Face, FaceName
from tests.security.marked_key import KEY


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """Run the event loop of the async client."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def face(face_name: FaceName, portal: BlockingPortal) -> Iterator[Face]:
    """Run the test with the sync client and with the async client."""
    opened = Face(face_name, portal)
    yield opened
    opened.close()


@pytest.fixture
def _marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put the marked key into the environment, and nothing else."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_CONFIG_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.chdir(home)
