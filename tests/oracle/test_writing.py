"""Both official SDKs read what runql writes, and runql keeps the fields that it does not change."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.log_run import bits
from tests.oracle.log_small import CONFIG
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api, Run
from runql_server.running import RunningServer

pytestmark = [pytest.mark.nightly, pytest.mark.oracle, pytest.mark.parametrize("variable", VERSIONS)]
Note = dict[str, Any]  # Any: JSON of the official SDK, compared as it is


def read(python: str, path: str, *, server: RunningServer, folder: Path) -> Note:
    """A run as the official SDK's public API tells of it."""
    note = folder / "read.json"
    call(python, "read_run.py", path, str(note), server=server, folder=folder)
    answer: Note = json.loads(note.read_text())
    return answer


def test_a_run_of_ours_is_read_by_the_official_sdk(variable: str, tmp_path: Path) -> None:
    python = interpreter(variable)
    with RunningServer() as server, Api(base_url=server.url, api_key=server.api_key) as api:
        run = Run.create(api, "ours", "written", server.entity)
        run.name, run.notes, run.tags = "größe ✓", "a\nnote", ["b", "a"]
        run.group, run.job_type = "g", "train"
        run.config = {"lr": 0.1 + 0.2, "deep": {"layers": [64, 32], "none": None}, "big": 2**60}
        run.summary["best"] = 1 / 3
        run.summary["deep"] = {"x": {"y": 2.5}}
        run.summary["limit"] = math.inf
        run.update()
        noted = read(python, f"{server.entity}/written/ours", server=server, folder=tmp_path)
    assert (noted["name"], noted["notes"], noted["tags"]) == ("größe ✓", "a\nnote", ["b", "a"])
    assert (noted["group"], noted["job_type"]) == ("g", "train")
    assert bits(noted["config"]) == bits(run.config)
    assert noted["summary"] == {"best": 1 / 3, "deep": {"x": {"y": 2.5}}, "limit": math.inf}


def test_what_the_official_sdk_wrote_stays(variable: str, tmp_path: Path) -> None:
    python = interpreter(variable)
    with RunningServer() as server, Api(base_url=server.url, api_key=server.api_key) as api:
        call(python, "log_small.py", str(tmp_path / "note.json"), server=server, folder=tmp_path)
        logged = json.loads((tmp_path / "note.json").read_text())
        path = f"{server.entity}/oracle/{logged['id']}"
        before = read(python, path, server=server, folder=tmp_path)
        run = api.run(path)
        run.notes = "changed"
        run.config["lr"] = 7
        run.summary["added"] = "by runql"
        run.update(if_unchanged=True)
        after = read(python, path, server=server, folder=tmp_path)
    assert before["rawconfig"]["_wandb"], "there is something to lose"
    assert {"_step", "_runtime", "_timestamp"} <= set(before["summary"])
    assert after["notes"] == "changed"
    assert after["rawconfig"]["_wandb"] == before["rawconfig"]["_wandb"]
    assert bits(after["config"]) == bits({**CONFIG, "lr": 7})
    assert repr(after["summary"]) == repr(before["summary"] | {"added": "by runql"})
    for kept in ("name", "tags", "group", "job_type"):
        assert after[kept] == before[kept]
