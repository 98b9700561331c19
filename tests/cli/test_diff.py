"""`runql diff`: the rows of two runs that differ, in each format."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.cli.invoking import Done, run

from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("diff") / "server") as running:
        running.seed(
            "p",
            [
                SeedRun(
                    name="a",
                    display_name="same",
                    state="finished",
                    config={
                        "lr": 0.1,
                        "seed": 1,
                        "on": True,
                        "opt": {"name": "sgd", "b": [1, 2]},
                        "only": None,
                    },
                    summary={"acc": 0.5, "loss": float("nan"), "_runtime": 3, "x": 1},
                    tags=("old", "best"),
                ),
                SeedRun(
                    name="b",
                    display_name="same",
                    state="crashed",
                    config={"lr": 0.2, "seed": 1, "on": 1, "opt": {"name": "sgd", "b": [1, 3]}},
                    summary={"acc": "high", "loss": float("nan"), "_runtime": 4, "x": 1.0},
                    tags=("best",),
                ),
            ],
        )
        running.seed("q", [SeedRun(name="a", display_name="\x1b[31m")])
        yield running


def paths(server: RunningServer) -> list[str]:
    return [f"{server.entity}/p/a", f"{server.entity}/p/b"]


DIFFERENT = {
    "state": ("finished", "crashed"),
    "tags": (["best", "old"], ["best"]),
    "config.lr": (0.1, 0.2),
    "config.on": (True, 1),
    "config.opt.b": ([1, 2], [1, 3]),
    "config.only": (None, None),
    "summary.acc": (0.5, "high"),
}


def test_what_differs_is_a_row_and_two_requests_read_it(server: RunningServer) -> None:
    server.requests.clear()
    done = run("diff", *paths(server), "--format", "json", server=server)
    assert done.returncode == 0, done.stderr
    rows = {row["field"]: (row["a"], row["b"]) for row in json.loads(done.stdout)}
    assert repr(rows) == repr(DIFFERENT)
    assert [request.operation for request in server.requests] == ["GetRun", "GetRun"]


def test_a_table_has_a_column_for_each_run(server: RunningServer) -> None:
    done = run("diff", *paths(server), server=server)
    assert done.stdout.splitlines()[0].split() == ["field", "a", "b"]
    assert "config.lr" in done.stdout
    assert "seed" not in done.stdout
    assert "_runtime" not in done.stdout


def test_all_shows_what_is_equal_too(server: RunningServer) -> None:
    done = Done("diff", *paths(server), "--all", "--format", "csv", server=server)
    rows = {row["field"]: row for row in csv.DictReader(done.stdout.splitlines())}
    assert rows["config.seed"] == {"field": "config.seed", "a": "1", "b": "1"}
    assert {"commit", "name", "config.opt.name", "summary._runtime"} < set(rows)


def test_parquet_has_values_as_json(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "diff.parquet"
    done = Done("diff", *paths(server), "-o", str(file), server=server)
    assert done.code == 0, done.stderr
    frame = {row["field"]: row for row in pl.read_parquet(file).to_dicts()}
    assert frame["summary.acc"] == {"field": "summary.acc", "a": "0.5", "b": '"high"'}
    assert list(frame) == list(DIFFERENT)


def test_runs_of_the_same_id_are_named_by_their_paths(server: RunningServer) -> None:
    done = Done("diff", f"{server.entity}/p/a", f"{server.entity}/q/a", server=server)
    assert done.stdout.splitlines()[0].split() == ["field", f"{server.entity}/p/a", f"{server.entity}/q/a"]
    assert "\\x1b[31m" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_run_does_not_differ_from_itself(server: RunningServer) -> None:
    done = Done("diff", *paths(server)[:1] * 2, "--format", "jsonl", server=server)
    assert done.code == 0
    assert done.stdout == ""
    assert "do not differ" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["local/p/a", "local/p/nothing"], 1, "nothing"),
        (["local/p/a", "local/p"], 2, "local/p is no run"),
        (["local/p/a", "local/p/mlp:v1"], 2, "is no run"),
        (["local/p/a"], 2, "Missing argument"),
        (["local/p/a", "local/p/b", "--format", "xml"], 2, "xml"),
    ],
)
def test_what_is_not_there_or_asked_wrongly(
    server: RunningServer, arguments: list[str], code: int, message: str
) -> None:
    done = Done("diff", *arguments, server=server)
    assert done.code == code
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_that_exists_needs_force(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "diff.csv"
    file.write_text("mine")
    assert Done("diff", *paths(server), "-o", str(file), server=server).code == 2
    assert file.read_text() == "mine"
    assert Done("diff", *paths(server), "-o", str(file), "--force", server=server).code == 0
    assert file.read_text().startswith("field,a,b\n")
