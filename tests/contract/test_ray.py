"""Histories as a source of ray.data: a worker process that is killed while it reads a part changes no row.

Ray is too large for the project's own environment: `make floors` runs these tests in one of their own.
"""

from __future__ import annotations

import importlib
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.contract.untyped import Untyped

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = [
    pytest.mark.long,
    pytest.mark.posix,
    pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed"),
    # Ray uses what newer Pythons and libraries deprecate, and does not wait for its own processes.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
RUNS, PARTS, TYPES = 12, 4, {"loss": float}


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
        # A run a page: the parts have several tables.
        runs = api.runs(f"{server.entity}/{project}", per_page=1)
        yield runs.scan_histories(["loss"], format="arrow", schema=TYPES)


@pytest.fixture
def ray(scan: Untyped, monkeypatch: pytest.MonkeyPatch) -> Iterator[Untyped]:
    """Ray with two worker processes on this machine, each of which has the key of the scan's server."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray reads it when it is imported: its processes then talk over the loopback address, on every system.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray: Untyped = importlib.import_module("ray")
    data: Untyped = importlib.import_module("ray.data")
    # The path of a socket has at most 107 characters, so not a folder of pytest.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=folder,
        )
        context: Untyped = data.DataContext.get_current()
        context.enable_progress_bars = False
        # Rows leave their worker in small blocks, also those of a task that does not end.
        context.target_max_block_size = 1_000
        yield data
        ray.shutdown()


def read_noted(task: Untyped, part: int, folder: Path) -> Iterator[Untyped]:
    """Read a part and note that it began; once among all workers, kill this one between two tables."""
    with (folder / "begun").open("a") as begun:
        begun.write(f"{part}\n")
    for place, table in enumerate(task()):
        if place == 1 and is_first(folder / "killed", part):
            os.kill(os.getpid(), signal.SIGKILL)
        yield table


def is_first(marker: Path, part: int) -> bool:
    """Whether no other part has made the marker; it then names this one."""
    try:
        with marker.open("x") as made:
            made.write(f"{part}\n")
    except FileExistsError:
        return False
    return True


def source_of(scan: Untyped) -> Untyped:
    return importlib.import_module("runql.integrations.ray").HistoriesSource(scan, workers=2)


def noted_source(scan: Untyped, folder: Path) -> Untyped:
    """The source, whose tasks note when they begin, and of which one kills its worker."""
    source = source_of(scan)
    read_tasks = source.get_read_tasks

    def get_read_tasks(*arguments: Untyped, **named: Untyped) -> Untyped:
        tasks = read_tasks(*arguments, **named)
        return [
            type(task)(partial(read_noted, task, part, folder), task.metadata, schema=task.schema)
            for part, task in enumerate(tasks)
        ]

    source.get_read_tasks = get_read_tasks
    return source


def rows_of(rows: Untyped) -> list[tuple[str, int, float]]:
    return sorted((row["run_id"], row["_step"], row["loss"]) for row in rows)


def test_each_part_is_read_once_and_a_killed_worker_changes_no_row(
    ray: Untyped, scan: Untyped, server: RunningServer, tmp_path: Path
) -> None:
    server.clear()
    whole = rows_of(row for part in scan.split(PARTS) for table in part for row in table.to_pylist())
    assert len(whole) == sum(10 * run for run in range(RUNS))
    requests = len(server.requests)
    server.clear()
    rows = ray.read_datasource(source_of(scan), override_num_blocks=PARTS)
    assert rows_of(rows.iter_rows()) == whole
    assert len(server.requests) == requests

    rows = ray.read_datasource(noted_source(scan, tmp_path), override_num_blocks=PARTS)
    assert rows_of(rows.iter_rows()) == whole
    killed = (tmp_path / "killed").read_text().split()
    begun = Counter((tmp_path / "begun").read_text().split())
    assert begun == Counter([*map(str, range(PARTS)), *killed])
