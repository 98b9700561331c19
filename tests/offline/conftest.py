"""Offline runs of both official SDKs, logged once, and a server to which `wandb sync` brought them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.oracle.sdk import VERSIONS, interpreter
from tests.patience import PATIENCE

import runql
from runql_server.running import RunningServer

SCRIPT = Path(__file__).with_name("log_offline.py")
HOUR = 3600
STAGED = Path(".local/share/wandb")
"""Where an SDK keeps files of artifacts below its home until they are uploaded."""


@dataclass(frozen=True)
class Logged:
    """The folder `wandb` of one SDK."""

    variable: str
    python: Path
    folder: Path

    @property
    def is_old(self) -> bool:
        return self.variable == VERSIONS[0]

    def environment(self) -> dict[str, str]:
        """A home of its own, because the SDK keeps files of artifacts there."""
        return environment(self.folder.parent)


def environment(home: Path) -> dict[str, str]:
    """The environment of an SDK's process: nothing of this machine's settings, no reports to anybody."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {**kept, "HOME": str(home), "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}


def age(folder: Path) -> None:
    """Make files look as if nobody wrote them for an hour: their processes are gone."""
    before = time.time() - HOUR
    for file in folder.rglob("*.wandb"):
        os.utime(file, (before, before))


def sync(python: Path, folders: list[Path], server: RunningServer, home: Path) -> str:
    """Run `wandb sync` on runs' folders, and return what it printed."""
    done = subprocess.run(
        [str(python.with_name("wandb")), "sync", *map(str, folders)],
        env={**environment(home), "WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.api_key},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session", params=VERSIONS, ids=["old", "new"])
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The runs of one SDK."""
    python = Path(interpreter(request.param))
    home = tmp_path_factory.mktemp("offline")
    done = subprocess.run(
        [str(python), str(SCRIPT), str(home)],
        env={**environment(home), "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=home,
    )
    assert done.returncode == -9, done.stderr
    age(home)
    shutil.copytree(home / STAGED, home / "staged")
    return Logged(request.param, python, home / "wandb")


@pytest.fixture(scope="session")
def opened(logged: Logged) -> Iterator[runql.OpenedRuns]:
    """The runs, opened. The file of the killed one may be cut, at any byte."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", runql.OfflineRunsWarning)
        found = runql.open(logged.folder, follow=False)
    with found:
        yield found


def run_folders(folder: Path) -> list[Path]:
    """The folders of the runs in a copy of a folder `wandb`, in the order of their starts."""
    return sorted(
        each for each in folder.iterdir() if each.name.startswith("offline-run-") and not each.is_symlink()
    )


@pytest.fixture(scope="session")
def synced(logged: Logged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the runs as the newest SDK's `wandb sync` brings them, of both SDKs.

    The old SDK's own is compared in a test of its own: it leaves out more.
    """
    yield from _synced(Path(interpreter(VERSIONS[1])), logged, tmp_path_factory)


@pytest.fixture(scope="session")
def synced_by_itself(logged: Logged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the runs as the same SDK's `wandb sync` brings them."""
    yield from _synced(logged.python, logged, tmp_path_factory)


def _synced(
    python: Path, logged: Logged, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    copy = tmp_path_factory.mktemp("synced") / "wandb"
    shutil.copytree(logged.folder, copy, symlinks=True)
    with RunningServer() as server:
        home = logged.folder.parent
        folders = run_folders(copy)
        forks = [each for each in folders if each.name.endswith("-fork")]
        # The embedded server refuses rewinds.
        (*_, rewind) = [each for each in folders if each.name.endswith("-rewound")]
        printed = sync(python, [each for each in folders if each not in (*forks, rewind)], server, home)
        # Sync uploads the runs of one call at the same time, and a fork needs its parent.
        printed += sync(python, forks, server, home)
        # Sync deletes what it uploaded; other readers of the same runs need it.
        shutil.copytree(home / "staged", home / STAGED, dirs_exist_ok=True)
        assert "Traceback" not in printed, printed
        yield server
