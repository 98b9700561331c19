"""What a process loads and sends until its first answer is there: what that answer needs, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.test_imports import NOT_LOADED

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

# Beside the answer's own model and the fragments in it.
EVERY_ANSWER = {"base_model", "fragments", "operation", "operations"}
RUN_FRAGMENTS = {f"fragments.{name}" for name in ("full_run_fields", "run_fields", "run_user_fields")}

# Parts of `runql.resources` that neither a run nor a list of runs needs before somebody asks for them.
OTHER_RESOURCES = {
    *("artifacts.artifact", "artifacts.artifacts", "artifacts.download", "artifacts.lookup"),
    *("artifacts.manifest", "artifacts.mutations"),
    *("files.files", "files.listing", "files.record", "runs.metadata"),
    *("capabilities", "project", "sweeps.sweeps", "user"),
    *("history.plan", "history.sampled", "history.scan", "history.window", "runs.histories.sampled"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", config={"lr": 0.1}, summary={"loss": 0.5})])
        yield server


def modules_after(server: RunningServer, statement: str, folder: Path) -> set[str]:
    """The modules that a fresh process has loaded once the statement has run; the server knows what it sent."""
    server.clear()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ENTITY": server.entity,
        "HOME": str(folder),
    }
    code = f"import json, sys, runql; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def below(package: str, modules: set[str]) -> set[str]:
    """The modules of a package, without its name before theirs."""
    return {name.removeprefix(f"{package}.") for name in modules if name.startswith(f"{package}.")}


@pytest.mark.parametrize(
    ("statement", "operation", "answer", "fragments"),
    [
        ("assert runql.Api().run('p/one').id == 'one'", "GetRun", "get_run", set[str]()),
        (
            "assert [run.id for run in runql.Api().runs('p')] == ['one']",
            "ListFullRuns",
            "list_full_runs",
            {"fragments.page_fields"},
        ),
    ],
    ids=["a run", "a list of runs"],
)
def test_the_first_answer_loads_and_sends_what_it_needs(
    server: RunningServer, tmp_path: Path, statement: str, operation: str, answer: str, fragments: set[str]
) -> None:
    loaded = modules_after(server, statement, tmp_path)
    assert [request.operation for request in server.requests] == [operation]
    models = below("runql_graphql", loaded)
    assert answer in models
    assert models - EVERY_ANSWER - RUN_FRAGMENTS - {answer} <= fragments
    assert below("runql.resources", loaded) & OTHER_RESOURCES == set()
    assert below("runql.frames", loaded) == set()
    assert {name.split(".")[0] for name in loaded} & NOT_LOADED == set()
    assert {"anyio.to_thread", "configparser", "netrc", "runql.transport.aio"} & loaded == set()
    # Plugins of pydantic are searched in the metadata of all installed packages, and no response needs one.
    assert {"importlib.metadata", "pydantic.plugin._loader"} & loaded == set()


def test_importing_runql_loads_no_models_and_no_http(server: RunningServer, tmp_path: Path) -> None:
    loaded = modules_after(server, "pass", tmp_path)
    assert below("runql_graphql", loaded) == set()
    assert {"httpx", "pydantic"} & loaded == set()
    assert server.requests == []


def test_what_is_loaded_too_early_would_be_seen(server: RunningServer, tmp_path: Path) -> None:
    loaded = modules_after(server, "runql.Artifact; runql.Api().viewer", tmp_path)
    assert below("runql.resources", loaded) >= {"artifacts.artifact", "user"}
    assert "get_viewer" in below("runql_graphql", loaded)
    assert [request.operation for request in server.requests] == ["GetViewer"]
