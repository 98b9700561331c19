"""Both official SDKs, unmodified, log a run to the embedded server; runql reads it bit for bit."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.log_run import bits
from tests.patience import PATIENCE

from runql import Api, Run
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle
SCRIPT = Path(__file__).with_name("log_run.py")
COMPLAINT = re.compile(r"\b(WARNING|ERROR|Traceback)\b", re.IGNORECASE)


@pytest.fixture(scope="module", params=["RUNQL_WANDB_OLD", "RUNQL_WANDB_NEW"])
def logged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:  # Any: see its parts
    """The run as runql reads it, the note of what was logged, and what the SDK printed."""
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
            yield api.run(f"oracle/{note['id']}"), note, done.stdout + done.stderr


def test_the_sdk_has_nothing_to_complain_about(logged: tuple[Run, dict[str, Any], str]) -> None:
    _, _, printed = logged
    assert not COMPLAINT.search(printed), printed


def test_every_row_comes_back_bit_for_bit(logged: tuple[Run, dict[str, Any], str]) -> None:
    run, note, _ = logged
    rows = list(run.scan_history(page_size=500))
    assert [row.pop("_step") for row in rows] == list(range(len(note["rows"])))
    for row in rows:
        assert isinstance(row.pop("_timestamp"), float)
        assert isinstance(row.pop("_runtime"), (int, float))
    assert [bits(row) for row in rows] == note["rows"]


def test_chosen_keys_are_the_rows_that_have_them(logged: tuple[Run, dict[str, Any], str]) -> None:
    run, note, _ = logged
    rows = list(run.scan_history(keys=["loss", "val/accuracy"], page_size=77))
    expected = [
        {"_step": step, "loss": row["loss"], "val/accuracy": row["val/accuracy"]}
        for step, row in enumerate(note["rows"])
        if "val/accuracy" in row
    ]
    assert [bits(row) for row in rows] == expected


def test_config_summary_and_tags_come_back(logged: tuple[Run, dict[str, Any], str]) -> None:
    run, note, _ = logged
    assert bits(run.config) == note["config"]
    assert sorted(run.tags) == sorted(note["tags"])
    assert (run.name, run.notes, run.group, run.job_type) == (note["name"], "a\nnote", "g", "train")
    assert run.state == "finished"
    assert run.summary["best"] == 1 / 3
    assert run.summary["deep"] == {"x": {"y": 2.5}}
    assert bits(run.summary["loss"]) == note["rows"][-1]["loss"]


def test_the_metadata_file_comes_back(logged: tuple[Run, dict[str, Any], str]) -> None:
    run, _, _ = logged
    metadata = run.metadata
    assert metadata is not None
    assert metadata["program"] == str(SCRIPT)
