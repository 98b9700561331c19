"""Files of the official SDKs: cut at many bytes, and read while a process still writes them."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import pytest
from tests.offline.conftest import Logged, age, environment, run_folders, sync
from tests.offline.reading import different, members
from tests.oracle.sdk import NEWEST_IF_QUICK, VERSIONS, interpreter
from tests.patience import PATIENCE, until

import runql
from runql_server.offline.framing import RecordFile
from runql_server.offline.messages import decode
from runql_server.running import RunningServer

pytestmark = [pytest.mark.oracle, pytest.mark.long]
LIVING = Path(__file__).with_name("log_until_stopped.py")


def history_of(path: Path) -> int:
    return sum(decode(data).kind == "history" for data in RecordFile(path).read())


def test_every_record_of_the_sdk_is_known(logged: Logged) -> None:
    for folder in run_folders(logged.folder):
        (path,) = folder.glob("*.wandb")
        records = [decode(data) for data in RecordFile(path).read()]
        assert [each for each in records if not each.kind or each.unknown] == [], path


def test_cut_files_give_the_whole_records_before_the_cut(logged: Logged, tmp_path: Path) -> None:
    folder = next(each for each in run_folders(logged.folder) if each.name.endswith("-plain"))
    (source,) = folder.glob("*.wandb")
    content = source.read_bytes()
    whole = list(RecordFile(source).read())
    path = tmp_path / "run-plain.wandb"
    # Steps of a prime number: over the bounds of blocks and chunks at many places.
    for cut in range(0, len(content), 3_989):
        path.write_bytes(content[:cut])
        reader = RecordFile(path)
        found = list(reader.read())
        assert found == whole[: len(found)]
        assert reader.stop.end in {"whole", "cut"}
        assert reader.offset <= max(cut, 7)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_cut_run_opens_and_says_so(logged: Logged, tmp_path: Path, share: float) -> None:
    folder = next(each for each in run_folders(logged.folder) if each.name.endswith("-plain"))
    (source,) = folder.glob("*.wandb")
    content = source.read_bytes()
    path = tmp_path / "run-plain.wandb"
    path.write_bytes(content[: int(len(content) * share)])
    reader = RecordFile(path)
    list(reader.read())
    # Ten bytes behind the last whole record: a share of the length may end exactly between two records.
    path.write_bytes(content[: reader.offset + 10])
    age(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        opened = runql.open(path, follow=False)
    with opened:
        # The files that the run saved are not beside the copy.
        assert [str(each.message) for each in said] == list(opened.problems)
        assert "the file ends inside a record (at byte " in opened.problems[0]
        assert "file requirements.txt is not there" in opened.problems[1]
        rows = list(opened.api.run("plain").scan_history())
        assert [row["_step"] for row in rows] == list(range(history_of(path)))


def assert_same_as_synced(opened: runql.OpenedRuns, folders: list[Path], home: Path) -> None:
    """Check every member of the run that was followed against what sync makes of the finished file."""
    with RunningServer() as server:
        sync(Path(interpreter(VERSIONS[1])), folders, server, home)
        with runql.Api(
            {"entity": server.entity, "project": "offline"}, api_key=server.api_key, base_url=server.url
        ) as api:
            assert different(members(opened.api.run("living")), members(api.run("living"))) == {}


@pytest.mark.parametrize("variable", NEWEST_IF_QUICK)
def test_a_run_is_followed_while_the_sdk_writes_it(tmp_path: Path, variable: str) -> None:
    stop = tmp_path / "stop"
    process = subprocess.Popen(
        [interpreter(variable), str(LIVING), str(tmp_path), str(stop)],
        env={**environment(tmp_path), "WANDB_MODE": "offline"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        folder = tmp_path / "wandb"
        # The SDK writes whole blocks: the first one holds the run.
        until(lambda: any(each.stat().st_size > 0x8000 for each in folder.glob("offline-run-*/*.wandb")))
        with runql.open(folder) as opened:
            run = opened.api.run("living")
            assert run.state == "running"
            before = run.lastHistoryStep
            until(lambda: opened.api.run("living").lastHistoryStep > before + 20)
            stop.touch()
            assert process.wait(PATIENCE) == 0
            until(lambda: opened.api.run("living").state == "finished")
            rows = list(opened.api.run("living").scan_history())
            assert [row["_step"] for row in rows] == list(range(len(rows)))
            assert rows[-1]["last"] == len(rows) - 1
            assert opened.problems == ()
            assert_same_as_synced(opened, run_folders(folder), tmp_path)
    finally:
        stop.touch()
        process.wait(PATIENCE)
