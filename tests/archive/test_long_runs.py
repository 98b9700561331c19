"""Runs with many rows: files cut between steps, exports that go on behind the last file, bounded memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.archive.conftest import api_of
from tests.archive.reading import digests, plain

from runql import Archive
from runql.archive import exporting, parts
from runql.archive.archive import ArchiveReader
from runql.errors import ConnectionFailedError
from runql.transport.flow import Flow
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 2_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run count as long, and a file as full, after few rows."""
    monkeypatch.setattr(exporting, "ROWS_PER_UNIT", 500)
    monkeypatch.setattr(parts, "MOST_ROWS", 300)


def _seed(server: RunningServer) -> None:
    # Two rows of one step stay in one file.
    rows = [{"_step": i // 2 * 3, "loss": i / 7} for i in range(ROWS)]
    server.seed("p", [SeedRun(name="short", history=[{"x": 1}]), SeedRun(name="long", history=rows)])


def _files(archive: Archive) -> list[str]:
    return sorted(path.name for path in (archive.folder / "history").iterdir())


@pytest.mark.usefixtures("small")
def test_a_long_run_is_cut_between_steps(target: RunningServer, tmp_path: Path) -> None:
    _seed(target)
    with api_of(target) as api:
        archive = api.project("local/p").export(tmp_path / "a")
        expected = [plain(row) for row in api.run("local/p/long").scan_history()]
    reader = ArchiveReader(archive)
    assert _files(archive) == ["000000-0000.parquet", *(f"000001-{part:04d}.parquet" for part in range(7))]
    assert [plain(row) for _, row in reader.rows("history", 1)] == expected
    assert archive.counts["history rows"] == ROWS + 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("written", [1, 3, 6])
def test_an_export_goes_on_behind_the_last_file(
    target: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    _seed(target)
    count = 0
    write = parts.Parts.write

    def failing(self: parts.Parts) -> Flow[None]:
        nonlocal count
        count += self.unit == 1
        if count > written:
            raise ConnectionFailedError("gone")
        yield from write(self)

    with api_of(target) as api:
        project = api.project("local/p")
        whole = project.export(tmp_path / "whole")
        target.clear()
        project.export(tmp_path / "other")
        usual = len(target.requests)
        with monkeypatch.context() as patched:
            patched.setattr(parts.Parts, "write", failing)
            with pytest.raises(ConnectionFailedError):
                project.export(tmp_path / "cut")
        noted = [json.loads(line) for line in (tmp_path / "cut" / ".export.jsonl").read_text().splitlines()]
        assert sum("history" in entry for entry in noted) == written
        target.clear()
        again = project.export(tmp_path / "cut")
    assert digests(again.folder) == digests(whole.folder)
    assert len(target.requests) <= usual


def test_a_file_that_was_removed_meanwhile_is_named(target: RunningServer, tmp_path: Path) -> None:
    from runql import ArchiveError

    target.seed("p", [SeedRun(name="a", history=[{"x": 1}])])
    with api_of(target) as api:
        project = api.project("local/p")
        project.export(tmp_path / "a")
        begun = {"format": 1, "server": target.url, "project": "local/p", "files": False, "artifacts": False}
        note = {"size": 3, "sha256": ""}
        part: dict[str, object] = {
            "files": {"history/000000-0000.parquet": note},
            "facts": {},
            "problems": [],
            "mapped": {},
            "counts": {},
        }
        journal = tmp_path / "b" / ".export.jsonl"
        journal.parent.mkdir()
        lines: list[dict[str, object]] = [{"begin": begun}, {"done": "unit 0", "part": part}]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"done": "cut')
        with pytest.raises(ArchiveError, match="was removed or changed while the export was interrupted"):
            project.export(tmp_path / "b")
