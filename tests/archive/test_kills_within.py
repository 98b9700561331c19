"""kill -9 within steps that send no request: digests, files half written, notes, uploads; within `runql copy`; and full disks."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.killing_front import KillingFront
from tests.archive.processes import FULL, Processes
from tests.archive.reading import digests, read_project
from tests.profiles import usual_part

from runql import Archive
from runql_server.running import RunningServer

pytestmark = [pytest.mark.nightly, pytest.mark.long, pytest.mark.posix]
PART_WRITE = "runql.transport.files.part_file:PartFile.write"
PART_PUBLISH = "runql.transport.files.part_file:PartFile.publish"
NOTE = "runql.archive.journal:Journal.note"
SEND = "runql.transport.files.bodies:Source.chunks"


def _function(point: str) -> str:
    return point.rpartition(":")[0]


EXPORTS = usual_part(
    [
        *(f"{PART_WRITE}:{n}" for n in (1, 3, 6, 9, 12)),
        *(f"{PART_PUBLISH}:{n}" for n in (1, 2, 5, 10, 15)),
        *(f"{NOTE}:{n}" for n in (1, 2, 3, 5)),
        *(f"runql.archive.extras:note_of:{n}" for n in (1, 4)),
        "runql.archive.exporting:os.fsync:1",
    ],
    _function,
)
IMPORTS = usual_part(
    [
        *(f"runql.archive.tables:note_of:{n}" for n in (1, 7, 14)),
        *(f"{NOTE}:{n}" for n in (1, 2, 4, 8, 12)),
        *(f"{SEND}:{n}" for n in (1, 3, 6, 9, 12)),
    ],
    _function,
)


@pytest.mark.parametrize("point", EXPORTS)
def test_an_export_that_was_killed_within_a_step_goes_on(
    front: KillingFront,
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    tmp_path: Path,
    point: str,
) -> None:
    folder = tmp_path / "killed"
    call = {"call": "export", "key": source.api_key, "path": hostile.PATH, "folder": str(folder)}
    assert processes.run(front, 0, carries_out=False, dies_in=point, **call) == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    assert processes.run(front, 0, carries_out=False, **call) == 0
    assert digests(folder) == digests(through[1])
    Archive(folder).verify()
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("point", IMPORTS)
def test_an_import_that_was_killed_within_a_step_goes_on(
    processes: Processes,
    through: tuple[int, Path],
    whole_import: tuple[int, dict[str, object]],
    tmp_path: Path,
    point: str,
) -> None:
    folder = shutil.copytree(through[1], tmp_path / "archive")
    with RunningServer() as target, KillingFront(target.url) as front:
        call = {"call": "import", "key": target.api_key, "path": "local/back", "folder": str(folder)}
        assert processes.run(front, 0, carries_out=False, dies_in=point, **call) == -signal.SIGKILL
        assert processes.run(front, 0, carries_out=False, **call) == 0
        with api_of(target) as api:
            assert read_project(api, "local/back") == whole_import[1]


def _is_large(room: int) -> bool:
    return room > 1


ROOMS = usual_part([0, 1, 300, 1_000, 3_000, 9_000], _is_large)
NOTE_ROOMS = usual_part([0, 1, 150, 300, 700], _is_large)
"""Bytes that a file may have; the notes of a whole import take more."""
COPIES = usual_part(
    [*(("export", share) for share in (0.3, 0.7, 0.95)), *(("import", share) for share in (0.1, 0.5, 0.9))],
    lambda case: case[0],
)


@pytest.mark.parametrize(("stage", "share"), COPIES)
def test_a_copy_that_was_killed_goes_on(
    front: KillingFront,
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    whole_import: tuple[int, dict[str, object]],
    tmp_path: Path,
    stage: str,
    share: float,
) -> None:
    with RunningServer() as target, KillingFront(target.url) as other:
        call = {
            "call": "copy",
            "source": front.url,
            "source_key": source.api_key,
            "source_path": hostile.PATH,
            "key": target.api_key,
            "path": "local/back",
            "folder": str(tmp_path / "kept"),
        }
        killer, idle, requests = (
            (front, other, through[0]) if stage == "export" else (other, front, whole_import[0])
        )
        idle.arm(0, 0, carries_out=False)
        url = {"url": other.url}
        at = int(share * requests)
        assert processes.run(killer, at, carries_out=True, **call, **url) == -signal.SIGKILL
        front.arm(0, 0, carries_out=False)
        assert processes.run(other, 0, carries_out=False, **call, **url) == 0
        with api_of(target) as api:
            assert read_project(api, "local/back") == whole_import[1]


@pytest.mark.parametrize("room", ROOMS)
def test_an_export_to_a_full_disk_goes_on_once_there_is_room(
    front: KillingFront,
    source: RunningServer,
    processes: Processes,
    through: tuple[int, Path],
    tmp_path: Path,
    room: int,
) -> None:
    folder = tmp_path / "full"
    call = {"call": "export", "key": source.api_key, "path": hostile.PATH, "folder": str(folder)}
    assert processes.run(front, 0, carries_out=False, room=str(room), **call) == FULL
    assert not (folder / "manifest.json").exists()
    assert processes.run(front, 0, carries_out=False, **call) == 0
    assert digests(folder) == digests(through[1])
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("room", NOTE_ROOMS)
def test_an_import_whose_notes_do_not_fit_goes_on_once_there_is_room(
    processes: Processes,
    through: tuple[int, Path],
    whole_import: tuple[int, dict[str, object]],
    tmp_path: Path,
    room: int,
) -> None:
    folder = shutil.copytree(through[1], tmp_path / "archive")
    with RunningServer() as target, KillingFront(target.url) as front:
        call = {"call": "import", "key": target.api_key, "path": "local/back", "folder": str(folder)}
        assert processes.run(front, 0, carries_out=False, room=str(room), **call) == FULL
        assert processes.run(front, 0, carries_out=False, **call) == 0
        with api_of(target) as api:
            assert read_project(api, "local/back") == whole_import[1]
