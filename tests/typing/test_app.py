"""The example application: its package is current, both checkers pass it, and its tests pass, from its own folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.typing.checking import Remark, mypy, pyright

pytestmark = pytest.mark.nightly

APP = Path(__file__).with_name("app")
CHECKS: dict[str, tuple[str, ...]] = {
    "codegen": ("-m", "runql_codegen.main", "--check"),
    "mypy": ("-m", "mypy"),
    "pyright": ("-m", "pyright", "--pythonpath", sys.executable),
    "pytest": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
}
VAGUE = ("Any", "cast(", "assert ", "isinstance(", "ignore")


MISTAKES = """\
from promotion.wandb.operations import gate_runs, tag_run
from runql import Api, Operation

def wrong(api: Api, number: Operation[int]) -> None:
    operation = gate_runs(entity="team", project="vision")
    api.client.execute("query { viewer { id } }")
    api.client.execute(gate_runs)
    api.client.execute(number)
    print(api.client.execute(operation).projects)
    print(api.client.execute(operation).project.runs)
    gate_runs("team", "vision")
    gate_runs(entity="team")
    gate_runs(entity="team", project=3)
    tag_run(id="x", tags="best")
    api.client.pages(operation)
    api.client.pages(operation, connection="project.runs")
    api.client.pages(operation, connection=lambda data: data.project)
    for run in api.client.pages(operation, connection=lambda data: data.project.runs if data.project else None):
        print(run.nmae)
        print(run.tags[0])
    for run in api.client.pages(operation, connection=lambda data: data.project.runs): ...
"""
FIRST_MISTAKE = 6

VALUE_MISTAKES = """\
from datetime import datetime
from promotion.best import Candidate, LossRow, Scores, Train
from runql import Api, Run, Runs
from runql.filters import config, created_at, state, summary, tags

def send(count: int) -> None: ...

def wrong(api: Api, runs: Runs, run: Run, best: Candidate, baseline: float) -> None:
    print(best.config.learning_rate)
    best.config.lr.upper()
    print(best.config.optimizer.batchsize)
    print(best.summary.acc > "0.9")
    print(best.summary.loss + 1)
    print(best.summary["acc"])
    print(best.name)
    print(best.run.update_config)
    send(best.summary.acc)
    run.config_as(Train).lr.real.upper()
    print(run.summary_as(Scores).accuracy)
    run.config_as("Train")
    runs.typed(configs=Train)
    runs.typed(config=Train, on_invalid="ignore")
    for each in runs.typed(config=Train): print(each.summary.acc)
    for row in run.scan_history(row=LossRow): print(row["loss"])
    for row in run.scan_history(row=LossRow): send(row.loss)
    run.scan_history(keys=["train/loss"], row=LossRow)
    print(run.config["lr"] < 1e-3)
    print(run.summary["acc"] > baseline)
    print(config("lr", float) < "0.1")
    config("lr", float).eq("0.1")
    summary("acc", float).between(0, "1")
    config("lr", complex)
    print(created_at > "2026-01-01")
    state.eq("finishd")
    state.is_in("finished", "dead")
    tags.contains(7)
    config("lr", float).matches("1.*")
    api.runs("team/vision", order=summary("acc", float))
    api.runs("team/vision", state)
    api.runs("team/vision", limit="10")
    print(api.runs("team/vision").first().name)
    api.runs("team/vision", missing="newest")
    print(run.created_time > "2026-01-01")
    print(run.created_at > datetime.now())
    runs.to_polars(columns={"id": 1})
    api.with_options(timeout="3")
"""
FIRST_VALUE_MISTAKE = 9


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside of the repository, so that no configuration of ours applies."""
    folder = tmp_path_factory.mktemp("user") / "app"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS)
def test_the_application_passes(app: Path, check: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *CHECKS[check]], cwd=app, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_mistakes_are_found_at_their_lines(tmp_path: Path, checker: Callable[[Path], list[Remark]]) -> None:
    shutil.copytree(APP / "promotion", tmp_path / "promotion")
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    found = {each.line for each in checker(tmp_path) if each.is_error and each.file == "mistakes.py"}
    wrong = {
        number
        for number, line in enumerate(MISTAKES.splitlines(), 1)
        if number >= FIRST_MISTAKE and "if data.project else" not in line
    }
    assert found == wrong


@pytest.mark.long
@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_mistakes_in_values_are_found_at_their_lines(
    tmp_path: Path, checker: Callable[[Path], list[Remark]]
) -> None:
    shutil.copytree(APP / "promotion", tmp_path / "promotion")
    (tmp_path / "mistakes.py").write_text(VALUE_MISTAKES)
    found = {each.line for each in checker(tmp_path) if each.is_error and each.file == "mistakes.py"}
    lines = VALUE_MISTAKES.splitlines()
    assert [lines[line - 1] for line in range(FIRST_VALUE_MISTAKE, len(lines) + 1) if line not in found] == []
    assert min(found) == FIRST_VALUE_MISTAKE


def test_the_application_needs_no_way_around_its_types() -> None:
    modules = [*(APP / "promotion").glob("*.py")]
    assert len(modules) > 1
    found = {(path.name, word) for path in modules for word in VAGUE if word in path.read_text("utf-8")}
    assert found == set()


def test_the_generated_package_imports_what_runql_has() -> None:
    package = APP / "promotion" / "wandb"
    assert "from runql import UNSET, Operation, UnsetType\n" in (package / "operations.py").read_text("utf-8")
    code = "\n".join(path.read_text("utf-8") for path in package.glob("*.py"))
    assert "class Operation" not in code
    assert "class UnsetType" not in code
    assert "UNSET =" not in code
