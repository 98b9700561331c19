"""Several processes read through one client: each by connections of its own, so that no response reaches another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.patience import PATIENCE

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS = 320
SOME = 24


@pytest.fixture(scope="module")
def many() -> Iterator[RunningServer]:
    """A server with many runs, each of which says in its config which one it is."""
    with RunningServer() as server:
        ids = [f"run-{number}" for number in range(RUNS)]
        server.seed("many", [SeedRun(name=name, config={"path": f"local/many/{name}"}) for name in ids])
        yield server


def read_elsewhere(server: RunningServer, folder: Path, case: str, method: str, runs: int) -> dict[str, int]:
    """What `process_reader` reports."""
    paths = [f"{server.entity}/many/run-{number}" for number in range(runs)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "HOME": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.process_reader", case, method, *paths],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    reported: dict[str, int] = json.loads(done.stdout)
    return reported


@pytest.mark.parametrize("case", ["pool", "awaited pool", "executor"])
def test_forked_processes_read_the_runs_that_they_ask_for(
    many: RunningServer, tmp_path: Path, case: str
) -> None:
    assert read_elsewhere(many, tmp_path, case, "fork", RUNS) == {"read": RUNS, "wrong": 0}


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("case", ["pool", "awaited pool", "executor"])
def test_other_processes_read_by_a_client_of_their_own(
    many: RunningServer, tmp_path: Path, case: str, method: str
) -> None:
    assert read_elsewhere(many, tmp_path, case, method, SOME) == {"read": SOME, "wrong": 0}
