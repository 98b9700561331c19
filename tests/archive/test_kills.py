"""kill -9 at 20 points of an export and of an import: the same call then ends with the same result."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.killing_front import KillingFront
from tests.archive.reading import digests, read_project
from tests.patience import PATIENCE
from tests.profiles import quick_part

from runql import Archive
from runql_server.running import RunningServer

pytestmark = [pytest.mark.long, pytest.mark.posix]
ROOT = Path(__file__).parents[2]
POINTS = quick_part(range(20), lambda point: point % 7)


class Processes:
    """Runs calls in children of one process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.archive.program"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, front: KillingFront, at: int, *, carries_out: bool, **call: str) -> int:
        """Run a call that the front kills at a request, and return its exit code."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**call, "url": front.url}) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        front.arm(child, at, carries_out=carries_out)
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Start the process."""
    started = Processes()
    yield started
    started.close()


@pytest.fixture(scope="module")
def front(source: RunningServer) -> Iterator[KillingFront]:
    """A front of the server with the hostile project."""
    with KillingFront(source.url) as started:
        yield started


@pytest.fixture(scope="module")
def through(
    front: KillingFront, source: RunningServer, tmp_path_factory: pytest.TempPathFactory, processes: Processes
) -> tuple[int, Path]:
    """The requests of a whole export, and the archive."""
    folder = tmp_path_factory.mktemp("through") / "whole"
    call = {"call": "export", "key": source.api_key, "path": hostile.PATH, "folder": str(folder)}
    assert processes.run(front, 0, carries_out=False, **call) == 0
    return front.count, folder


@pytest.mark.parametrize("point", POINTS)
def test_an_export_that_was_killed_goes_on(
    front: KillingFront,
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    tmp_path: Path,
    point: int,
) -> None:
    requests, whole = through
    folder = tmp_path / "killed"
    call = {"call": "export", "key": source.api_key, "path": hostile.PATH, "folder": str(folder)}
    at = 1 + point * requests // 20
    assert processes.run(front, at, carries_out=point % 2 == 1, **call) == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    assert processes.run(front, 0, carries_out=False, **call) == 0
    assert digests(folder) == digests(whole)
    Archive(folder).verify()
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("point", POINTS)
def test_an_import_that_was_killed_goes_on(
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    whole_import: tuple[int, dict[str, object]],
    tmp_path: Path,
    point: int,
) -> None:
    requests, wanted = whole_import
    folder = shutil.copytree(through[1], tmp_path / "archive")
    with RunningServer() as target, KillingFront(target.url) as front:
        call = {"call": "import", "key": target.api_key, "path": "local/back", "folder": str(folder)}
        at = 1 + point * requests // 20
        assert processes.run(front, at, carries_out=point % 2 == 1, **call) == -signal.SIGKILL
        assert processes.run(front, 0, carries_out=False, **call) == 0
        with api_of(target) as api:
            found = read_project(api, "local/back")
    assert found == wanted


@pytest.fixture(scope="module")
def whole_import(
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[int, dict[str, object]]:
    """The requests of a whole import, and the original project."""
    folder = shutil.copytree(through[1], tmp_path_factory.mktemp("imported") / "archive")
    with RunningServer() as target, KillingFront(target.url) as front:
        call = {"call": "import", "key": target.api_key, "path": "local/back", "folder": str(folder)}
        assert processes.run(front, 0, carries_out=False, **call) == 0
        requests = front.count
    with api_of(source) as api:
        return requests, read_project(api, hostile.PATH)
