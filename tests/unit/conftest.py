"""Empty folders to settle settings in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.unit.settings import KEY, Resolve

from runql.config import resolve_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def resolve(home: Path, cwd: Path) -> Resolve:
    """`resolve_settings` on empty folders, with a key in the environment unless the test gives another."""
    return partial(resolve_settings, environ={"WANDB_API_KEY": KEY}, home=home, cwd=cwd)
