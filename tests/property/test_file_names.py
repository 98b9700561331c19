"""No name of a file leads out of the folder it is saved to, and no ordinary name is refused."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runql.errors import UnsafeNameError
from runql.resources.file_names import target_path, upload_name

PART = st.one_of(
    st.sampled_from(
        ["..", ".", "", "a", "b.txt", "C:", "c:x", "NUL", "con.txt", "COM1", "\\", "..\\x", "\0", "out"]
    ),
    st.text(max_size=4),
)
NAMES = st.lists(PART, min_size=1, max_size=5).map("/".join)


@given(NAMES)
@example("/etc/passwd")
@example("a/../../b")
@example("out/x")
@example("loop/x")
def test_a_target_lies_inside_or_is_refused(name: str) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        (root / "out").symlink_to(folder)
        (root / "loop").symlink_to(root / "loop")
        try:
            target = target_path(root, name)
        except UnsafeNameError:
            return
        assert target.resolve().is_relative_to(root.resolve())
        assert target != root
        windows = PureWindowsPath(name)
        assert not windows.drive
        assert not windows.root
        assert not windows.is_reserved()
        assert ".." not in windows.parts
        assert len(list(root.iterdir())) == 2


@pytest.mark.parametrize(
    "name", ["/a", "a//b", "../a", "a/..", "", ".", "C:/a", "c:a", "a\\b", "a\0", "nul", "d/Com1.x"]
)
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError, match="is not saved"):
        target_path(tmp_path, name)


@pytest.mark.parametrize(
    "name", ["a", "media/table/a b.json", "..a", "a..b/c", "console.log", "grüße:1", "null"]
)
def test_an_ordinary_name_is_taken(name: str, tmp_path: Path) -> None:
    assert target_path(tmp_path, name) == tmp_path / name


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert target_path(tmp_path, "link/a") == tmp_path / "link/a"


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("a/b", ".", "a/b"),
        ("b", "..", "here/b"),
        ("../b", ".", "__/b"),
        ("/x/b", "/", "x/b"),
        ("./b", ".", "b"),
    ],
)
def test_names_of_uploads(
    path: str, root: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert upload_name(path, root) == name
