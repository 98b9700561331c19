"""`make drift`: it passes on the repository, and fails on a copy with one inconsistent change."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.patience import PATIENCE

pytestmark = [pytest.mark.nightly, pytest.mark.long]

ROOT = Path(__file__).parents[2]
COPIED = (
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    ".ci",
    "schema",
    "queries",
    "generated",
    "tests",
    "src",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the repository and link its environment; make builds nothing, as the copies keep their times."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copy2(source, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def make_drift(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--assume-old=.venv/.ready", "drift"],
        cwd=folder,
        # One process for each step: the suite already uses all cores.
        env={**os.environ, "PYTEST_ADDOPTS": "-n0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_passes_on_the_repository(copy: Path) -> None:
    done = make_drift(copy)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert done.stdout.count("PASS") == 2


def remove_a_field(folder: Path) -> None:
    """Update the SDL only."""
    path = folder / "schema" / "wandb.graphql"
    before, run, after = path.read_text().partition("\ntype Run ")
    path.write_text(before + run + after.replace("  state: String\n", "  status: String\n", 1))


def edit_a_query(folder: Path) -> None:
    """Edit a query without `make generate`."""
    path = folder / "queries" / "fragments.graphql"
    path.write_text(
        path.read_text().replace(
            "fragment RunUserFields on User {\n  name\n", "fragment RunUserFields on User {\n"
        )
    )


def edit_a_recording(folder: Path) -> None:
    """Replace a value in a recording by another of its type."""
    path = folder / "tests" / "recorded" / "api" / "the_viewer_is_the_owner_of_the_key.yaml"
    text = path.read_text()
    assert '"username":"local"' in text
    path.write_text(text.replace('"username":"local"', '"username":"else"'))


def edit_a_shared_response(folder: Path) -> None:
    """Edit a response that many recordings share."""
    path = sorted((folder / "tests" / "recorded" / "answers").iterdir())[0]
    path.write_text(path.read_text().replace(":", ": ", 1))


def put_a_null(folder: Path) -> None:
    """Put a null where the SDL excludes it."""
    path = folder / "tests" / "recorded" / "api" / "the_viewer_is_the_owner_of_the_key.yaml"
    path.write_text(re.sub(r'"id":"[^"]+"', '"id":null', path.read_text(), count=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_a_field, r"breaking +Run\.state"),
        (edit_a_query, "run `make generate`"),
        (edit_a_recording, "test_no_recording_was_edited_by_hand"),
        (edit_a_shared_response, "an answer was edited by hand"),
        (put_a_null, r"breaking +User\.id +response-null"),
    ],
    ids=["schema", "query", "recording", "shared response", "null"],
)
def test_it_fails_after_an_inconsistent_change(
    change: Callable[[Path], None], message: str, copy: Path
) -> None:
    before = {
        path: path.read_bytes() for path in copy.rglob("*.*") if path.is_file() and ".venv" not in path.parts
    }
    change(copy)
    assert any(path.read_bytes() != content for path, content in before.items())
    done = make_drift(copy)
    assert done.returncode != 0
    assert re.search(message, done.stdout + done.stderr), done.stdout[-3000:]
