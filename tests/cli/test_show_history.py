"""`runql show` and `runql history`: every field, every row."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.cli.invoking import Done

from runql import Api
from runql_server.running import RunningServer
from runql_server.sample import Sample
from runql_server.seed import SeedRun

RUN = "local/digits/sgd00"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    history = [{"loss": 1.0 - step / 10} if step % 2 else {"accuracy": step / 10} for step in range(6)]
    with RunningServer() as server:
        server.seed(
            "p",
            [
                SeedRun(name="one", history=history),
                SeedRun(name="two", history=[{"loss": 7.0}, {"loss": float("nan")}]),
                SeedRun(name="none"),
            ],
        )
        yield server


def history(server: RunningServer, *arguments: str) -> list[dict[str, object]]:
    return Done("history", *arguments, "--format", "jsonl", server=server).rows


@pytest.mark.parametrize("path", [RUN, "local/digits/sgd:v0", "local/digits/sweeps/sd53pxnu"])
def test_show_prints_the_fields_as_lines_or_as_an_object(sample_server: Sample, path: str) -> None:
    shown = json.loads(Done("show", path, "--format", "json", server=sample_server).stdout)
    table = Done("show", path, server=sample_server).stdout.splitlines()
    assert table[0].split() == ["field", "value"]
    lines = {line.split()[0] for line in table[1:]}
    plain = {name for name, value in shown.items() if not isinstance(value, dict)}
    entries = {f"{name}.{key}" for name in shown.keys() - plain for key in shown[name]}
    assert lines == plain | entries


def test_show_has_the_values_of_the_library(sample_server: Sample) -> None:
    shown = json.loads(Done("show", RUN, "--format", "json", server=sample_server).stdout)
    with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api:
        run = api.run(RUN)
        assert shown["config"] == dict(run.config)
        assert shown["summary"] == dict(run.summary)
        assert (shown["state"], shown["url"], shown["user"]) == (run.state, run.url, "local")


def test_the_path_that_show_prints_is_one_that_it_takes(sample_server: Sample) -> None:
    for path in (RUN, "local/digits/sweeps/sd53pxnu"):
        shown = json.loads(Done("show", path, "--format", "json", server=sample_server).stdout)
        assert shown["path"] == path
        assert Done("show", shown["url"], server=sample_server).code == 0


def test_show_sends_one_request(server: RunningServer) -> None:
    server.clear()
    assert Done("show", "local/p/one", server=server).code == 0
    assert [request.operation for request in server.requests] == ["GetRun"]


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("local/p/absent", 1, "run local/p/absent does not exist"),
        ("local/p/sweeps/absent", 1, "sweep local/p/absent does not exist"),
        ("local/p/absent:v1", 1, "absent:v1"),
        ("local/p", 2, "use `runql ls local/p`"),
        ("local", 2, "local is no run, artifact or sweep"),
        ("https://wandb.ai/local/p/reports/x", 2, "reports"),
    ],
)
def test_show_of_what_is_not_there(server: RunningServer, path: str, code: int, said: str) -> None:
    done = Done("show", path, server=server)
    assert (done.code, said in done.said) == (code, True), done.stderr


def test_history_reads_every_row(server: RunningServer) -> None:
    rows = history(server, "local/p/one")
    assert [(row["run"], row["_step"]) for row in rows] == [("local/p/one", step) for step in range(6)]
    assert [row.get("loss") for row in rows] == [None, 0.9, None, 0.7, None, 0.5]


def test_keys_give_the_union_of_rows_or_those_with_all(server: RunningServer) -> None:
    keys = ("--key", "loss", "--key", "accuracy")
    rows = history(server, "local/p/one", *keys)
    assert len(rows) == 6
    assert {tuple(row) for row in rows} == {("run", "_step", "loss", "accuracy")}
    assert [row["_step"] for row in history(server, "local/p/one", "--key", "accuracy")] == [0, 2, 4]
    none = Done("history", "local/p/one", *keys, "--match", "all", "--format", "jsonl", server=server)
    assert (none.code, none.stdout, none.stderr) == (0, "", "runql history: no row matches\n")


def test_steps_bound_the_rows(server: RunningServer) -> None:
    rows = history(server, "local/p/one", "--from-step", "2", "--to-step", "4")
    assert [row["_step"] for row in rows] == [2, 3]


def test_several_runs_follow_each_other_and_special_floats_are_strict_json(server: RunningServer) -> None:
    server.clear()
    rows = history(server, "local/p/two", "local/p/one", "--key", "loss")
    assert [(row["run"], row["loss"]) for row in rows] == [
        *(("local/p/two", value) for value in (7.0, "NaN")),
        *(("local/p/one", value) for value in (0.9, 0.7, 0.5)),
    ]
    operations = [request.operation for request in server.requests]
    assert operations[:2] == ["GetRun", "GetRun"]
    assert len(operations) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["local/p/one", "--key", "los"], 1, "the run has logged no 'los': did you mean 'loss'?"),
        (["local/p/one", "local/p/two", "--key", "x"], 1, "the runs have logged no 'x': use "),
        (["local/p/one", "local/p/absent"], 1, "run local/p/absent does not exist"),
        (["local/p/one", "local/p"], 2, "local/p is no run"),
        (["local/p/one", "--from-step", "4", "--to-step", "2"], 2, "--from-step 4"),
    ],
)
def test_history_of_what_is_not_there(
    server: RunningServer, arguments: list[str], code: int, said: str
) -> None:
    done = Done("history", *arguments, server=server)
    assert (done.code, said in done.said) == (code, True), done.stderr


def test_a_run_without_rows_has_none(server: RunningServer) -> None:
    done = Done("history", "local/p/none", "--format", "json", server=server)
    assert (done.code, done.stdout) == (0, "[]\n")
