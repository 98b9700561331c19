"""kill -9 at points of an export and of an import: the same call then ends with the same result."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.killing_front import KillingFront
from tests.archive.processes import Processes
from tests.archive.reading import digests, read_project
from tests.profiles import usual_part

from runql import Archive
from runql_server.running import RunningServer

pytestmark = [pytest.mark.nightly, pytest.mark.long, pytest.mark.posix]
POINTS = usual_part(range(20), lambda point: point % 7)


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
