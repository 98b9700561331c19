"""A value that is nested deeper than a recursive writer can follow comes out of every reader as it was logged."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.contract.both_clients import AnyRuns, Face, Row
from tests.contract.untyped import Untyped, listed, taken

from runql import JSONValue
from runql.values import parse_json
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


def nested(depth: int) -> JSONValue:
    value: JSONValue = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [value, level]
    return value


DEEP = nested(880)


@pytest.fixture
def runs(face: Face, server: RunningServer, project: str) -> AnyRuns:
    server.seed(project, [SeedRun(name="deep", history=[{"_step": 0, "deep": DEEP}])])
    return face.runs(face.client(server.url, server.api_key), server.entity, project)


def test_in_rows(face: Face, runs: AnyRuns) -> None:
    (run,) = listed(face, runs)
    scans: Untyped = runs.scan_histories
    answers: list[list[Row]] = [
        listed(face, run.scan_history()),
        taken(face, scans(format="default").collect()),
        taken(face, run.history(pandas=False)),
        taken(face, runs.histories()),
    ]
    for rows in answers:
        assert [row["deep"] for row in rows] == [DEEP]


def test_in_frames(face: Face, runs: AnyRuns, tmp_path: Path) -> None:
    (run,) = listed(face, runs)
    scans: Untyped = runs.scan_histories
    histories: Untyped = runs.histories
    assert taken(face, run.scan_history().to_pandas())["deep"].to_list() == [DEEP]
    assert taken(face, run.history())["deep"].to_list() == [DEEP]
    taken(face, runs.scan_histories().sink_parquet(tmp_path / "all.parquet"))
    with pq.ParquetFile(tmp_path / "all.parquet") as file:
        read: Untyped = file
        written = read.read().column("deep").to_pylist()
    frames: list[list[Untyped]] = [
        taken(face, run.scan_history().to_polars())["deep"].to_list(),
        taken(face, run.scan_history().to_arrow()).column("deep").to_pylist(),
        taken(face, histories(format="polars"))["deep"].to_list(),
        taken(face, scans().collect())["deep"].to_list(),
        written,
    ]
    for cells in frames:
        # Deeper than 24 levels, lists and objects are JSON inside of the levels above.
        assert [plain(cell) for cell in cells] == [DEEP]


def plain(stored: JSONValue) -> JSONValue:
    """A cell with the JSON strings in it read."""
    match stored:
        case str():
            return parse_json(stored)
        case dict():
            return {name: plain(member) for name, member in stored.items()}
        case list():
            return [plain(item) for item in stored]
        case _:
            return stored
