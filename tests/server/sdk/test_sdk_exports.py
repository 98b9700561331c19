"""The newest official SDK reads from exports exactly what it logged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.server.sdk.runner import NEW, interpreter_of, run_sdk
from tests.server.sdk.test_official_sdk import bits

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle


def test_what_was_logged_is_read_back_from_exports(tmp_path: Path) -> None:
    interpreter = interpreter_of(NEW)
    policy = ExportPolicy(above_rows=0, rows_per_file=100, rows_per_group=20)
    record, seen = tmp_path / "logged.json", tmp_path / "read.json"
    with RunningServer(tmp_path / "server", export_policy=policy) as server:
        done = run_sdk(server, interpreter, "log_run.py", tmp_path / "sdk", str(record))
        assert done.returncode == 0, done.stderr
        logged = json.loads(record.read_text())
        server.clear()
        done = run_sdk(server, interpreter, "read_exports.py", tmp_path / "sdk", logged["id"], str(seen))
        assert done.returncode == 0, done.stderr
        asked = [(each.method, each.operation) for each in server.requests]
    read = json.loads(seen.read_text())
    # Nothing is live, so no row came from GraphQL: what was asked for by keys came in ranges, the rest in whole files.
    assert {operation for _, operation in asked if "History" in operation} == {
        "RunHistoryKeys",
        "RunParquetHistory",
    }
    assert len([method for method, operation in asked if method == "GET" and not operation]) > 3 * 3
    assert len(read["downloaded"]) == 3

    expected = logged["rows"]
    assert [row["_step"] for row in read["whole"]] == list(range(len(expected)))
    for row, values in zip(read["whole"], expected, strict=True):
        assert bits({key: row[key] for key in values}) == bits(values)
    # Null where a row lacks the key: what this version of the SDK gives, and not the rule of its own documentation.
    assert bits(read["keys"]) == bits(
        [
            {"_step": step, "loss": row["loss"], "nested": row.get("nested")}
            for step, row in enumerate(expected)
        ]
    )
    assert bits(read["window"]) == bits(
        [{"_step": step, "tiny": expected[step]["tiny"]} for step in range(10, 150)]
    )
