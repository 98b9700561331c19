"""Folders that are no whole archive, targets that cannot take one, and disks that are full."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of

import runql
from runql import Archive, ArchiveError, LocalFileError
from runql.archive.tables import write_rows
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

Change = Callable[[Path], object]


def _manifest(**changes: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def _named(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        found = json.loads(path.read_text())
        found["files"][name] = {"size": 0, "sha256": ""}
        path.write_text(json.dumps(found))

    return change


def _cut(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-9])

    return change


def _altered(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return change


def _link_out(folder: Path) -> None:
    (folder / "files").rename(folder / "elsewhere")
    (folder / "files").symlink_to(folder.parent)


BAD: dict[str, tuple[Change, str]] = {
    "another version": (_manifest(version=2), "format version 2, this runql reads version 1"),
    "another format": (_manifest(format="zip"), "is no manifest of an archive"),
    "no object": (lambda folder: (folder / "manifest.json").write_text("[]"), "is no manifest of an archive"),
    "cut manifest": (_cut("manifest.json"), "is cut or damaged"),
    "deep manifest": (
        lambda folder: (folder / "manifest.json").write_text("[" * 200_000),
        "is cut or damaged",
    ),
    "no manifest": (
        lambda folder: (folder / "manifest.json").unlink(),
        "holds no archive: it has no manifest.json",
    ),
    "wrong types": (_manifest(files={"runs.parquet": 3}), "cannot be read: files.runs.parquet"),
    "no folder": (shutil.rmtree, "holds no archive"),
    "a name that climbs": (_named("../outside"), "names files that it cannot hold: '../outside'"),
    "an absolute name": (_named("/etc/passwd"), "it is an absolute path"),
    "a drive": (_named("C:/x"), "names files that it cannot hold"),
    "a backslash": (_named("..\\x"), "names files that it cannot hold"),
    "an empty name": (_named(""), "names files that it cannot hold"),
    "a nul": (_named("a\0b"), "NUL character"),
    "a link out": (_link_out, "a symbolic link leads out"),
    "a cut file": (_cut("runs.parquet"), "damaged: runs.parquet \\(it has"),
    "a wrong digest": (_altered("runs.parquet"), "damaged: runs.parquet \\(its digest is another one"),
    "a missing file": (
        lambda folder: (folder / "runs.parquet").unlink(),
        "damaged: runs.parquet \\(it is missing",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_archive_is_refused_before_anything_is_written(
    target: RunningServer, archive: Archive, tmp_path: Path, case: str
) -> None:
    change, message = BAD[case]
    folder = shutil.copytree(archive.folder, tmp_path / "archive", symlinks=True)
    change(folder)
    with api_of(target) as api, pytest.raises(ArchiveError, match=message):
        api.import_project(folder, "local/back")
    assert target.requests == []


def test_a_file_is_no_archive(target: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with api_of(target) as api:
        with pytest.raises(ArchiveError, match="holds no archive"):
            api.import_project(tmp_path / "file", "local/back")
        api.create_project("p")
        with pytest.raises(ArchiveError, match="is no folder"):
            api.project("local/p").export(tmp_path / "file")


@pytest.mark.parametrize("taken", ["run", "artifact"])
def test_a_project_that_has_a_part_of_the_archive_is_refused(
    target: RunningServer, archive: Archive, tmp_path: Path, taken: str
) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    target.seed("back", [SeedRun(name="case" if taken == "run" else "other")])
    if taken == "artifact":
        target.seed_artifacts("back", [SeedArtifact(name="digits", files={"a": b"1"})])
    before = _dump(target)
    message = "has run case already" if taken == "run" else "has artifact digits already"
    with api_of(target) as api:
        for dry_run in (True, False):
            with pytest.raises(ArchiveError, match=message):
                api.import_project(folder, "local/back", dry_run=dry_run)
    assert _dump(target) == before
    assert not list(folder.glob(".import*"))


def test_a_second_import_writes_nothing(target: RunningServer, archive: Archive, tmp_path: Path) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    with api_of(target) as api:
        first = api.import_project(folder, "local/back")
        target.clear()
        assert api.import_project(folder, "local/back").counts == first.counts
        assert [request.operation for request in target.requests] == ["ListRuns"]
        # Another project of the same server is another import.
        api.import_project(folder, "local/again")
        assert api.project("local/again").runs().length == first.counts["runs"]


def test_a_dry_run_writes_nothing(target: RunningServer, archive: Archive, tmp_path: Path) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    with api_of(target) as api:
        report = api.import_project(folder, "local/back", dry_run=True)
    assert report.is_dry_run
    assert report.counts == archive.counts
    assert [request.operation for request in target.requests] == ["GetProject"]
    assert not list(folder.glob(".import*"))


def test_a_folder_with_something_else_is_left_alone(source: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with api_of(source) as api, pytest.raises(ArchiveError, match="is not empty, and holds no archive"):
        api.project(hostile.PATH).export(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_folder_with_another_archive_is_left_alone(
    source: RunningServer, target: RunningServer, archive: Archive
) -> None:
    before = (archive.folder / "manifest.json").read_bytes()
    with api_of(source) as api:
        with pytest.raises(ArchiveError, match="holds an archive with other parts"):
            api.project(hostile.PATH).export(archive.folder)
        source.clear()
        again = api.project(hostile.PATH).export(archive.folder, files=True, artifacts=True)
        assert again.counts == archive.counts
        assert [request.operation for request in source.requests] == ["GetProject"]
    with api_of(target) as other:
        other.create_project("p")
        with pytest.raises(ArchiveError, match="holds the archive of local/hostile"):
            other.project("local/p").export(archive.folder, files=True, artifacts=True)
    assert (archive.folder / "manifest.json").read_bytes() == before


def test_an_export_that_did_not_end_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / ".export.jsonl").write_text("")
    with pytest.raises(ArchiveError, match="is not complete: run the same `runql export` again"):
        Archive(tmp_path)


def test_an_export_of_another_project_does_not_go_on_in_this_folder(
    source: RunningServer, tmp_path: Path
) -> None:
    begun = {
        "begin": {
            "format": 1,
            "server": source.url,
            "project": "local/other",
            "files": False,
            "artifacts": False,
        }
    }
    (tmp_path / ".export.jsonl").write_text(json.dumps(begun) + "\n")
    with (
        api_of(source) as api,
        pytest.raises(ArchiveError, match="is of another call, with project 'local/other'"),
    ):
        api.project(hostile.PATH).export(tmp_path)


def test_a_full_disk_ends_an_export_and_the_next_call_goes_on(
    source: RunningServer, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runql.transport.files.part_file import PartFile

    written = 0
    publish = PartFile.publish

    def full(self: PartFile) -> None:
        nonlocal written
        written += 1
        if written > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        publish(self)

    folder = tmp_path / "archive"
    with api_of(source) as api:
        project = api.project(hostile.PATH)
        with monkeypatch.context() as patched:
            patched.setattr(PartFile, "publish", full)
            with pytest.raises(LocalFileError, match="No space left on device"):
                project.export(folder, files=True, artifacts=True)
        assert not (folder / "manifest.json").exists()
        assert project.export(folder, files=True, artifacts=True).counts == archive.counts


@pytest.mark.parametrize("argument", ["files", "artifacts"])
def test_options_are_checked_before_anything_is_sent(
    source: RunningServer, tmp_path: Path, argument: str
) -> None:
    with api_of(source) as api:
        project = api.project(hostile.PATH)
        source.clear()
        options: dict[str, object] = {argument: "yes"}
        with pytest.raises(TypeError, match=f"{argument} must be True or False"):
            project.export(tmp_path / "a", **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the test
        assert source.requests == []
    assert not (tmp_path / "a").exists()


def test_the_key_is_in_no_file_of_an_archive(source: RunningServer, archive: Archive) -> None:
    for path in archive.folder.rglob("*"):
        if path.is_file():
            assert source.api_key.encode() not in path.read_bytes()


def test_names_are_public() -> None:
    assert runql.Archive is Archive
    assert issubclass(runql.ArchiveError, runql.RunqlError)


def _dump(server: RunningServer) -> list[str]:
    with server.store.connection() as connection:
        return list(connection.iterdump())


def test_runs_that_were_deleted_after_an_import_are_named(
    target: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    with api_of(target) as api:
        api.import_project(folder, "local/back")
        api.run("local/back/case").delete()
        with pytest.raises(ArchiveError, match="lacks run case, which an earlier import has written"):
            api.import_project(folder, "local/back")
        (journal,) = folder.glob(".import-*")
        journal.unlink()
        with pytest.raises(ArchiveError, match="has run odd, run long"):
            api.import_project(folder, "local/back")


@pytest.mark.parametrize("name", ["runs", "sweeps", "artifacts/collections", "artifacts/versions"])
def test_rows_that_lack_what_an_import_needs_are_refused(
    target: RunningServer, archive: Archive, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    note = write_rows(folder / f"{name}.parquet", [{"x": 1}])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][f"{name}.parquet"] = {"size": note.size, "sha256": note.sha256}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with api_of(target) as api, pytest.raises(ArchiveError, match=f"row 0 of {name}.parquet has no"):
        api.import_project(folder, "local/back")
    assert target.requests == []
