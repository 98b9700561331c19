"""Sweep agents on the server: commands to run, stop and exit."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.server.conftest import Query

from runql_server import ids, timestamps
from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

UPSERT = "mutation U($input: UpsertSweepInput!) { upsertSweep(input: $input) { sweep { id name } } }"
CREATE = "mutation C($input: CreateAgentInput!) { createAgent(input: $input) { agent { id } } }"
BEAT = "mutation B($input: AgentHeartbeatInput!) { agentHeartbeat(input: $input) { agent { id } commands } }"
READ = 'query R($name: String!) { project(name: "p") { sweep(sweepName: $name) { state runCount agents { edges { node { id name host state totalRuns createdAt heartbeatAt runs { totalCount edges { node { name } } } } } } } } }'
GRID = "method: grid\nprogram: train.py\nparameters: {a: {values: [1, 2]}, b: {values: [x, z]}}"
Command = dict[str, Any]


class Sweep:
    """A sweep, and agents that follow commands without running programs."""

    def __init__(self, server: RunningServer, query: Query, config: str) -> None:
        self.server = server
        self.query = query
        made = query(UPSERT, input={"projectName": "p", "config": config})["data"]["upsertSweep"]["sweep"]
        self.id, self.name = made["id"], made["name"]

    def agent(self, host: str = "h") -> str:
        body = self.query(CREATE, input={"projectName": "p", "sweep": self.name, "host": host})
        assert "errors" not in body, body
        opaque: str = body["data"]["createAgent"]["agent"]["id"]
        return opaque

    def beat(self, agent: str, *running: str) -> Command | None:
        states = json.dumps(dict.fromkeys(running, True))
        body = self.query(BEAT, input={"id": agent, "metrics": "{}", "runState": states})
        assert "errors" not in body, body
        commands: list[Command] = json.loads(body["data"]["agentHeartbeat"]["commands"])
        assert len(commands) <= 1
        return commands[0] if commands else None

    def logs(self, command: Command, **fields: Any) -> str:
        """The run of a command comes to be, as `wandb.init` makes it."""
        config = {name: entry["value"] for name, entry in command["args"].items()}
        name: str = command["run_id"]
        self.server.seed("p", [SeedRun(name=name, sweep=self.name, config=config, **fields)])
        return name

    def run_all(self, agent: str) -> list[Command]:
        """Run whatever the agent gets to the end, until it is sent away."""
        done: list[Command] = []
        while (command := self.beat(agent)) is not None and command["type"] != "exit":
            done.append(command)
            self.beat(agent, self.logs(command))
        assert command == {"type": "exit"}
        return done

    def set_state(self, state: str) -> None:
        assert "errors" not in self.query(UPSERT, input={"id": self.id, "state": state})

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.query(READ, name=self.name)["data"]["project"]["sweep"]
        return found

    def lose(self, agent: str) -> None:
        """The agent died a while ago."""
        long_ago = timestamps.to_string(timestamps.now() - timedelta(minutes=2))
        number = ids.decode_number("Agent", agent)
        with self.server.store.writing() as connection:
            connection.execute("UPDATE sweep_agents SET heartbeat_at = ? WHERE id = ?", (long_ago, number))


def values(command: Command | None) -> dict[str, JsonValue]:
    assert command is not None
    assert command["type"] in {"run", "resume"}
    return {name: entry["value"] for name, entry in command["args"].items()}


def test_a_grid_is_run_once_through_and_ends(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    assert sweep.read()["state"] == "PENDING"
    agent = sweep.agent("machine")
    assert sweep.read()["state"] == "RUNNING"
    done = sweep.run_all(agent)
    assert [values(command) for command in done] == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "z")]
    assert {command["program"] for command in done} == {"train.py"}
    found = sweep.read()
    assert (found["state"], found["runCount"]) == ("FINISHED", 4)
    (edge,) = found["agents"]["edges"]
    node = edge["node"]
    assert (node["id"], node["host"], node["state"], node["totalRuns"]) == (agent, "machine", "FINISHED", 4)
    assert [run["node"]["name"] for run in node["runs"]["edges"]] == [command["run_id"] for command in done]
    assert node["createdAt"]
    assert node["heartbeatAt"]


def test_nested_parameters_are_one_object(server: RunningServer, query: Query) -> None:
    config = "method: grid\nparameters: {opt: {parameters: {lr: {values: [0.1, 0.2]}, name: {value: sgd}}}}"
    sweep = Sweep(server, query, config)
    assert [values(command) for command in sweep.run_all(sweep.agent())] == [
        {"opt": {"lr": lr, "name": "sgd"}} for lr in (0.1, 0.2)
    ]


def test_several_agents_share_a_grid(server: RunningServer, query: Query) -> None:
    config = "method: grid\nparameters: {a: {min: 1, max: 5}, b: {values: [1, 2, 3, 4]}}"
    sweep = Sweep(server, query, config)
    done: list[Command] = []

    def work() -> None:
        with httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client:

            def send(text: str, **variables: object) -> dict[str, Any]:
                body: dict[str, Any] = client.post(
                    "/graphql", json={"query": text, "variables": variables}
                ).json()
                return body

            mine = object.__new__(Sweep)
            mine.server, mine.query, mine.id, mine.name = server, send, sweep.id, sweep.name
            agent = mine.agent()
            while True:
                command = mine.beat(agent)
                if command is None:
                    continue
                if command["type"] == "exit":
                    return
                done.append(command)
                mine.beat(agent, mine.logs(command))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    points = sorted((values(command)["a"], values(command)["b"]) for command in done)
    assert points == [(a, b) for a in range(1, 6) for b in range(1, 5)]
    assert sweep.read()["state"] == "FINISHED"


def test_a_dead_agents_point_is_run_by_another(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, "method: grid\nparameters: {a: {values: [1, 2]}}")
    dying, living = sweep.agent(), sweep.agent()
    never_began, began = sweep.beat(dying), sweep.beat(living)
    assert never_began is not None
    assert began is not None
    sweep.beat(living, sweep.logs(began))
    assert sweep.beat(living) is None, "the other point is still on its way"
    sweep.lose(dying)
    again = sweep.beat(living)
    assert values(again) == values(never_began)
    assert again is not None
    sweep.beat(living, sweep.logs(again))
    assert sweep.beat(living) == {"type": "exit"}
    states = [edge["node"]["state"] for edge in sweep.read()["agents"]["edges"]]
    assert states == ["CRASHED", "FINISHED"]


def test_a_dead_agents_run_counts_when_it_began(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, "method: grid\nparameters: {a: {values: [1]}}")
    dying, living = sweep.agent(), sweep.agent()
    command = sweep.beat(dying)
    assert command is not None
    sweep.beat(dying, sweep.logs(command, state="crashed"))
    sweep.lose(dying)
    assert sweep.beat(living) == {"type": "exit"}


def test_a_command_that_was_lost_is_sent_again_once(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, "method: grid\nparameters: {a: {values: [1]}}")
    agent = sweep.agent()
    first = sweep.beat(agent)
    assert sweep.beat(agent) == first, "the agent never heard of it"
    assert sweep.beat(agent) == {"type": "exit"}, "a program that logs nothing is not run without end"


def test_the_point_of_a_deleted_run_is_free_again(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    done = sweep.run_all(sweep.agent())
    text = 'query R($name: String!) { project(name: "p") { run(name: $name) { id } } }'
    opaque = query(text, name=done[2]["run_id"])["data"]["project"]["run"]["id"]
    query("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=opaque)
    sweep.set_state("RUNNING")
    assert [values(command) for command in sweep.run_all(sweep.agent())] == [values(done[2])]


def test_points_of_runs_that_joined_are_not_run_again(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="prior", config={"a": 1, "b": "z", "other": 0})])
    sweep = Sweep(server, query, GRID)
    query(UPSERT, input={"id": sweep.id, "priorRunsFilters": '{"name": "prior"}'})
    points = [values(command) for command in sweep.run_all(sweep.agent())]
    assert points == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 2, "b": "z"}]


def test_a_grid_that_changed_goes_on_with_its_new_points(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    sweep.run_all(sweep.agent())
    wider = "method: grid\nparameters: {a: {values: [0, 1, 2]}, b: {values: [z, x]}}"
    query(UPSERT, input={"id": sweep.id, "config": wider, "state": "RUNNING"})
    points = [values(command) for command in sweep.run_all(sweep.agent())]
    assert points == [{"a": 0, "b": "z"}, {"a": 0, "b": "x"}]


@pytest.mark.parametrize("method", ["grid", "random"])
def test_the_run_cap_counts_all_runs(method: str, server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, f"method: {method}\nrun_cap: 3\nparameters: {{a: {{values: [1, 2, 3, 4]}}}}")
    first, second = sweep.agent(), sweep.agent()
    for agent in (first, second):
        command = sweep.beat(agent)
        assert command is not None
        sweep.beat(agent, sweep.logs(command))
    assert len(sweep.run_all(first)) == 1
    assert sweep.beat(second) == {"type": "exit"}
    assert sweep.read()["runCount"] == 3


def test_a_random_search_has_no_end_and_repeats_nothing(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, "method: random\nparameters: {a: {min: 0.0, max: 1.0}, b: {value: k}}")
    agent = sweep.agent()
    drawn: list[JsonValue] = []
    for _ in range(20):
        command = sweep.beat(agent)
        assert values(command)["b"] == "k"
        drawn.append(values(command)["a"])
        assert command is not None
        sweep.beat(agent, sweep.logs(command))
    assert len({repr(value) for value in drawn}) == 20
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in drawn)


def test_a_paused_sweep_lets_runs_end_and_starts_none(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    agent = sweep.agent()
    command = sweep.beat(agent)
    assert command is not None
    run = sweep.logs(command)
    sweep.set_state("PAUSED")
    assert sweep.beat(agent, run) is None
    assert sweep.beat(agent) is None
    late = sweep.agent()
    assert sweep.beat(late) is None
    sweep.set_state("RUNNING")
    assert values(sweep.beat(agent)) == {"a": 1, "b": "z"}


def test_a_finished_sweep_lets_runs_end_and_sends_agents_away(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    agent = sweep.agent()
    command = sweep.beat(agent)
    assert command is not None
    run = sweep.logs(command)
    sweep.set_state("FINISHED")
    assert sweep.beat(agent, run) is None
    assert sweep.beat(agent) == {"type": "exit"}
    body = query(CREATE, input={"projectName": "p", "sweep": sweep.name, "host": "h"})
    assert f"sweep {sweep.name} is not running: its state is FINISHED" in body["errors"][0]["message"]


@pytest.mark.parametrize("state", ["CANCELED", "CANCELLED"])
def test_a_canceled_sweep_stops_its_runs(state: str, server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    agent = sweep.agent()
    command = sweep.beat(agent)
    assert command is not None
    run = sweep.logs(command, state="running")
    sweep.set_state(state)
    assert sweep.beat(agent, run) == {"type": "stop", "run_id": run}
    assert sweep.beat(agent) == {"type": "exit"}
    assert sweep.read()["state"] == state


def test_a_run_that_is_stopped_is_stopped_by_its_agent(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    agent = sweep.agent()
    command = sweep.beat(agent)
    assert command is not None
    run = sweep.logs(command, state="running")
    assert sweep.beat(agent, run) is None
    text = 'query R($name: String!) { project(name: "p") { run(name: $name) { id } } }'
    opaque = query(text, name=run)["data"]["project"]["run"]["id"]
    query("mutation S($id: ID!) { stopRun(input: {id: $id}) { success } }", id=opaque)
    assert sweep.beat(agent, run) == {"type": "stop", "run_id": run}
    assert sweep.beat(agent, run) == {"type": "stop", "run_id": run}, "until it is over"
    assert values(sweep.beat(agent)) == {"a": 1, "b": "z"}


def test_a_preempted_run_is_resumed_before_new_ones(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID)
    agent = sweep.agent()
    command = sweep.beat(agent)
    assert command is not None
    run = sweep.logs(command, state="preempted")
    assert sweep.beat(agent, run) is None
    assert sweep.beat(agent) == {**command, "type": "resume"}
    assert sweep.beat(agent, run) is None
    with server.store.writing() as connection:
        connection.execute("UPDATE runs SET state = 'finished' WHERE name = ?", (run,))
    assert values(sweep.beat(agent)) == {"a": 1, "b": "z"}


HYPERBAND = """method: random
metric: {name: loss, goal: minimize}
parameters: {a: {min: 0.0, max: 1.0}}
early_terminate: {type: hyperband, min_iter: 2, eta: 2%s}
"""


def losses(*each: float) -> list[dict[str, JsonValue]]:
    return [{"loss": loss} for loss in each]


def began(sweep: Sweep, agent: str, history: list[dict[str, JsonValue]]) -> str:
    command = sweep.beat(agent)
    assert command is not None
    return sweep.logs(command, state="running", history=history)


def test_hyperband_stops_the_worse_half_at_a_bracket(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, HYPERBAND % "")
    good, bad, young, diverged = (sweep.agent() for _ in range(4))
    best = began(sweep, good, losses(0.5, 0.1))
    assert sweep.beat(good, best) is None
    worst = began(sweep, bad, losses(0.4, 0.3))
    newest = began(sweep, young, losses(0.9))
    assert sweep.beat(young, newest) is None, "it has not reached a bracket"
    assert sweep.beat(bad, worst) == {"type": "stop", "run_id": worst}
    lost = began(sweep, diverged, losses(float("nan"), float("nan")))
    assert sweep.beat(diverged, lost) == {"type": "stop", "run_id": lost}
    assert sweep.beat(good, best) is None


@pytest.mark.parametrize("strict", [False, True])
def test_strict_hyperband_judges_again_by_what_came_later(
    strict: bool, server: RunningServer, query: Query
) -> None:
    sweep = Sweep(server, query, HYPERBAND % (", strict: true" if strict else ""))
    first, second = sweep.agent(), sweep.agent()
    early = began(sweep, first, losses(0.5, 0.5))
    assert sweep.beat(first, early) is None
    late = began(sweep, second, losses(0.1, 0.1))
    assert sweep.beat(second, late) is None
    assert (sweep.beat(first, early) is not None) is strict


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"projectName": "p", "sweep": "absent", "host": "h"}, "sweep local/p/absent not found"),
        ({"projectName": "absent", "sweep": "s", "host": "h"}, "sweep local/absent/s not found"),
        ({"sweep": "s", "host": "h"}, "sweep local/uncategorized/s not found"),
    ],
)
def test_an_agent_of_nothing_is_refused(given: dict[str, str], message: str, query: Query) -> None:
    assert message in query(CREATE, input=given)["errors"][0]["message"]


def test_a_sweep_with_a_local_controller_is_refused(server: RunningServer, query: Query) -> None:
    sweep = Sweep(server, query, GRID + "\ncontroller: {type: local}")
    body = query(CREATE, input={"projectName": "p", "sweep": sweep.name, "host": "h"})
    assert "local controller" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"id": "bogus"}, "not the id of a Agent"),
        ({"id": "QWdlbnQ6OTk="}, "agent not found"),
        ({"id": "QWdlbnQ6OTk=", "runState": "["}, "runState"),
    ],
)
def test_a_heartbeat_of_nobody_is_refused(given: dict[str, str], message: str, query: Query) -> None:
    assert message in query(BEAT, input=given)["errors"][0]["message"]
