"""`runql.open`: nothing is written below the path, running runs are followed, a kept directory is updated."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tests.offline import writing
from tests.patience import PATIENCE, until

import runql

FIRST = [
    writing.run("abc", display_name="first run", config={"update": [{"key": "lr", "value_json": "0.1"}]})
]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder, with size and time of change."""
    return {str(each): (each.stat().st_size, each.stat().st_mtime_ns) for each in folder.rglob("*")}


def test_runs_read_as_from_a_server_and_nothing_is_written(tmp_path: Path) -> None:
    writing.write(tmp_path, [*FIRST, writing.row(loss=1.0), writing.row(loss=0.5), writing.exit_record()])
    before = snapshot(tmp_path)
    with runql.open(tmp_path) as opened:
        assert opened.paths == ("local/p/abc",)
        assert opened.problems == ()
        run = opened.api.run("abc")
        assert (run.name, run.state, run.config) == ("first run", "finished", {"lr": 0.1})
        assert [row["loss"] for row in run.scan_history()] == [1, 0.5]
        assert run.created_at.startswith("2023-11-14T22:13:20")
        run.tags = ["changed"]
        with pytest.raises(runql.AccessDeniedError):
            run.update()
    assert snapshot(tmp_path) == before
    with pytest.raises(runql.ClientClosedError):
        opened.api.run("abc")
    opened.close()


def test_the_async_client_reads_the_same(tmp_path: Path) -> None:
    writing.write(tmp_path, [*FIRST, writing.row(loss=1.0), writing.exit_record()])

    async def read() -> list[dict[str, Any]]:  # Any: JSON
        async with runql.open(tmp_path) as opened:
            run = await opened.async_api.run("abc")
            return [dict(row) async for row in run.scan_history()]

    assert asyncio.run(read()) == [{"loss": 1, "_step": 0}]


def test_a_run_that_is_still_written_is_followed(tmp_path: Path) -> None:
    path = writing.write(tmp_path, [*FIRST, writing.row(loss=1.0)])
    with runql.open(path) as opened:
        assert opened.api.run("abc").state == "running"
        part = writing.framed([writing.row(loss=0.5)], at=path.stat().st_size)
        with path.open("ab") as file:
            file.write(part[:5])
        assert not opened.refresh()
        with path.open("ab") as file:
            file.write(part[5:])
        # The thread may have read it already; either way it is there now.
        opened.refresh()
        assert [row["loss"] for row in opened.api.run("abc").scan_history()] == [1, 0.5]
        writing.append(path, [writing.exit_record(3)])
        until(lambda: opened.api.run("abc").state == "failed")
        writing.write(tmp_path, [writing.run("later"), writing.exit_record()], name="later")
    with runql.open(tmp_path, follow=False) as opened:
        assert sorted(opened.paths) == ["local/p/abc", "local/p/later"]


def test_a_run_that_nobody_writes_any_more_has_failed(tmp_path: Path) -> None:
    path = writing.write(tmp_path, [*FIRST, writing.row(loss=1.0)])
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    with runql.open(path, follow=False) as opened:
        assert opened.api.run("abc").state == "failed"


def test_a_kept_directory_is_updated(tmp_path: Path) -> None:
    folder, kept = tmp_path / "wandb", tmp_path / "data"
    writing.write(folder, [writing.run("one"), writing.row(a=1), writing.exit_record()], name="one")
    two = writing.write(folder, [writing.run("two"), writing.row(a=1)], name="two")
    with runql.open(folder, data_dir=kept, follow=False) as opened:
        first = {run.id: run.storage_id for run in opened.api.runs()}
    writing.append(two, [writing.row(a=2), writing.exit_record()])
    with runql.open(folder, data_dir=kept, follow=False) as opened:
        second = {run.id: run.storage_id for run in opened.api.runs()}
        assert [row["a"] for row in opened.api.run("two").scan_history()] == [1, 2]
        assert [row["a"] for row in opened.api.run("one").scan_history()] == [1]
        assert opened.paths == ("local/p/one", "local/p/two")
    assert second["one"] == first["one"]
    assert second["two"] != first["two"]
    assert len(second) == 2


def test_a_kept_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    writing.write(tmp_path / "wandb", FIRST)
    kept = tmp_path / "data"
    with runql.open(tmp_path, data_dir=kept, follow=False), pytest.raises(runql.LocalFileError, match="data"):
        runql.open(tmp_path, data_dir=kept)


def test_a_port_in_use_is_refused_and_the_directory_is_free_again(tmp_path: Path) -> None:
    writing.write(tmp_path, FIRST)
    with runql.open(tmp_path, follow=False) as opened:
        port = int(opened.url.rpartition(":")[2])
        with pytest.raises(runql.LocalFileError, match=f"port {port} of 127.0.0.1 is in use"):
            runql.open(tmp_path, data_dir=tmp_path / "data", port=port)
    with runql.open(tmp_path, data_dir=tmp_path / "data", follow=False):
        pass


def test_resumed_files_are_one_run(tmp_path: Path) -> None:
    writing.write(tmp_path, [writing.run("abc"), writing.row(a=1, _step=0), writing.exit_record(1)], name="1")
    later = writing.run("abc", start_time={"seconds": 1_700_000_100}, resume=True)
    writing.write(tmp_path, [later, writing.row(a=2, _step=0), writing.exit_record()], name="2")
    with runql.open(tmp_path) as opened:
        assert opened.paths == ("local/p/abc",)
        run = opened.api.run("abc")
        assert [(row["_step"], row["a"]) for row in run.scan_history()] == [(0, 1), (1, 2)]
        assert run.state == "finished"


def test_entities_and_projects_are_those_of_the_runs(tmp_path: Path) -> None:
    writing.write(tmp_path, [writing.run("a", entity="team", project="x"), writing.exit_record()], name="a")
    writing.write(tmp_path, [writing.run("b", entity="", project=""), writing.exit_record()], name="b")
    with runql.open(tmp_path) as opened:
        assert sorted(opened.paths) == ["local/uncategorized/b", "team/x/a"]
        assert [run.id for run in opened.api.runs("team/x")] == ["a"]


def test_a_page_link_opens(tmp_path: Path) -> None:
    writing.write(tmp_path, [*FIRST, writing.exit_record()])
    with runql.open(tmp_path) as opened:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(opened.page_link("/local/p/runs/abc")) as page:
            assert "first run" in page.read().decode()


@pytest.mark.posix
def test_the_command_prints_a_link_and_ends_with_an_interrupt(tmp_path: Path) -> None:
    writing.write(tmp_path / "wandb", [*FIRST, writing.exit_record()])
    command = [sys.executable, "-m", "runql.cli.main", "open", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"1 run of {tmp_path} at http://127.0.0.1:")
        link = process.stdout.readline().split(": ", 1)[1].strip()
        assert "/local/p/runs/abc?token=" in link
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(link) as page:
            assert "first run" in page.read().decode()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")


def test_without_the_extras_the_error_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing.write(tmp_path, FIRST)

    def nothing(**_: str) -> list[metadata.EntryPoint]:
        return []

    class Unloadable:
        def load(self) -> object:
            raise ModuleNotFoundError("No module named 'google.protobuf'", name="google.protobuf")

    monkeypatch.setattr("runql.opened.entry_points", nothing)
    with pytest.raises(runql.MissingExtraError, match=r"pip install 'runql\[server,offline\]'"):
        runql.open(tmp_path)

    def unloadable(**_: str) -> list[Unloadable]:
        return [Unloadable()]

    monkeypatch.setattr("runql.opened.entry_points", unloadable)
    with pytest.raises(runql.MissingExtraError, match=r"needs protobuf.*pip install 'runql\[offline\]'"):
        runql.open(tmp_path)


def test_a_directory_with_another_run_of_that_name_is_refused(tmp_path: Path) -> None:
    folder, kept = tmp_path / "wandb", tmp_path / "data"
    writing.write(folder, [writing.run("one"), writing.row(a=1), writing.exit_record()], name="one")
    with runql.open(folder, data_dir=kept, follow=False):
        pass
    (kept / "offline-runs.json").write_text("[[")
    with pytest.raises(runql.LocalFileError, match="holds a run local/p/one already"):
        runql.open(folder, data_dir=kept)


def test_what_a_kill_left_is_read_again(tmp_path: Path) -> None:
    folder, kept = tmp_path / "wandb", tmp_path / "data"
    path = writing.write(folder, [writing.run("one"), writing.row(a=1), writing.exit_record()], name="one")
    with runql.open(folder, data_dir=kept, follow=False):
        pass
    # As noted before the first row is written.
    note = kept / "offline-runs.json"
    note.write_text(json.dumps([[str(path), 0, 0, ["local", "p", "one"], False]]))
    with runql.open(folder, data_dir=kept, follow=False) as opened:
        assert [row["a"] for row in opened.api.run("one").scan_history()] == [1]
