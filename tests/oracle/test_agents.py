"""Both official SDKs' sweep agents, unchanged, against the embedded server: for functions and for programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.oracle.sdk import NEWEST_IF_QUICK, call, interpreter, settings
from tests.patience import PATIENCE, until

from runql import Api
from runql_server.running import RunningServer

# They wait for agents most of the time.
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.long,
    pytest.mark.oracle,
    pytest.mark.parametrize("variable", NEWEST_IF_QUICK),
]
GRID: dict[str, Any] = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {
        "lr": {"values": [0.1, 0.2]},
        "name": {"value": "x"},
        "opt": {"parameters": {"m": {"values": [1]}}},
    },
}
RANDOM: dict[str, Any] = {
    "method": "random",
    "run_cap": 2,
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.1}},
}


class CommandLine:
    """The `wandb` command of one SDK, in a folder with the program that a sweep runs."""

    def __init__(self, python: str, server: RunningServer, folder: Path) -> None:
        self._python = python
        self._folder = folder
        self._environment = {
            **settings(server, folder),
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
            "WANDB_ENTITY": server.entity,
            "WANDB_PROJECT": "swept",
        }
        program = Path(__file__).with_name("agent_program.py")
        (folder / "train.py").write_text(program.read_text())

    def __call__(self, *arguments: str) -> str:
        """Run it to its end and give what it printed."""
        done = subprocess.run(
            [self._python, "-m", "wandb", *arguments],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def running(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """Run it beside the test."""
        with (
            (self._folder / "agent.log").open("w") as log,
            subprocess.Popen(
                [self._python, "-m", "wandb", *arguments],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def sweep(self, **config: Any) -> str:
        """Make a sweep of a YAML file (JSON is YAML) and give its id."""
        (self._folder / "sweep.yaml").write_text(json.dumps(config))
        found = re.search(r"ID: (?:\x1b\[\d+m)?(\w{8})", self("sweep", "sweep.yaml"))
        assert found
        return found[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def api(server: RunningServer) -> Iterator[Api]:
    with Api(base_url=server.url, api_key=server.api_key) as opened:
        yield opened


@pytest.fixture
def wandb(variable: str, server: RunningServer, tmp_path: Path) -> CommandLine:
    return CommandLine(interpreter(variable), server, tmp_path)


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    def has_happened() -> bool:
        assert process.poll() is None, "the agent is gone"
        return what()

    until(has_happened)


@pytest.mark.parametrize("config", [GRID, RANDOM], ids=["grid", "random"])
def test_a_function_is_run_for_each_point(
    variable: str, config: dict[str, Any], server: RunningServer, api: Api, tmp_path: Path
) -> None:
    note = tmp_path / "note.json"
    python = interpreter(variable)
    call(python, "agent_function.py", json.dumps(config), str(note), server=server, folder=tmp_path)
    noted = json.loads(note.read_text())
    sweep = api.sweep(f"swept/{noted['sweep']}")
    assert (sweep.state, sweep.expected_run_count) == ("FINISHED", 2)
    found = list(sweep.runs)
    assert [run.id for run in found] == [run["id"] for run in noted["runs"]]
    assert [run.config for run in found] == [run["config"] for run in noted["runs"]]
    assert {run["sweep"] for run in noted["runs"]} == {sweep.id}
    rates = [run["config"]["lr"] for run in noted["runs"]]
    if config is GRID:
        assert [run.config for run in found] == [
            {"lr": lr, "name": "x", "opt": {"m": 1}} for lr in (0.1, 0.2)
        ]
    else:
        assert len(set(rates)) == 2
        assert all(0.001 <= rate <= 0.1 for rate in rates)
    assert sweep.best_loss == min(rates) * 2
    assert {run.state for run in found} == {"finished"}


def test_a_command_is_run_and_the_worse_run_is_stopped(wandb: CommandLine, api: Api) -> None:
    """A `command` of one's own, and hyperband: the agent ends the run with the greater loss, which would go on."""
    sweep_id = wandb.sweep(
        method="grid",
        program="train.py",
        command=["${env}", "${interpreter}", "${program}", "${args}"],
        metric={"name": "loss", "goal": "minimize"},
        early_terminate={"type": "hyperband", "min_iter": 3, "eta": 2},
        parameters={"loss": {"values": [0.5, 0.9]}},
    )
    wandb("agent", "--count", "1", sweep_id)
    sweep = api.sweep(f"swept/{sweep_id}")
    assert (sweep.state, [run.config["loss"] for run in sweep.runs]) == ("RUNNING", [0.5])
    wandb("agent", sweep_id)
    sweep = api.sweep(f"swept/{sweep_id}")
    assert sweep.state == "FINISHED"
    good, bad = sweep.runs
    assert (good.config["loss"], good.state) == (0.5, "finished")
    assert bad.config["loss"] == 0.9
    assert bad.history_line_count == 3
    assert bad.state != "finished", "it would have waited for longer than the test may take"


def test_a_sweep_is_paused_resumed_and_canceled(wandb: CommandLine, api: Api) -> None:
    sweep_id = wandb.sweep(
        method="random",
        program="train.py",
        command=["python", "${program}", "${args}"],
        parameters={"loss": {"min": 0.9, "max": 1.0}},
    )

    def state() -> str:
        return api.sweep(f"swept/{sweep_id}").state

    def states() -> list[str]:
        return [str(run.state) for run in api.sweep(f"swept/{sweep_id}").runs]

    with wandb.running("agent", sweep_id) as agent:
        wait_for(lambda: states() == ["running"], agent)
        wandb("sweep", "--pause", sweep_id)
        assert state() == "PAUSED"
        wandb("sweep", "--resume", sweep_id)
        assert state() == "RUNNING"
        wandb("sweep", "--cancel", sweep_id)
        assert state() == "CANCELED"
        agent.wait(PATIENCE)
    assert agent.returncode == 0
    assert len(states()) == 1
    wandb("sweep", "--resume", sweep_id)
    wandb("sweep", "--stop", sweep_id)
    assert state() == "FINISHED"
    assert "is not running: its state is FINISHED" in failed(wandb, "agent", sweep_id)


def failed(wandb: CommandLine, *arguments: str) -> str:
    with pytest.raises(AssertionError) as caught:
        wandb(*arguments)
    return str(caught.value)
