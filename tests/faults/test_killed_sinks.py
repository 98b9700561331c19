"""A client that is killed while it writes histories: the target is the old one or the new one, and the next call succeeds."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.contract.both_clients import FaceName
from tests.faults.boundaries import OLD, content_of, place_target, siblings_of
from tests.faults.transfer_processes import TransferProcesses
from tests.faults.transfer_program import PAGE_SIZE, PER_PAGE, Transfer
from tests.profiles import IS_FULL

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

PROJECT = "histories"
LENGTHS = (3, 3, 110, 0, 3, 3, 3)
MOST_OPERATIONS = 200
# Both faces do the same to files: one is killed before every operation, the other before every fifth.
STRIDE = {"sync": 1, "async": 5} if IS_FULL else {"sync": 2, "async": 5}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Some short runs, and a long one that comes in several parts."""
    with RunningServer() as running:
        rows = [[{"_step": step, "loss": step / 2} for step in range(length)] for length in LENGTHS]
        running.seed(PROJECT, (SeedRun(name=f"r{place}", history=each) for place, each in enumerate(rows)))
        yield running


def gone_on_with(server: RunningServer, target: Path) -> int:
    """Let another client write the file; the requests that it took."""
    server.clear()
    with Api(base_url=server.url, api_key=server.api_key) as api:
        runs = api.runs(f"{server.entity}/{PROJECT}", per_page=PER_PAGE)
        runs.scan_histories(format="default", page_size=PAGE_SIZE, max_concurrency=2).sink_parquet(target)
    return len(server.requests)


def test_killed_before_any_operation_on_files(
    face_name: FaceName, server: RunningServer, processes: TransferProcesses, tmp_path: Path
) -> None:
    target = place_target(tmp_path / "root", OLD)
    order = Transfer(
        face_name,
        "histories",
        server.url,
        str(tmp_path / "root"),
        str(tmp_path / "report"),
        (server.entity, PROJECT, "r0"),
        server.api_key,
    )
    whole = gone_on_with(server, target)
    expected = pl.read_parquet(target)
    assert dict(expected.group_by("run_id", maintain_order=True).len().iter_rows()) == {
        f"r{place}": length for place, length in enumerate(LENGTHS) if length
    }
    took: list[int] = []
    states: set[str] = set()
    for operation in range(1, MOST_OPERATIONS, STRIDE[face_name]):
        target.write_bytes(OLD)
        order = replace(order, killed_at=operation)
        code = processes.wait(processes.start(order))
        if content_of(target) == OLD:
            states.add("old")
        else:
            assert pl.read_parquet(target).equals(expected)
            states.add("new")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        took.append(gone_on_with(server, target))
        assert pl.read_parquet(target).equals(expected)
        assert siblings_of(target) == []
    else:
        pytest.fail("it never came to its end")
    assert states == {"old", "new"}
    assert len(took) >= 5
    # At first nothing was kept, at last everything: then one request tells that nothing has changed.
    assert took[0] == whole
    assert min(took) == 1
    assert max(took) <= whole + 1


def folder_gone_on_with(server: RunningServer, target: Path) -> None:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        runs = api.runs(f"{server.entity}/{PROJECT}", per_page=PER_PAGE)
        scan = runs.scan_histories(format="default", page_size=PAGE_SIZE, max_concurrency=2)
        scan.sink_parquet(target, partition_by="run_id")


def files_of(target: Path) -> list[str]:
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*.parquet"))


def test_killed_before_any_operation_on_folders(
    face_name: FaceName, server: RunningServer, processes: TransferProcesses, tmp_path: Path
) -> None:
    """The folder is the old one, the new one, or for a moment none; the next call writes the whole one."""
    target = tmp_path / "root" / "d" / "x.bin"
    order = Transfer(
        face_name,
        "partitions",
        server.url,
        str(tmp_path / "root"),
        str(tmp_path / "report"),
        (server.entity, PROJECT, "r0"),
        server.api_key,
    )
    folder_gone_on_with(server, target)
    expected, files = pl.read_parquet(target, hive_partitioning=True), files_of(target)
    assert len(files) == len([length for length in LENGTHS if length])
    old = ["run_id=old/part-0.parquet"]
    states: set[str] = set()
    for operation in range(1, 2 * MOST_OPERATIONS, 2 * STRIDE[face_name]):
        shutil.rmtree(target)
        (target / "run_id=old").mkdir(parents=True)
        (target / old[0]).write_bytes(OLD)
        order = replace(order, killed_at=operation)
        code = processes.wait(processes.start(order))
        found = files_of(target)
        assert found in (old, files, [])
        states.add("old" if found == old else "new" if found == files else "none")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        folder_gone_on_with(server, target)
        assert files_of(target) == files
        assert pl.read_parquet(target, hive_partitioning=True).equals(expected)
        assert siblings_of(target) == []
    else:
        pytest.fail("it never came to its end")
    assert {"old", "new"} <= states
