"""The official SDK, unmodified, logs to the embedded server: every row, config value, summary value and tag arrives."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.sdk.runner import NEW, OLD, interpreter_of, run_sdk

from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle

Query = Callable[..., dict[str, Any]]

RUN = 'query($name: String!) { project(name: "oracle") { run(name: $name) { displayName state exitcode tags notes group jobType config summaryMetrics historyLineCount logLineCount historyKeys history(samples: 10000) logLines { edges { node { level line } } } files(first: 100) { edges { node { name sizeBytes } } } } } }'


@pytest.fixture(params=[OLD, NEW])
def interpreter(request: pytest.FixtureRequest) -> str:
    """The Python of an environment that holds one version of the SDK."""
    return interpreter_of(request.param)


def bits(value: JsonValue) -> object:
    """Make equality strict: floats by their bits, containers member by member."""
    match value:
        case float():
            return "nan" if math.isnan(value) else struct.pack("d", value)
        case int() if not isinstance(value, bool):
            # The SDK writes a float without a fraction as an integer text.
            return struct.pack("d", value) if abs(value) <= 2**53 else value
        case dict():
            return {key: bits(member) for key, member in value.items()}
        case list():
            return [bits(member) for member in value]
        case _:
            return value


def test_everything_logged_arrives(
    server: RunningServer, query: Query, interpreter: str, tmp_path: Path
) -> None:
    record = tmp_path / "logged.json"
    done = run_sdk(server, interpreter, "log_run.py", tmp_path / "sdk", str(record))
    assert done.returncode == 0, done.stderr
    complaints = re.findall(r"^.*\b(?:WARNING|ERROR)\b.*$", done.stdout + done.stderr, re.MULTILINE)
    assert complaints == []
    logged = json.loads(record.read_text())
    run = query(RUN, name=logged["id"])["data"]["project"]["run"]

    rows = [json.loads(text) for text in run["history"]]
    assert [row["_step"] for row in rows] == list(range(len(logged["rows"])))
    for row, expected in zip(rows, logged["rows"], strict=True):
        assert bits({key: row.get(key) for key in expected}) == bits(expected)
        assert set(row) - set(expected) - {"hist"} == {"_step", "_runtime", "_timestamp"}
    assert rows[10]["hist"]["_type"] == "histogram"
    assert sum(rows[10]["hist"]["values"]) == 4

    config = {key: entry["value"] for key, entry in json.loads(run["config"]).items() if key != "_wandb"}
    assert bits(config) == bits(logged["config"])
    summary = json.loads(run["summaryMetrics"])
    assert bits({key: summary[key] for key in ("best", "nest", "_step")}) == bits(
        {"best": 0.1 + 0.2, "nest": {"q": 1e-300}, "_step": 249}
    )
    last = {key: value for row in rows for key, value in row.items() if key != "_runtime"}
    assert bits({key: summary[key] for key in ("loss", "acc", "tiny", "i", "note", "nested")}) == bits(
        {key: last[key] for key in ("loss", "acc", "tiny", "i", "note", "nested")}
    )
    assert {
        key: run[key] for key in ("displayName", "state", "exitcode", "tags", "notes", "group", "jobType")
    } == {
        "displayName": "a name",
        "state": "finished",
        "exitcode": 0,
        "tags": ["first", "second", "third"],
        "notes": "some notes",
        "group": "g",
        "jobType": "train",
    }
    assert run["historyLineCount"] == len(rows)
    assert run["historyKeys"]["lastStep"] == 249
    assert run["historyKeys"]["keys"]["loss"]["typeCounts"] == [{"type": "number", "count": 250}]
    lines = {edge["node"]["line"]: edge["node"]["level"] for edge in run["logLines"]["edges"]}
    assert (lines["a line on stdout"], lines["a line on stderr"]) == ("", "error")
    files = {edge["node"]["name"]: edge["node"]["sizeBytes"] for edge in run["files"]["edges"]}
    assert {
        "wandb-metadata.json",
        "wandb-summary.json",
        "config.yaml",
        "requirements.txt",
        "output.log",
    } <= set(files)


def test_what_the_sdk_reads_back_is_what_was_logged(
    server: RunningServer, interpreter: str, tmp_path: Path
) -> None:
    record, read = tmp_path / "logged.json", tmp_path / "read.json"
    assert run_sdk(server, interpreter, "log_run.py", tmp_path / "sdk", str(record)).returncode == 0
    logged = json.loads(record.read_text())
    done = run_sdk(server, interpreter, "read_run.py", tmp_path / "sdk", logged["id"], str(read))
    assert done.returncode == 0, done.stderr
    found = json.loads(read.read_text())
    assert [row["_step"] for row in found["scan"]] == list(range(250))
    for row, expected in zip(found["scan"], logged["rows"], strict=True):
        assert bits({key: row.get(key) for key in expected}) == bits(expected)
    nested = [row for row in logged["rows"] if "note" in row and "nested" in row]
    assert [row["i"] for row in found["scan_keys"]] == [row["i"] for row in nested]
    assert [row["_step"] for row in found["window"]] == list(range(10, 150))
    assert [row["_step"] for row in found["sampled"]][::49] == [0, 249]
    assert bits(found["config"]) == bits(logged["config"])
    assert (found["state"], found["tags"], found["last_step"]) == (
        "finished",
        ["first", "second", "third"],
        249,
    )
    assert found["listed"] == [logged["id"]]
    assert found["none"] == []
    assert found["uploaded"] == "hello"
    assert found["renamed"] == "another name"
    assert found["left"] == 0
