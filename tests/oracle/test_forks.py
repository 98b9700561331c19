"""Both official SDKs fork a run, resume the fork and try to rewind; they and runql read the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("variable", VERSIONS)
def test_a_fork_goes_on_from_its_parents_rows(variable: str, tmp_path: Path) -> None:
    python, note = interpreter(variable), tmp_path / "note.json"
    with RunningServer() as server, Api(base_url=server.url, api_key=server.api_key) as api:
        call(python, "fork_run.py", str(note), server=server, folder=tmp_path)
        noted = json.loads(note.read_text())
        fork, parent = api.run(f"forks/{noted['fork']}"), api.run(f"forks/{noted['parent']}")
        found = [[row["_step"], row["loss"]] for row in fork.scan_history(keys=["loss"])]
        whole = list(fork.scan_history())
        kept = len(list(parent.scan_history()))
    losses = [1 / (step + 1) for step in range(5)]
    losses += [100.5 + step for step in range(3)] + [200.5 + step for step in range(4)]
    assert found == [[step, loss] for step, loss in enumerate(losses)]
    assert len(whole) == fork.history_line_count == len(losses)
    assert noted["scan"] == noted["history"] == found
    assert noted["last_step"] == len(losses) - 1
    assert fork.config == {"lr": 2}
    assert "rewindRun (resume_from) is not supported by the embedded server" in noted["refusal"]
    assert kept == 10
