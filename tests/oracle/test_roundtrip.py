"""Both official SDKs, unmodified, log a run to the embedded server; runql reads it bit for bit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.log_run import bits
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api, Run
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle
COMPLAINT = re.compile(r"\b(WARNING|ERROR|Traceback)\b", re.IGNORECASE)


@pytest.fixture(scope="module", params=VERSIONS)
def logged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:  # Any: see its parts
    """The run as runql reads it, the note of what was logged, and what the SDK printed."""
    python, folder = interpreter(request.param), tmp_path_factory.mktemp("sdk")
    with RunningServer() as server:
        printed = call(python, "log_run.py", str(folder / "note.json"), server=server, folder=folder)
        note = json.loads((folder / "note.json").read_text())
        with Api(base_url=server.url, api_key=server.api_key) as api:
            yield api.run(f"oracle/{note['id']}"), note, printed


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
    assert metadata["program"] == str(Path(__file__).with_name("log_run.py"))
