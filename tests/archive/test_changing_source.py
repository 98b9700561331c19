"""The source changes while an export is interrupted: what is gone is named, and the archive stays one that imports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.archive.conftest import api_of

from runql import Api, Archive
from runql.archive import exporting
from runql.archive.archive import ArchiveReader
from runql.archive.extras import RunExtrasReader
from runql.archive.importing.uploads import Chunk, post_chunk
from runql.errors import ConnectionFailedError
from runql.paths import RunAddress
from runql.transport.flow import Flow
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 40


@pytest.fixture
def interrupted(target: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose export stopped behind the list of runs: no row was read."""
    monkeypatch.setattr(exporting, "ROWS_PER_UNIT", ROWS)
    runs = [
        SeedRun(name=name, history=[{"loss": i} for i in range(count)], state="finished")
        for name, count in (("a", 3), ("b", 3), ("long", 2 * ROWS))
    ]
    target.seed("p", runs)
    with api_of(target) as api:
        api.run("local/p/a").upload_file(_file(tmp_path), tmp_path)

        def gone(*_: object) -> Flow[None]:
            raise ConnectionFailedError("gone")

        with monkeypatch.context() as patched:
            patched.setattr(RunExtrasReader, "read", gone)
            with pytest.raises(ConnectionFailedError):
                api.project("local/p").export(tmp_path / "a", files=True, progress=False)
    return tmp_path / "a"


def _file(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("notes")
    return path


def _resumed(api: Api, folder: Path) -> Archive:
    return api.project("local/p").export(folder, files=True, progress=False)


def _rows(archive: Archive) -> dict[str, int]:
    reader, found = ArchiveReader(archive), dict[str, int]()
    for unit in reader.units():
        for run, _ in reader.rows("history", unit.number):
            found[run] = found.get(run, 0) + 1
    return found


@pytest.mark.parametrize("run", ["a", "long"])
def test_a_run_that_was_deleted_is_named(target: RunningServer, interrupted: Path, run: str) -> None:
    with api_of(target) as api:
        api.run(f"local/p/{run}").delete()
        archive = _resumed(api, interrupted)
        assert f"run {run}: it was deleted during the export" in archive.problems
        archive.verify()
        assert {*_rows(archive)} == {"a", "b", "long"} - {run}
        report = api.import_project(archive.folder, "local/back", progress=False)
        assert any(f"run {run}" in each for each in report.left_out)
        assert [row["loss"] for row in api.run("local/back/b").scan_history()] == [0, 1, 2]


@pytest.mark.parametrize(("run", "before"), [("a", 3), ("long", 2 * ROWS)])
@pytest.mark.parametrize("more", [1, 100])
def test_a_run_that_grew_has_all_rows_it_had_when_they_were_read(
    target: RunningServer, interrupted: Path, run: str, before: int, more: int
) -> None:
    lines = [json.dumps({"_step": before + i, "loss": before + i}) for i in range(more)]
    with api_of(target) as api:
        api.client.run(post_chunk(RunAddress("local", "p", run), "history", Chunk(run, before, lines)))
        archive = _resumed(api, interrupted)
        assert archive.problems == []
        assert _rows(archive)[run] == before + more
        api.import_project(archive.folder, "local/back", progress=False)
        found = [row["loss"] for row in api.run(f"local/back/{run}").scan_history()]
        assert found == [*range(before + more)]


def test_a_run_that_was_renamed_has_the_name_of_the_first_call(
    target: RunningServer, interrupted: Path
) -> None:
    with api_of(target) as api:
        run = api.run("local/p/a")
        before = run.name
        run.display_name = "renamed"
        run.update()
        archive = _resumed(api, interrupted)
        assert archive.problems == []
        api.import_project(archive.folder, "local/back", progress=False)
        assert api.run("local/back/a").name == before
        # Another folder begins anew.
        again = api.project("local/p").export(interrupted.parent / "again", progress=False)
        assert {run["id"]: run.get("name") for run in ArchiveReader(again).runs()}["a"] == "renamed"


def test_a_run_that_is_new_is_not_in_the_archive(target: RunningServer, interrupted: Path) -> None:
    target.seed("p", [SeedRun(name="new", history=[{"loss": 1}])])
    with api_of(target) as api:
        archive = _resumed(api, interrupted)
        assert archive.problems == []
        assert archive.counts["runs"] == 3
        assert "new" not in _rows(archive)


def test_a_file_that_was_deleted_is_not_in_the_archive(target: RunningServer, interrupted: Path) -> None:
    with api_of(target) as api:
        api.run("local/p/a").file("notes.txt").delete()
        archive = _resumed(api, interrupted)
        assert archive.problems == []
        assert archive.counts["files"] == 0
