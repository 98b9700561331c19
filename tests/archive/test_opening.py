"""`runql.open` of an archive: it reads as the source does, nothing is written below it, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.reading import plain, read_project
from tests.archive.test_bad_input import BAD, Change
from tests.offline.test_opening import snapshot
from tests.patience import PATIENCE

import runql
from runql import Archive, ArchiveError, LocalFileError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NO_FOLDER = {"no manifest", "no folder"}
"""Nothing there says that it was an archive: it is opened as offline runs."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary directories."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def nothing_left(temporary: Path) -> Iterator[None]:
    """Check that no server and no temporary directory stays."""
    before = set(threading.enumerate())
    yield
    assert list(temporary.iterdir()) == []
    assert [
        each for each in threading.enumerate() if each.name == "runql-server" and each not in before
    ] == []


def _named(**changes: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        found = json.loads(path.read_text())
        path.write_text(json.dumps({**found, "source": {**found["source"], **changes}}))

    return change


@pytest.mark.usefixtures("nothing_left")
def test_an_opened_archive_equals_its_source_and_nothing_is_written(
    source: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    before = snapshot(folder)
    with api_of(source) as api:
        original = read_project(api, hostile.PATH)
        times = {run.id: (run.created_at, run.heartbeat_at) for run in api.runs(hostile.PATH)}
    with runql.open(folder) as opened:
        assert opened.problems == ()
        assert opened.paths == tuple(f"{hostile.PATH}/{run}" for run in times)
        copy = read_project(opened.api, hostile.PATH)
        assert {run.id: (run.created_at, run.heartbeat_at) for run in opened.api.runs()} == times
        (file,) = opened.api.run("Ünïcode ✓").files()
        with file.download(tmp_path / "file") as content:
            assert content.read() == hostile.FILES["Case.txt"].decode()
        used = opened.api.artifact("digits:first").download(tmp_path / "artifact")
        assert (Path(used) / "train.csv").read_bytes() == b"1,2,3\n" * 50
        run = opened.api.run("odd")
        run.tags = ["changed"]
        with pytest.raises(runql.AccessDeniedError):
            run.update()
        assert not opened.refresh()
    for name in original.keys() | copy.keys():
        assert copy.get(name) == original.get(name), name
    assert snapshot(folder) == before
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o755)


def test_the_async_client_reads_the_same(source: RunningServer, archive: Archive) -> None:
    async def read() -> list[object]:
        async with runql.open(archive.folder) as opened:
            run = await opened.async_api.run("odd")
            return [
                run.name,
                run.config,
                run.summary["best"],
                [dict(row) async for row in run.scan_history()],
            ]

    with api_of(source) as api:
        run = api.run(f"{hostile.PATH}/odd")
        rows = [dict(row) for row in run.scan_history()]
        expected = [run.name, run.config, run.summary["best"], rows]
    assert plain(asyncio.run(read())) == plain(expected)


def test_names_are_those_of_the_manifest_and_a_running_run_stays_running(
    target: RunningServer, tmp_path: Path
) -> None:
    target.seed("p", [SeedRun(name="a", state="running", history=[{"x": 1}])])
    with api_of(target) as api:
        api.project("local/p").export(tmp_path / "archive")
    _named(entity="größe team", project="digits ✓")(tmp_path / "archive")
    with runql.open(tmp_path / "archive") as opened:
        assert opened.paths == ("größe team/digits ✓/a",)
        run = opened.api.run("a")
        assert (run.entity, run.project, run.state) == ("größe team", "digits ✓", "running")
        assert [row["x"] for row in run.scan_history()] == [1]


def test_an_empty_project_opens(target: RunningServer, tmp_path: Path) -> None:
    with api_of(target) as api:
        api.create_project("nothing")
        api.project("local/nothing").export(tmp_path / "archive")
    with runql.open(tmp_path / "archive") as opened:
        assert opened.paths == ()
        assert opened.api.runs().length == 0


def test_a_kept_directory_is_filled_once(archive: Archive, tmp_path: Path) -> None:
    shown: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        shown.append((done, total))

    def ids() -> dict[str, str]:
        with runql.open(archive.folder, data_dir=tmp_path / "kept", progress=note) as opened:
            return {run.id: run.storage_id for run in opened.api.runs()}

    first = ids()
    assert shown[-1] == (7, 7)
    shown.clear()
    assert ids() == first
    assert shown == []
    shutil.rmtree(tmp_path / "kept")
    assert list(ids()) == list(first)
    assert shown[-1] == (7, 7)


def test_an_archive_that_changed_is_noticed(archive: Archive, tmp_path: Path) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    with runql.open(folder, data_dir=tmp_path / "kept"):
        pass
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "exported_at": "2026-02-03T04:05:06Z"}))
    with pytest.raises(ArchiveError, match=r"has changed since then\. Name another data_dir, or remove"):
        runql.open(folder, data_dir=tmp_path / "kept")
    with (folder / "runs.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArchiveError, match=r"damaged: runs\.parquet"):
        runql.open(folder, data_dir=tmp_path / "kept")


def test_an_interrupted_import_goes_on_in_a_kept_directory(
    source: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runql.open(archive.folder, data_dir=tmp_path / "kept", progress=stop)
    with api_of(source) as api, runql.open(archive.folder, data_dir=tmp_path / "kept") as opened:
        original, copy = read_project(api, hostile.PATH), read_project(opened.api, hostile.PATH)
    for name in original.keys() | copy.keys():
        assert copy.get(name) == original.get(name), name


def test_a_directory_with_a_run_of_that_name_is_refused(archive: Archive, tmp_path: Path) -> None:
    with RunningServer(tmp_path / "kept") as server:
        server.seed(hostile.PROJECT, [SeedRun(name="case")])
    with pytest.raises(
        ArchiveError, match="has run case already: nothing was written; name another data_dir"
    ):
        runql.open(archive.folder, data_dir=tmp_path / "kept")


def test_one_directory_may_keep_several_archives(
    archive: Archive, target: RunningServer, tmp_path: Path
) -> None:
    target.seed("p", [SeedRun(name="a")])
    with api_of(target) as api:
        other = api.project("local/p").export(tmp_path / "other")
    for each in (archive, other, archive):
        with runql.open(each.folder, data_dir=tmp_path / "kept") as opened:
            assert {path.rpartition("/")[0] for path in opened.paths} == {each.source}


@pytest.mark.usefixtures("nothing_left")
def test_a_data_dir_below_the_archive_is_refused(archive: Archive) -> None:
    before = snapshot(archive.folder)
    for below in (archive.folder, archive.folder / "files" / ".." / "kept"):
        with pytest.raises(ArchiveError, match="lies in the archive"):
            runql.open(archive.folder, data_dir=below)
    assert snapshot(archive.folder) == before


HOSTILE: dict[str, tuple[Change, str]] = {
    **{name: case for name, case in BAD.items() if name not in NO_FOLDER},
    "an entity that climbs": (_named(entity=".."), "which can be no project"),
    "a project that climbs": (_named(project=".."), "which can be no project"),
    "an entity of two parts": (_named(entity="a/b"), "which can be no project"),
    "an entity that the server refuses": (_named(entity="a%b"), "names an entity that can be none"),
    "an empty project": (_named(project=""), "which can be no project"),
    "an empty entity": (_named(entity=""), "which can be no project"),
    "a long entity": (_named(entity="e" * 3_000), "which can be no project"),
    "a project of control characters": (_named(project="a\x00b"), "which can be no project"),
    "an export that did not end": (
        lambda folder: (folder / "manifest.json").rename(folder / ".export.jsonl"),
        "is not complete: run the same `runql export` again",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.usefixtures("nothing_left")
def test_a_hostile_archive_is_refused_and_leaves_nothing(archive: Archive, tmp_path: Path, case: str) -> None:
    change, message = HOSTILE[case]
    folder = shutil.copytree(archive.folder, tmp_path / "archive", symlinks=True)
    change(folder)
    before = snapshot(folder)
    with pytest.raises(ArchiveError, match=message):
        runql.open(folder, data_dir=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    with pytest.raises(ArchiveError, match=message):
        runql.open(folder)
    assert snapshot(folder) == before


@pytest.mark.usefixtures("nothing_left")
def test_an_interrupt_during_the_import_leaves_nothing(archive: Archive) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runql.open(archive.folder, progress=stop)


@pytest.mark.usefixtures("nothing_left")
def test_a_port_in_use_is_refused(target: RunningServer, archive: Archive) -> None:
    port = int(target.url.rpartition(":")[2])
    with pytest.raises(LocalFileError, match=f"port {port} of 127.0.0.1 is in use"):
        runql.open(archive.folder, port=port)


def test_a_kept_directory_that_is_in_use_is_refused(archive: Archive, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with runql.open(archive.folder, data_dir=kept), pytest.raises(LocalFileError, match="kept"):
        runql.open(archive.folder, data_dir=kept)


def test_keys_end_with_the_server(archive: Archive, tmp_path: Path) -> None:
    with runql.open(archive.folder, data_dir=tmp_path / "kept"):
        pass
    with RunningServer(tmp_path / "kept") as server, server.store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone()[0] == 1


def test_what_an_archive_lacks_is_a_warning_each_time(
    target: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runql.archive.extras.EVENTS", 3)
    target.seed("p", [SeedRun(name="busy", events=[{"system.cpu": i} for i in range(5)])])
    with api_of(target) as api:
        api.project("local/p").export(tmp_path / "archive")
    for _ in range(2):
        with pytest.warns(
            runql.OfflineRunsWarning, match="the archive lacks it: the system metrics of run busy"
        ):
            opened = runql.open(tmp_path / "archive", data_dir=tmp_path / "kept")
        with opened:
            assert len(opened.problems) == 1


@pytest.mark.usefixtures("nothing_left")
def test_without_the_extras_the_error_names_them(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(**_: str) -> list[metadata.EntryPoint]:
        return []

    class Unloadable:
        def load(self) -> object:
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    def unloadable(**_: str) -> list[Unloadable]:
        return [Unloadable()]

    for found, message in (
        (nothing, r"the embedded server.*pip install 'runql\[server\]'"),
        (unloadable, r"needs uvicorn.*pip install 'runql\[server\]'"),
    ):
        monkeypatch.setattr("runql.opened.entry_points", found)
        with pytest.raises(runql.MissingExtraError, match=message):
            runql.open(archive.folder)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(runql.MissingExtraError, match=r"pip install 'runql\[arrow\]'"):
        runql.open(archive.folder)


def _read(link: str) -> str:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(link) as page:
        return str(page.read().decode())


def test_pages_open(archive: Archive) -> None:
    with runql.open(archive.folder) as opened:
        for page, content in (
            (f"/{hostile.PATH}", "größe"),
            (f"/{hostile.PATH}/runs/long", "long"),
        ):
            assert content in _read(opened.page_link(page))


@pytest.mark.posix
@pytest.mark.parametrize("more", [(), ("--data-dir", "kept")])
def test_the_command_prints_a_link_and_ends_with_an_interrupt(
    archive: Archive, tmp_path: Path, more: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "runql.cli.main", "open", str(archive.folder), *more]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"7 runs of {archive.folder} at http://127.0.0.1:")
        link = process.stdout.readline().split(": ", 1)[1].strip()
        assert f"/{hostile.PATH}?token=" in link
        assert "größe" in _read(link)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")


def test_the_command_says_what_is_wrong(archive: Archive, tmp_path: Path) -> None:
    from tests.cli.invoking import Done

    folder = shutil.copytree(archive.folder, tmp_path / "archive")
    (folder / "runs.parquet").unlink()
    done = Done("open", str(folder), server=None)
    assert (done.code, done.stdout) == (1, "")
    assert "runs.parquet (it is missing)" in done.stderr
