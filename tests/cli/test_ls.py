"""`runql ls`: what it lists, its columns and orders, and the requests it sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.invoking import Done

from runql import Api
from runql_server.running import RunningServer
from runql_server.sample import Sample
from runql_server.seed import SeedRun

PROJECT = "local/digits"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    runs = [
        SeedRun(
            name=f"r{number}",
            display_name=f"run {number}",
            config={"lr": 0.1 * number, "optimizer": {"name": "sgd"}},
            summary={"loss": 1.0 / (1 + number), "train/loss": number},
            tags=("even",) if number % 2 == 0 else (),
        )
        for number in range(5)
    ]
    with RunningServer() as server:
        server.seed("p", runs)
        yield server


def names_of(server: RunningServer) -> list[str]:
    """The operations that were sent."""
    return [request.operation for request in server.requests]


def listed(server: RunningServer, *arguments: str) -> list[dict[str, object]]:
    return Done("ls", *arguments, "--format", "jsonl", server=server).rows


def test_the_runs_of_a_project_take_one_request(server: RunningServer) -> None:
    server.clear()
    assert [row["id"] for row in listed(server, "local/p")] == ["r0", "r1", "r2", "r3", "r4"]
    assert names_of(server) == ["ListRuns"]


def test_columns_of_config_and_summary_take_one_request_of_full_runs(server: RunningServer) -> None:
    server.clear()
    columns = "state,config.lr,config.optimizer.name,summary.train/loss,summary.absent"
    rows = listed(server, "local/p", "--columns", columns, "--limit", "2")
    assert [list(row) for row in rows] == [columns.split(",")] * 2
    assert rows[1] == {
        "state": "finished",
        "config.lr": 0.1,
        "config.optimizer.name": "sgd",
        "summary.train/loss": 1,
        "summary.absent": None,
    }
    assert names_of(server) == ["ListFullRuns"]


def test_a_path_without_an_entity_takes_one_request_for_the_viewer(server: RunningServer) -> None:
    server.clear()
    done = Done("ls", "--format", "jsonl", server=server, env={"WANDB_PROJECT": "p"})
    assert len(done.rows) == 5
    assert names_of(server) == ["GetViewer", "ListRuns"]


def test_without_a_path_and_a_project_it_lists_projects(server: RunningServer) -> None:
    server.clear()
    assert [row["name"] for row in listed(server)] == ["p"]
    assert names_of(server) == ["GetViewer", "ListProjects"]
    server.clear()
    assert [row["name"] for row in listed(server, "local")] == ["p"]
    assert names_of(server) == ["ListProjects"]


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("-summary.loss", ["r0", "r1", "r2"]),
        ("summary.loss", ["r4", "r3", "r2"]),
        ("-config.lr", ["r4", "r3", "r2"]),
        ("+created_at", ["r0", "r1", "r2"]),
        ("-name", ["r4", "r3", "r2"]),
    ],
)
def test_orders_name_columns(server: RunningServer, order: str, ids: list[str]) -> None:
    assert [row["id"] for row in listed(server, "local/p", "--order", order, "--limit", "3")] == ids


def test_a_filter_in_the_servers_language(server: RunningServer) -> None:
    rows = listed(server, "local/p", "--filter", '{"config.lr": {"$gt": 0.25}}', "--columns", "id")
    assert rows == [{"id": "r3"}, {"id": "r4"}]


def test_stars_stand_for_every_entry(server: RunningServer) -> None:
    rows = listed(server, "local/p", "--columns", "id,config.*", "--columns", "summary.loss", "--limit", "1")
    assert rows == [{"id": "r0", "config.lr": 0.0, "config.optimizer": {"name": "sgd"}, "summary.loss": 1.0}]


def test_an_empty_list_is_said_on_stderr(server: RunningServer) -> None:
    done = Done(
        "ls",
        "local/p",
        "--filter",
        '{"state": "killed"}',
        "--columns",
        "id",
        "--format",
        "csv",
        server=server,
    )
    assert (done.code, done.stdout, done.stderr) == (0, "id\n", "runql ls: there is nothing to list\n")


def test_an_entry_that_nothing_has_is_said_on_stderr(server: RunningServer) -> None:
    columns = "id,config.lr,summary.los"
    done = Done("ls", "local/p", "--columns", columns, "--format", "csv", server=server)
    assert done.code == 0
    assert done.stdout.splitlines()[:2] == [columns, "r0,0.0,"]
    assert done.stderr == "runql ls: nothing that is listed has summary.los: check the spelling\n"


def test_the_table_is_for_people(sample_server: Sample) -> None:
    done = Done("ls", PROJECT, "--limit", "1", server=sample_server, env={"COLUMNS": "120"})
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        "id     name                        state     created_at           tags",
        "sgd00  sgd loss=hinge alpha=1e-05  finished  2026-11-25T02:28:00  linear, scikit-learn",
    ]


def test_into_a_pipe_a_row_does_not_depend_on_others(sample_server: Sample) -> None:
    """It has no padding, so that `grep`, `cut` and a comparison with yesterday's work."""
    head, first, *_ = Done("ls", PROJECT, server=sample_server).stdout.splitlines()
    assert head == "id\tname\tstate\tcreated_at\ttags"
    assert first == "sgd00\tsgd loss=hinge alpha=1e-05\tfinished\t2026-11-25T02:28:00\tlinear, scikit-learn"
    assert Done("ls", PROJECT, "--limit", "1", server=sample_server).stdout.splitlines() == [head, first]
    shown = Done("show", f"{PROJECT}/sgd00", server=sample_server).stdout.splitlines()
    assert shown[:3] == ["field\tvalue", "id\tsgd00", "name\tsgd loss=hinge alpha=1e-05"]
    assert "config.loss\thinge" in shown
    assert [line for line in shown if line.count("\t") != 1] == []


def test_every_field_of_a_kind_is_a_column(sample_server: Sample) -> None:
    from runql.cli.reading.columns import ARTIFACTS, COLLECTIONS, FILES, PROJECTS, RUNS, SWEEPS

    for kind, arguments in (
        (PROJECTS, ["local"]),
        (RUNS, [PROJECT]),
        (SWEEPS, [PROJECT, "--sweeps"]),
        (COLLECTIONS, [PROJECT, "--artifacts"]),
        (ARTIFACTS, [f"{PROJECT}/sgd00", "--artifacts"]),
        (FILES, [f"{PROJECT}/sgd00", "--files"]),
    ):
        columns = ",".join(kind.fields)
        done = Done("ls", *arguments, "--columns", columns, "--format", "jsonl", server=sample_server)
        assert done.rows
        assert {tuple(row) for row in done.rows} == {tuple(kind.fields)}


def test_artifacts_files_and_sweeps_are_those_of_the_library(sample_server: Sample) -> None:
    def names(*arguments: str) -> list[object]:
        done = Done("ls", *arguments, "--columns", "name", "--format", "jsonl", server=sample_server)
        return [row["name"] for row in done.rows]

    with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api:
        project, run = api.project(PROJECT), api.run(f"{PROJECT}/sgd00")
        model = next(each for each in run.logged_artifacts() if each.type == "model")
        sweep = project.sweeps()[0]
        assert names(PROJECT, "--sweeps") == [each.name for each in project.sweeps()]
        assert names(PROJECT, "--artifacts") == [each.name for each in project.collections()]
        assert names(f"{PROJECT}/sgd00", "--artifacts") == [each.name for each in run.logged_artifacts()]
        assert names(f"{PROJECT}/sgd00", "--files") == [each.name for each in run.files()]
        assert names(model.qualified_name) == [each.name for each in model.files()]
        assert names(model.qualified_name, "--files") == [each.name for each in model.files()]
        versions = api.artifacts("model", f"{PROJECT}/{model.collection_name}")
        assert names(model.qualified_name, "--artifacts") == [each.name for each in versions]
        assert names(f"{PROJECT}/sweeps/{sweep.id}") == [each.name for each in sweep.runs]
        assert len(sweep.runs) == 8
        some = names(f"{PROJECT}/sweeps/{sweep.id}", "--filter", '{"config.lr": 0.3}')
        assert some == [each.name for each in sweep.runs if each.config["lr"] == 0.3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["local/p", "--columns", "stat"], "there is no column 'stat' (did you mean state?): use id, name"),
        (["local/p", "--columns", "config."], "there is no column 'config.'"),
        (["local/p", "--columns", "lr"], "config.KEY"),
        (["local/p", "--order", "loss"], "there is no order by 'loss': use config.KEY, summary.KEY"),
        (["local/p", "--filter", "{"], "--filter"),
        (["local/p", "--filter", "[]"], "--filter"),
        (["local/p", "--filter", '{"tags": ["x"]}'], "tags"),
        (["local/p", "--files", "--sweeps"], "give one of --files and --sweeps"),
        (["local/p", "--sweeps", "--order", "name"], "--order are for runs"),
        (["local", "--filter", "{}"], "--filter and --order are for runs"),
        (["local", "--files"], "--files is not for an entity"),
        (["local/p/r0"], "is a run: give --files or --artifacts, or use `runql show`"),
        (["a/b/c/d/e"], "it has too many parts"),
        (["a\tb"], "names no entity"),
        (["local/p", "--base-url", "nowhere"], "no http:// or https:// URL"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_before_anything_is_sent(
    server: RunningServer, arguments: list[str], said: str
) -> None:
    server.clear()
    done = Done("ls", *arguments, server=server)
    assert done.code == 2
    assert said in done.said
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["local/absent"], "project local/absent does not exist"),
        (["local/p/absent", "--files"], "run local/p/absent does not exist"),
        (["local/p/sweeps/absent"], "sweep local/p/absent does not exist"),
        (["local/p/absent:v0"], "absent:v0"),
        (["local/p", "--order", "-summary.absent"], "has a value of summary_metrics.absent"),
    ],
)
def test_what_is_not_found_ends_with_1(server: RunningServer, arguments: list[str], said: str) -> None:
    done = Done("ls", *arguments, server=server)
    assert done.code == 1
    assert said in done.said


def test_without_a_key_nothing_is_sent(server: RunningServer) -> None:
    server.clear()
    done = Done("ls", "local/p", server=server, env={"WANDB_API_KEY": "", "HOME": "/nonexistent"})
    assert done.code == 2
    assert "WANDB_API_KEY" in done.said
    assert server.requests == []
