"""The page about own queries is true: its table, query and code make a project that generates, passes both checkers and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

PAGE = (Path(__file__).parents[2] / "docs" / "own-queries.md").read_text("utf-8")
PYRIGHT = '{"include": ["main.py", "promotion"], "typeCheckingMode": "strict"}'

pytestmark = [pytest.mark.nightly, pytest.mark.long]


def block(language: str) -> str:
    """The only block of a language."""
    found: str
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as the page describes it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(block("toml"))
    (folder / "queries").mkdir()
    (folder / "queries" / "gate.graphql").write_text(block("graphql"))
    (folder / "promotion").mkdir()
    (folder / "promotion" / "__init__.py").touch()
    (folder / "main.py").write_text(block("python"))
    (folder / "pyrightconfig.json").write_text(PYRIGHT)
    python(folder, "-m", "runql_codegen.main")
    return folder


def python(folder: Path, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "check",
    [
        ("-m", "runql_codegen.main", "--check"),
        ("-m", "mypy", "--strict", "main.py", "promotion"),
        ("-m", "pyright", "--pythonpath", sys.executable),
    ],
    ids=["codegen", "mypy", "pyright"],
)
def test_it_is_current_and_typed(project: Path, check: tuple[str, ...]) -> None:
    python(project, *check)


def test_its_code_runs(project: Path) -> None:
    with RunningServer() as server:
        server.seed("vision", [SeedRun(host="gpu-1") for _ in range(3)])
        code = block("python").replace('"team"', f'"{server.entity}"')
        environ = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.api_key}
        said = python(project, "-W", "error", "-c", code, **environ).splitlines()
        assert said[0] == "3 runs on the first page"
        assert len(said) == 4
        assert all("gpu-1" in line for line in said[1:])
        assert [request.operation for request in server.requests] == ["GateRuns", "GateRuns"]


def test_its_settings_are_the_presets(project: Path) -> None:
    before = (project / "promotion" / "wandb" / "operations.py").read_bytes()
    uncommented = block("toml").replace("# scalars", "scalars")
    assert uncommented != block("toml")
    (project / "changed.toml").write_text(uncommented)
    python(project, "-m", "runql_codegen.main", "--config", "changed.toml")
    assert (project / "promotion" / "wandb" / "operations.py").read_bytes() == before
    python(project, "-m", "runql_codegen.main")


def test_it_has_one_screen() -> None:
    assert len(PAGE.splitlines()) <= 75
