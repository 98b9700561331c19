"""Who imports whom, and what `import runql` leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import runql

ROOT = Path(__file__).parents[2]

# Loaded when they are asked for, or never. `rich` is not here: httpx loads it for its own command where it is installed.
NOT_LOADED = {
    *("pandas", "polars", "numpy", "pyarrow"),
    *("graphql", "ariadne", "starlette", "uvicorn", "sqlite3"),
    *("typer", "pytest", "yaml", "opentelemetry"),
    *("runql_server", "runql_codegen"),
}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def modules_after(statement: str) -> set[str]:
    """The packages that are loaded once a statement has run in a fresh interpreter."""
    done = python("-c", f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout)}


def test_the_import_contracts_hold() -> None:
    done = python(
        "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache', '--no-logo'])"
    )
    assert done.returncode == 0, done.stdout
    assert ", 0 broken" in done.stdout


def test_every_module_of_the_client_has_its_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = next(each["layers"] for each in settings["contracts"] if each["type"] == "layers")
    placed = {name.strip().removeprefix("runql.") for layer in layers for name in layer.split("|")}
    folder = Path(runql.__file__).parent
    own = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert own - {"__init__", "__main__", "version"} <= placed


def test_importing_runql_loads_none_of_the_optional_libraries() -> None:
    loaded = modules_after("from runql import *")
    assert {"httpx", "pydantic", "runql_graphql"} <= loaded
    assert loaded & NOT_LOADED == set()


def test_an_optional_library_would_be_seen() -> None:
    assert "polars" in modules_after("import runql, polars")


def test_the_server_loads_without_the_client() -> None:
    assert "runql" not in modules_after("import runql_server.app")
