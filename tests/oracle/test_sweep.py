"""Both official SDKs create a sweep with runs; runql reads the same as the SDK's own reader."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.log_sweep import CONFIG, LOSSES
from tests.patience import PATIENCE

from runql import Api, Sweep
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle
SCRIPT = Path(__file__).with_name("log_sweep.py")


@pytest.fixture(scope="module", params=["RUNQL_WANDB_OLD", "RUNQL_WANDB_NEW"])
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:  # Any: see its parts
    """The sweep as runql reads it, and what the SDK's reader said."""
    variable: str = request.param
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} names no interpreter with the official SDK: use `make test`")
    folder = tmp_path_factory.mktemp("sdk")
    with RunningServer() as server:
        environment = {
            **os.environ,
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_DIR": str(folder),
            "WANDB_CONSOLE": "off",
        }
        done = subprocess.run(
            [interpreter, str(SCRIPT), str(folder / "note.json")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        note = json.loads((folder / "note.json").read_text())
        with Api(base_url=server.url, api_key=server.api_key) as api:
            yield api.sweep("/".join(note["path"])), note


def test_runql_reads_what_the_sdk_reads(swept: tuple[Sweep, dict[str, Any]]) -> None:
    sweep, note = swept
    best = sweep.best_run()
    assert best is not None
    assert {
        "id": sweep.id,
        "name": sweep.name,
        "state": sweep.state,
        "config": sweep.config,
        "order": sweep.order,
        "expected_run_count": sweep.expected_run_count,
        "best_loss": sweep.best_loss,
        "best_run": best.id,
        "sweep_of_best_run": best.sweep_name,
        "path": sweep.path,
        "listed": [run.id for run in sweep.runs],
    } == note


def test_the_sweep_is_what_was_configured_and_run(swept: tuple[Sweep, dict[str, Any]]) -> None:
    sweep, _ = swept
    assert sweep.config == CONFIG
    assert sweep.run_count == len(LOSSES)
    assert sweep.best_loss == min(LOSSES)
    assert sweep.expected_run_count == 4
    assert [run.summary["loss"] for run in sweep.runs] == list(LOSSES)
    assert {run.sweep.id for run in sweep.runs if run.sweep} == {sweep.id}
