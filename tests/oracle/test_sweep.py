"""Both official SDKs create a sweep with runs; runql reads the same as the SDK's own reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.oracle.log_sweep import CONFIG, LOSSES
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api, Sweep
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module", params=VERSIONS)
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:  # Any: see its parts
    """The sweep as runql reads it, and what the SDK's reader said."""
    python, folder = interpreter(request.param), tmp_path_factory.mktemp("sdk")
    with RunningServer() as server:
        call(python, "log_sweep.py", str(folder / "note.json"), server=server, folder=folder)
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
