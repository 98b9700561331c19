"""Histories as a dask dataframe: worker processes read the parts, and one that is killed changes no row."""

from __future__ import annotations

import copyreg
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tests.contract.untyped import Untyped

from runql import Api
from runql.integrations.dask import read_histories
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = [pytest.mark.long, pytest.mark.posix]

RUNS, TYPES = 12, {"loss": float}


def kill_once(frame: pd.DataFrame, marker: str) -> pd.DataFrame:
    """Kill this worker after it has read its first part, once among all workers."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return frame
    os.kill(os.getpid(), signal.SIGKILL)
    return frame


@pytest.fixture
def distributed() -> Iterator[Untyped]:
    """The package, without what it changes for the whole process: its tblib pickles errors with their causes."""
    before = dict(copyreg.dispatch_table)
    yield pytest.importorskip("distributed")
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(before)


@pytest.fixture
def scan(server: RunningServer, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Untyped]:
    server.seed(
        project,
        (
            SeedRun(
                name=f"r{run}",
                history=[{"_step": step, "loss": step / (run + 1)} for step in range(10 * run)],
            )
            for run in range(RUNS)
        ),
    )
    monkeypatch.setenv("WANDB_API_KEY", server.api_key)
    with Api(base_url=server.url) as api:
        runs = api.runs(f"{server.entity}/{project}")
        yield runs.scan_histories(["loss"], format="pandas", schema=TYPES)


def rows_of(frame: pd.DataFrame) -> list[tuple[str, int, float]]:
    return [(str(run), int(step), float(loss)) for run, step, loss in frame.itertuples(index=False)]


def test_a_killed_worker_changes_no_row(
    distributed: Untyped, scan: Untyped, tmp_path: Path, server: RunningServer
) -> None:
    whole = rows_of(scan.collect())
    server.clear()
    frame: Untyped = read_histories(scan, 6, workers=2)
    assert len(server.requests) == 1
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        assert rows_of(frame.compute()) == whole
        marker = tmp_path / "killed"
        survived = frame.map_partitions(kill_once, str(marker), meta=frame._meta)
        assert rows_of(survived.compute()) == whole
        assert marker.exists()


def test_each_partition_is_read_once_and_has_the_types_of_the_schema(
    scan: Untyped, server: RunningServer
) -> None:
    frame: Untyped = read_histories(scan, 4)
    server.clear()
    assert frame.npartitions == 4
    assert server.requests == []
    assert rows_of(frame.compute(scheduler="synchronous")) == rows_of(scan.collect())
    assert str(frame.dtypes["loss"]) == "float64"


def test_the_same_scan_has_the_same_tokens(scan: Untyped) -> None:
    frames: Untyped = [read_histories(scan, parts) for parts in (3, 3, 4)]
    names = [frame._name for frame in frames]
    assert names[0] == names[1] != names[2]


def test_a_scan_whose_parts_may_differ_is_refused(scan: Untyped, server: RunningServer, project: str) -> None:
    with Api(base_url=server.url) as api:
        runs: Untyped = api.runs(f"{server.entity}/{project}")
        server.clear()
        for bad, message in (
            (runs.scan_histories(["loss"], schema=TYPES), "format='pandas'"),
            (runs.scan_histories(["loss"], format="pandas"), "a type of loss"),
            (runs.scan_histories(format="pandas", schema=TYPES), "a type of every column"),
        ):
            with pytest.raises(ValueError, match=message):
                read_histories(bad, 2)
        assert server.requests == []
