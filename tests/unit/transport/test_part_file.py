"""Unfinished files beside a target: whose they are, and what becomes of those that are nobody's."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runql.transport.files.part_file import DAY, PartFile

LEAVE = """
import os, sys
from pathlib import Path
from runql.transport.files.part_file import PartFile
if sys.argv[2] == "no locks":
    import fcntl
    def refuse(file, operation):
        raise OSError
    fcntl.flock = refuse
part = PartFile(Path(sys.argv[1]))
part.write(bytes(100_000))
os._exit(0)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """In a folder that has to be made."""
    return tmp_path / "a" / "x.bin"


@pytest.fixture(params=["locks", "no locks"])
def locking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether files can be locked here."""

    def refuse(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if request.param == "no locks":
        monkeypatch.setattr(fcntl, "flock", refuse)
    return str(request.param)


def leave(target: Path, locking: str) -> Path:
    """What a process leaves that ends in the middle."""
    before = {*target.parent.rglob("*")}
    subprocess.run([sys.executable, "-c", LEAVE, str(target), locking], check=True)
    (left,) = (path for path in target.parent.rglob("*") if path.is_file() and path not in before)
    return left


def test_each_writer_has_its_own(locking: str, target: Path) -> None:
    first, second, third = (PartFile(target) for _ in range(3))
    for part, content in ((first, b"1"), (second, b"22"), (third, b"333")):
        part.write(content)
    second.publish()
    assert target.read_bytes() == b"22"
    third.discard()
    first.restart()
    first.write(b"one")
    first.publish()
    assert target.read_bytes() == b"one"
    assert [path.name for path in target.parent.iterdir()] == ["x.bin"]


def test_what_is_nobodys_is_removed_and_what_is_somebodys_is_not(locking: str, target: Path) -> None:
    alive = PartFile(target)
    left = leave(target, locking)
    alive.write(b"alive")
    long_ago = time.time() - 2 * DAY
    os.utime(left, (long_ago, long_ago))
    PartFile(target).publish()
    assert target.read_bytes() == b""
    assert not left.exists()
    alive.publish()
    assert target.read_bytes() == b"alive"
    assert [path.name for path in target.parent.iterdir()] == ["x.bin"]


def test_what_was_left_where_nobody_writes_is_taken(target: Path) -> None:
    left = leave(target, "locks")
    part = PartFile(target)
    part.write(b"new")
    part.publish()
    assert not left.exists()
    assert [path.read_bytes() for path in target.parent.iterdir()] == [b"new"]


@pytest.mark.parametrize("locking", ["no locks"], indirect=True)
def test_without_locks_a_young_file_is_somebodys(locking: str, target: Path) -> None:
    left = leave(target, locking)
    PartFile(target).publish()
    assert left.exists()


def test_what_another_user_left_is_gone_around(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, opened = leave(target, "locks"), Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if path == left:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", refuse)
    part = PartFile(target)
    part.write(b"new")
    part.publish()
    assert target.read_bytes() == b"new"


def test_a_link_in_its_place_is_not_followed(target: Path, tmp_path: Path) -> None:
    left = leave(target, "locks")
    (tmp_path / "precious").write_bytes(b"precious")
    left.unlink()
    left.symlink_to(tmp_path / "precious")
    part = PartFile(target)
    part.write(b"new")
    part.publish()
    assert target.read_bytes() == b"new"
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_long_names_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    first, second = PartFile(tmp_path / ("ä" * 100 + "1")), PartFile(tmp_path / ("ä" * 100 + "2"))
    assert all(path.is_file() for path in tmp_path.iterdir())
    first.write(b"1")
    second.write(b"2")
    first.publish()
    second.publish()
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"1", b"2"]


def test_a_file_in_the_way_of_its_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(NotADirectoryError):
        PartFile(tmp_path / "a" / "x.bin")


def test_a_target_that_is_no_path_is_a_bad_argument(tmp_path: Path) -> None:
    for target in (tmp_path / "a\ud800", tmp_path / "\ud800/a"):
        with pytest.raises(ValueError, match="cannot be a path: it holds half a surrogate pair"):
            PartFile(target)
