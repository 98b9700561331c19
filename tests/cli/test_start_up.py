"""What the command loads before it does anything: for its version, its help and the shell's completion nothing that talks HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from tests.architecture.test_imports import NOT_LOADED, ROOT
from tests.cli.invoking import environment
from tests.patience import PATIENCE

OWN = {"runql", "typer", "rich", "shellingham", "annotated_doc", "pydantic_core", "typing_extensions"}
"""All that `runql --version` loads; typer brings rich, shellingham and annotated_doc."""

HEAVY = (NOT_LOADED - {"typer"}) | {
    "httpx",
    "httpcore",
    "anyio",
    "trio",
    "runql_graphql",
    "plotly",
    "matplotlib",
}
WORKING = {
    "runql.config",
    "runql.drift",
    "runql.resources.api",
    "runql.resources.runs.run",
    "runql.transport.flow",
}
"""Modules of runql that a command loads when it begins to work."""

PROGRAM = """
import atexit, json, sys
sys.argv[0] = "runql"
before = set(sys.modules)
atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr))
from runql.cli.main import main
main()
"""


def loaded(*arguments: str, env: Mapping[str, str] | None = None) -> set[str]:
    """The modules that a process of the command has loaded in the end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment(None, env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(found)


def packages(modules: set[str]) -> set[str]:
    """Their packages, without Python's own."""
    heads = {name.partition(".")[0] for name in modules}
    return {name for name in heads - sys.stdlib_module_names if not name.startswith("_")}


def test_the_version_loads_typer_and_no_more() -> None:
    modules = loaded("--version")
    assert packages(modules) <= OWN
    assert modules & WORKING == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["ls", "--help"],
        ["history", "--help"],
        ["plot", "--help"],
        ["drift", "responses", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_no_library_that_works(arguments: list[str]) -> None:
    modules = loaded(*arguments)
    assert packages(modules) & HEAVY == set()
    assert modules & WORKING == set()


def test_the_shells_completion_loads_no_library_that_works() -> None:
    asked = {"_RUNQL_COMPLETE": "complete_bash", "COMP_WORDS": "runql l", "COMP_CWORD": "1"}
    modules = loaded(env=asked)
    assert packages(modules) & HEAVY == set()
    assert modules & WORKING == set()


def test_what_is_loaded_too_early_would_be_seen() -> None:
    modules = loaded("drift", "--schema", str(ROOT / "schema" / "wandb.graphql"))
    assert packages(modules) >= {"graphql", "httpx"}
    assert modules >= {"runql.config", "runql.drift"}
