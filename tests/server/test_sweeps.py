"""Sweeps on the server: creation, changes, lists, and values of their runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Query

from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import migrations

UPSERT = "mutation U($input: UpsertSweepInput!) { upsertSweep(input: $input) { sweep { id name project { name entity { name } } } configValidationWarnings } }"
READ = '{ project(name: "p") { totalSweeps sweep(sweepName: "%s") { id name displayName method state description config bestLoss runCount runCountExpected updatedAt heartbeatAt controller agents { edges { node { id } } } runs { totalCount edges { node { name } } } } } }'
RANDOM = "method: random\nparameters: {a: %s}\n"
LOSS = "method: random\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {min: 0, max: 1}}\n"


def upsert(query: Query, **fields: object) -> dict[str, Any]:
    answer = query(UPSERT, input={"projectName": "p", **fields})
    assert "errors" not in answer, answer
    sweep: dict[str, Any] = answer["data"]["upsertSweep"]["sweep"]
    return sweep


def read(query: Query, name: str) -> dict[str, Any]:
    answer = query(READ % name)
    assert "errors" not in answer, answer
    sweep: dict[str, Any] = answer["data"]["project"]["sweep"]
    return sweep


def test_a_new_sweep_waits_and_runs_with_its_first_run(server: RunningServer, query: Query) -> None:
    made = upsert(query, config=LOSS, displayName="label", description="why", controller='{"type":"local"}')
    assert made["project"] == {"name": "p", "entity": {"name": server.entity}}
    before = read(query, made["name"])
    assert (before["id"], before["state"], before["runCount"], before["bestLoss"]) == (
        made["id"],
        "PENDING",
        0,
        None,
    )
    assert (before["config"], before["displayName"], before["description"]) == (LOSS, "label", "why")
    assert (before["method"], before["controller"], before["runCountExpected"]) == (
        "random",
        '{"type":"local"}',
        None,
    )
    server.seed("p", [SeedRun(name="a", sweep=made["name"], summary={"loss": 2}), SeedRun(name="b")])
    after = read(query, made["name"])
    assert (after["state"], after["runCount"], after["bestLoss"]) == ("RUNNING", 1, 2.0)
    assert after["runs"] == {"totalCount": 1, "edges": [{"node": {"name": "a"}}]}
    assert after["heartbeatAt"]
    assert after["agents"] == {"edges": []}


@pytest.mark.parametrize(("goal", "best"), [("minimize", -1.5), ("maximize", 7.0)])
def test_the_best_loss_is_the_best_number(
    goal: str, best: float, server: RunningServer, query: Query
) -> None:
    name = upsert(query, config=f"method: random\nmetric: {{name: val.loss, goal: {goal}}}")["name"]
    values: tuple[JsonValue, ...] = (
        3,
        -1.5,
        7.0,
        "text",
        float("nan"),
        None,
        True,
        {"max": 6.5, "min": -1.0},
        {"max": 99, "other": 1},
    )
    server.seed("p", [SeedRun(sweep=name, summary={"val": {"loss": value}}) for value in values])
    server.seed("p", [SeedRun(sweep="another", summary={"val": {"loss": 99 if best > 0 else -99}})])
    assert read(query, name)["bestLoss"] == best


@pytest.mark.parametrize(("goal", "best"), [("minimize", 0.1), ("maximize", 0.9)])
def test_a_summarized_metric_has_a_best_loss(
    goal: str, best: float, server: RunningServer, query: Query
) -> None:
    name = upsert(query, config=f"method: random\nmetric: {{name: acc, goal: {goal}}}")["name"]
    values: tuple[JsonValue, ...] = ({"max": 0.3}, {"min": 0.1, "max": 0.9}, {"mean": 0.5})
    server.seed("p", [SeedRun(sweep=name, summary={"acc": value}) for value in values])
    assert read(query, name)["bestLoss"] == best


@pytest.mark.parametrize(
    ("goal", "worst"), [("minimize", float("-inf")), ("maximize", float("inf")), ("maximize", 10**400)]
)
def test_a_best_loss_that_json_cannot_hold_is_null(
    goal: str, worst: float, server: RunningServer, query: Query
) -> None:
    name = upsert(query, config=f"method: random\nmetric: {{name: loss, goal: {goal}}}")["name"]
    server.seed("p", [SeedRun(sweep=name, summary={"loss": value}) for value in (1.0, worst)])
    assert read(query, name)["bestLoss"] is None


def test_odd_configurations_are_taken_with_warnings(query: Query) -> None:
    answer = query(UPSERT, input={"projectName": "p", "config": "method: random\nrun_cpa: 3"})
    assert answer["data"]["upsertSweep"]["configValidationWarnings"] == [
        "'parameters' are missing: each run gets an empty config",
        "unknown entry 'run_cpa'",
    ]
    answer = query(UPSERT, input={"projectName": "p", "config": LOSS})
    assert answer["data"]["upsertSweep"]["configValidationWarnings"] == []


def test_what_an_older_server_stored_is_still_read(server: RunningServer, query: Query) -> None:
    made = upsert(query, config=LOSS)
    with server.store.writing() as connection:
        connection.execute("UPDATE sweeps SET config = 'method: bayes'")
    assert (read(query, made["name"])["method"], read(query, made["name"])["runCountExpected"]) == (
        "bayes",
        None,
    )
    answer = query(
        'mutation M($s: String!) { createAgent(input: {host: "h", projectName: "p", sweep: $s}) { agent { id } } }',
        s=made["name"],
    )
    assert "method 'bayes' is not supported" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("method: random", None),
        ("method: random\nrun_cap: 5", 5),
        ("method: grid\nparameters: {a: {values: [1, 2, 3]}, b: {value: 1}, c: {values: [x, y]}}", 6),
        ("method: grid\nrun_cap: 4\nparameters: {a: {values: [1, 2, 3]}, c: {values: [x, y]}}", 4),
        ("method: grid\nparameters: {a: {parameters: {b: {values: [1, 2]}}}}", 2),
        (
            "method: grid\nparameters: {a: {min: 0, max: 1}, b: {min: 0.0, max: 0.3, q: 0.1, distribution: q_uniform}}",
            8,
        ),
        (f"method: grid\nparameters: {{{', '.join(f'p{n}: {{min: 1, max: 10}}' for n in range(10))}}}", None),
    ],
)
def test_the_expected_runs_follow_from_the_configuration(
    config: str, expected: int | None, query: Query
) -> None:
    assert read(query, upsert(query, config=config)["name"])["runCountExpected"] == expected


def test_what_is_given_is_changed_and_nothing_else(query: Query) -> None:
    made = upsert(query, config=LOSS, displayName="label")
    upsert(query, id=made["id"], state="PAUSED")
    paused = read(query, made["name"])
    assert (paused["state"], paused["config"], paused["displayName"]) == ("PAUSED", LOSS, "label")
    upsert(query, id=made["id"], config="method: grid")
    assert read(query, made["name"])["method"] == "grid"
    assert query(READ % made["name"])["data"]["project"]["totalSweeps"] == 1


def test_prior_runs_join_the_sweep(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name=name, summary={"loss": 1}) for name in ("a", "b", "c")])
    prior = '{"$or": [{"name": "a"}, {"name": "c"}]}'
    found = read(query, upsert(query, config=LOSS, priorRunsFilters=prior)["name"])
    assert [edge["node"]["name"] for edge in found["runs"]["edges"]] == ["a", "c"]


def test_sweeps_are_listed_in_pages(query: Query) -> None:
    names = [upsert(query, config=LOSS)["name"] for _ in range(3)]
    text = 'query($after: String) { project(name: "p") { totalSweeps sweeps(first: 2, after: $after, filters: "{}") { pageInfo { hasNextPage endCursor } edges { node { name } } } } }'
    first = query(text)["data"]["project"]
    second = query(text, after=first["sweeps"]["pageInfo"]["endCursor"])["data"]["project"]["sweeps"]
    assert first["totalSweeps"] == 3
    assert first["sweeps"]["pageInfo"]["hasNextPage"]
    assert not second["pageInfo"]["hasNextPage"]
    listed = [edge["node"]["name"] for page in (first["sweeps"], second) for edge in page["edges"]]
    assert listed == names


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a config is needed"),
        ({"config": "a: [1"}, "not YAML"),
        ({"config": "- a list"}, "must be a mapping"),
        ({"config": "&x [*x]"}, "not YAML"),
        ({"id": "bogus"}, "not the id of a Sweep"),
        ({"id": "U3dlZXA6OTk="}, "sweep not found"),
        ({"config": LOSS, "entityName": "nobody"}, "entity 'nobody' not found"),
        ({"config": LOSS, "priorRunsFilters": "{"}, "not valid JSON"),
        ({"config": LOSS, "state": ""}, "state: unknown sweep state ''"),
        ({"config": LOSS, "state": "RUNING"}, "state: unknown sweep state 'RUNING'"),
        ({"config": LOSS, "launchScheduler": "{}"}, "launchScheduler"),
        ({"config": "parameters: {}"}, "a method is needed"),
        ({"config": "method: bayes\nparameters: {}"}, "method 'bayes' is not supported"),
        ({"config": "method: grid\nparameters: [1]"}, "parameters must be a mapping"),
        ({"config": "method: grid\nparameters: {a: 1}"}, "parameters.a must be a mapping"),
        ({"config": "method: grid\nparameters: {a: {}}"}, "parameters.a needs a value"),
        ({"config": "method: grid\nparameters: {a: {values: []}}"}, "parameters.a.values"),
        (
            {"config": "method: grid\nparameters: {a: {min: 0.0, max: 1.0}}"},
            "parameters.a: a grid needs values",
        ),
        (
            {"config": "method: grid\nparameters: {a: {parameters: {b: {distribution: normal}}}}"},
            "parameters.a: a grid needs values",
        ),
        (
            {"config": "method: grid\nparameters: {a: {min: 0.1, max: 0.2, distribution: q_uniform}}"},
            "parameters.a: a grid needs values",
        ),
        ({"config": RANDOM % "{min: 0, max: 1.5}"}, "parameters.a is ambiguous"),
        ({"config": RANDOM % "{min: 2, max: 1}"}, "parameters.a: min 2 is above max 1"),
        ({"config": RANDOM % "{min: 1e-5, max: 1.0}"}, "parameters.a.min must be a number (YAML reads 1e-5"),
        ({"config": RANDOM % "{value: 1, values: [1]}"}, "parameters.a has both value and values"),
        ({"config": RANDOM % "{values: [1, 2], probabilities: [0.5, 0.6]}"}, "parameters.a.probabilities"),
        ({"config": RANDOM % "{values: [1, 2], probabilities: [1]}"}, "parameters.a.probabilities"),
        (
            {"config": RANDOM % "{values: [1], distribution: uniform}"},
            "the distribution 'uniform' does not fit",
        ),
        ({"config": RANDOM % "{distribution: cauchy}"}, "unknown distribution 'cauchy'"),
        ({"config": RANDOM % "{distribution: log_uniform_values, min: 0, max: 1}"}, "a.min must be above 0"),
        ({"config": RANDOM % "{distribution: log_uniform, min: 0, max: 1000}"}, "exponents of e"),
        ({"config": RANDOM % "{distribution: q_uniform, min: 0, max: 1, q: 0}"}, "parameters.a.q"),
        ({"config": RANDOM % "{distribution: int_uniform, min: 0, max: 1.5}"}, "must be whole numbers"),
        ({"config": RANDOM % "{distribution: normal, sigma: -1}"}, "parameters.a.sigma must be above 0"),
        ({"config": "method: random\nrun_cap: 0"}, "run_cap must be a whole number"),
        ({"config": "method: random\nrun_cap: true"}, "run_cap must be a whole number"),
        ({"config": "method: random\ncommand: python"}, "command must be a list"),
        ({"config": "method: random\nmetric: loss"}, "metric needs a name"),
        ({"config": "method: random\nmetric: {name: a, goal: best}"}, "metric.goal"),
        ({"config": LOSS + "early_terminate: {type: envelope}"}, "hyperband, not 'envelope'"),
        ({"config": LOSS + "early_terminate: {type: hyperband}"}, "early_terminate needs min_iter"),
        ({"config": LOSS + "early_terminate: {type: hyperband, max_iter: 9}"}, "early_terminate.s"),
        ({"config": LOSS + "early_terminate: {type: hyperband, max_iter: 2, s: 1}"}, "make no bracket"),
        ({"config": LOSS + "early_terminate: {type: hyperband, min_iter: 1, eta: 1}"}, "early_terminate.eta"),
        (
            {"config": "method: random\nearly_terminate: {type: hyperband, min_iter: 3}"},
            "early_terminate needs a metric",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_and_leaves_nothing(
    fields: dict[str, object], message: str, query: Query
) -> None:
    upsert(query, config=LOSS)
    answer = query(UPSERT, input={"projectName": "p", **fields})
    assert message in answer["errors"][0]["message"]
    assert query('{ project(name: "p") { totalSweeps } }')["data"]["project"]["totalSweeps"] == 1


def test_filtered_sweeps_are_not_supported(query: Query) -> None:
    upsert(query, config=LOSS)
    answer = query('{ project(name: "p") { sweeps(filters: "{\\"name\\": \\"a\\"}") { edges { cursor } } } }')
    assert "not supported yet by the embedded server" in answer["errors"][0]["message"]


def test_a_database_without_sweeps_is_brought_up_to_date(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(f"BEGIN;{migrations.MIGRATIONS[0]};PRAGMA user_version = 1;COMMIT;")
    migrations.migrate(connection)
    assert connection.execute("SELECT COUNT(*) FROM sweeps").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations.MIGRATIONS),)
    connection.close()
