"""README's claims about the newest official SDK, checked with that SDK on the embedded server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.sdk import interpreter, settings
from tests.patience import PATIENCE

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def official() -> str:
    """The interpreter that has the newest official SDK."""
    return interpreter("RUNQL_WANDB_NEW")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Two runs that logged different metrics, and two metrics of one run at different steps."""
    with RunningServer() as running:
        running.seed(
            "mixed",
            [
                SeedRun(
                    name="a",
                    history=[{"_step": 0, "loss": 1, "acc": 0.5}, {"_step": 1, "loss": 0.5, "acc": 0.6}],
                ),
                SeedRun(name="b", history=[{"_step": 0, "loss": 2.5, "reward": 1.5}]),
                SeedRun(name="c", history=[{"_step": 0, "train": 1.0}, {"_step": 1, "val": 2.0}]),
            ],
        )
        yield running


def asked(official: str, server: RunningServer, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of user code under the official SDK."""
    environment = {**settings(server, folder), "WANDB_ENTITY": server.entity}
    command = [official, "-c", f"import wandb; api = wandb.Api(); {code}"]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_one_polars_frame_of_runs_that_differ(official: str, server: RunningServer, tmp_path: Path) -> None:
    theirs = asked(official, server, "print(api.runs('mixed').histories(format='polars').shape)", tmp_path)
    assert theirs.returncode != 0
    assert re.search(r"ShapeError|SchemaError", theirs.stderr)
    with Api(base_url=server.url, api_key=server.api_key) as api:
        frame = api.runs("mixed").histories(format="polars")
    assert frame.shape == (5, 7)
    assert frame["loss"].drop_nulls().to_list() == [1.0, 0.5, 2.5]


def test_metrics_logged_at_different_steps(official: str, server: RunningServer, tmp_path: Path) -> None:
    code = "print(len(api.run('mixed/c').history(keys=['train', 'val'], pandas=False)))"
    theirs = asked(official, server, code, tmp_path)
    assert theirs.stdout.strip().splitlines()[-1] == "0", theirs.stderr
    with Api(base_url=server.url, api_key=server.api_key) as api:
        rows = list(api.run("mixed/c").scan_history(keys=["train", "val"], match="any"))
    assert rows == [{"_step": 0, "train": 1.0}, {"_step": 1, "val": 2.0}]


def test_types_that_a_checker_sees(official: str, tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text("import wandb\nfor run in wandb.Api().runs('p'):\n    reveal_type(run.config['lr'])\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--python-executable",
        official,
        "--cache-dir",
        str(tmp_path),
        str(user),
    ]
    theirs = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert 'Revealed type is "Any"' in theirs.stdout
