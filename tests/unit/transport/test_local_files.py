"""Copying a local file: the copy is whole or not there, and what was there before stays until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from runql.errors import LocalFileError
from runql.transport.files.local_files import copy_file, digest_of, write_atomically


def left_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 4096])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_copy_holds_the_same(content: bytes, before: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(content)
    target = tmp_path / "a/b/target"
    if before is not None:
        target.parent.mkdir(parents=True)
        target.write_bytes(before)
    copy_file(tmp_path / "source", target)
    assert left_in(tmp_path) == {"source": content, "target": content}
    assert digest_of(target) == digest_of(tmp_path / "source")


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_source_that_breaks_off_leaves_what_was_there(before: bytes | None, tmp_path: Path) -> None:
    if before is not None:
        (tmp_path / "target").write_bytes(before)
    pieces = iter([b"new ", b"bytes"])

    def read() -> bytes:
        piece = next(pieces, None)
        if piece is None:
            raise OSError("the disk went away")
        return piece

    with pytest.raises(OSError, match="went away"):
        write_atomically(tmp_path / "target", read)
    assert left_in(tmp_path) == ({} if before is None else {"target": before})


def test_what_cannot_be_read_or_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LocalFileError, match="cannot copy"):
        copy_file(tmp_path / "nothing", tmp_path / "target")
    with pytest.raises(LocalFileError, match="cannot read"):
        digest_of(tmp_path / "nothing")
    (tmp_path / "source").write_text("x")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalFileError):
        copy_file(tmp_path / "source", tmp_path / "file/target")
    assert left_in(tmp_path) == {"source": b"x", "file": b"in the way"}


def test_the_digest_is_the_md5_in_base64(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello world")
    assert digest_of(tmp_path / "x") == "XrY7u+Ae7tCTyyK7j1rNww=="
