"""No name of a file leads out of the folder it is saved to; what this system stores is taken, what it does not is listed."""

from __future__ import annotations

import warnings
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runql.errors import LocalFileError, UnsafeNameError
from runql.resources.files.names import ignores_case, place_files, target_path, target_paths, upload_name

ODD = ["..", ".", "", "a", "b.txt", "C:", "c:x", "NUL", "con.txt", "COM1", "\\", "..\\x", "\0", "out", "loop"]
PART = st.one_of(
    st.sampled_from([*ODD, "x" * 300, "é" * 200, "A", "\udc80", "a ", "a.", "?"]), st.text(max_size=4)
)
NAMES = st.lists(PART, min_size=1, max_size=5).map("/".join)


def split_root(folder: str) -> Path:
    """A folder that holds a link out of it, and one in a circle."""
    root = Path(folder) / "root"
    root.mkdir()
    (root / "out").symlink_to(folder)
    (root / "loop").symlink_to(root / "loop")
    return root


@given(NAMES)
@example("/etc/passwd")
@example("a/../../b")
@example("out/x")
@example("loop/x")
@pytest.mark.posix
def test_a_target_lies_inside_and_can_be_written_or_is_refused(name: str) -> None:
    with TemporaryDirectory() as folder:
        root = split_root(folder)
        try:
            target = target_path(root, name)
        except UnsafeNameError:
            return
        assert len(list(root.iterdir())) == 2, "nothing is written"
        assert target.resolve().is_relative_to(root.resolve())
        assert target.relative_to(root).as_posix() == name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"")


@given(NAMES)
@example("/etc/passwd")
@example("\\\\server\\share\\x")
@example("C:/x")
@example("a:b")
@example("d/aux.py")
@pytest.mark.posix
def test_what_windows_would_read_otherwise_is_refused_there(name: str) -> None:
    with TemporaryDirectory() as folder:
        root = split_root(folder)
        try:
            target_path(root, name, windows=True)
        except UnsafeNameError:
            return
        read = PureWindowsPath(name)
        assert not read.drive
        assert not read.root
        with warnings.catch_warnings():
            # Of Python 3.13; its successor, `os.path.isreserved`, knows the system that it runs on.
            warnings.simplefilter("ignore", DeprecationWarning)
            assert not read.is_reserved()
        assert ".." not in read.parts
        assert not set(name) & set('<>:"|?*\\')
        assert all(part[-1] not in " ." for part in read.parts)
        assert read.as_posix() == name


@given(names=st.lists(NAMES, max_size=6), folds=st.booleans())
@example(names=["a", "a/b"], folds=False)
@example(names=["A/x", "a"], folds=True)
@example(names=["Ab", "aB", "ab"], folds=True)
@pytest.mark.posix
def test_many_names_have_a_place_each_or_are_listed(names: list[str], *, folds: bool) -> None:
    with TemporaryDirectory() as folder:
        root = split_root(folder)
        placement = place_files(root, names, folds=lambda _: folds)
        assert placement.targets.keys() | placement.refused.keys() == set(names)
        assert not placement.targets.keys() & placement.refused.keys()
        places = [str(path).casefold() if folds else str(path) for path in placement.targets.values()]
        assert len(set(places)) == len(places)
        for path in placement.targets.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")


@pytest.mark.parametrize(
    "name", ["/a", "a//b", "../a", "a/..", "", ".", "a\0", "x" * 256, "d/" + "é" * 128, "\udc80"]
)
def test_a_bad_name_is_refused_everywhere(name: str, tmp_path: Path) -> None:
    for windows in (False, True):
        if windows and "é" in name:
            continue  # 128 characters there
        with pytest.raises(UnsafeNameError, match="is not saved"):
            target_path(tmp_path, name, windows=windows)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "C:/a",
            "c:a",
            "a\\b",
            "nul",
            "d/Com1.x",
            "aux/img.png",
            "con/val",
            "a:b",
            "back\\slash.txt",
            "aux.py",
        ),
        *("grüße:1", "a?", "a*", "a|b", '"', "<a>", "a.", "a /b", "tab\t", "x\n", "COM¹"),
    ],
)
def test_a_name_that_only_windows_cannot_store_is_taken_elsewhere(name: str, tmp_path: Path) -> None:
    assert target_path(tmp_path, name, windows=False) == tmp_path / name
    with pytest.raises(UnsafeNameError, match="Windows"):
        target_path(tmp_path, name, windows=True)


@pytest.mark.parametrize(
    "name", ["a", "media/table/a b.json", "..a", "a..b/c", "console.log", "null", "auxiliary.py"]
)
def test_an_ordinary_name_is_taken(name: str, tmp_path: Path) -> None:
    for windows in (False, True):
        assert target_path(tmp_path, name, windows=windows) == tmp_path / name


def test_a_file_gives_way_to_a_folder_of_its_name(tmp_path: Path) -> None:
    placement = place_files(tmp_path, ["a", "a/b", "a/c", "b"])
    assert [*placement.targets] == ["a/b", "a/c", "b"]
    assert placement.refused == {"a": "other files are in a folder of this name"}


def test_the_second_of_two_spellings_is_refused_where_the_disk_takes_them_for_one(tmp_path: Path) -> None:
    names = ["Model.pt", "model.pt", "e\u0301", "é", "Dir/x", "dir"]
    assert place_files(tmp_path, names, folds=lambda _: False).refused == {}
    placement = place_files(tmp_path, names, folds=lambda _: True)
    assert [*placement.targets] == ["Model.pt", "e\u0301", "Dir/x"]
    assert "takes it for 'Model.pt'" in placement.refused["model.pt"]
    assert "in a folder" in placement.refused["dir"]


def test_whether_a_disk_ignores_case_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert ignores_case(tmp_path / "not/yet") is (tmp_path / "A").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_disk_is_tried_only_where_spellings_clash(tmp_path: Path) -> None:
    def never(_: Path) -> bool:
        raise AssertionError

    assert place_files(tmp_path, ["A", "b", "c/D", "a/b/../c", "d"], folds=never).refused.keys() == {
        "a/b/../c"
    }


def test_a_path_that_is_too_long_as_a_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError, match="is not saved"):
        target_path(tmp_path, "/".join(["x" * 200] * 30))


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalFileError, match="file: Not a directory"):
        target_path(tmp_path / "file", "a")


@pytest.mark.parametrize("root", ["\ud800", "a\0"])
def test_a_root_that_is_no_path_is_a_bad_argument(root: str) -> None:
    with pytest.raises(ValueError, match="root"):
        target_path(root, "a")


def test_all_that_is_refused_is_listed(tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError, match="2 files are not saved") as caught:
        target_paths(tmp_path, ["a", "../b", "/c"])
    assert caught.value.refused == {"../b": "`..` leads out of the folder", "/c": "it is an absolute path"}


@pytest.mark.posix
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


@pytest.mark.parametrize("name", ["\udcff.txt", "d/\ud800", "a\0b"])
def test_a_name_that_no_request_can_carry_is_not_uploaded(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError, match="is not uploaded"):
        upload_name(tmp_path / name, tmp_path)
