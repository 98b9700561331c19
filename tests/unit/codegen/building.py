"""Building packages with the plugin, in folders laid out like the repository and by the repository's own settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from runql_codegen.__main__ import rebuild

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "golden"
RUNTIME = Path("src/runql_codegen/operation.py")


def lay_out(folder: Path, *, schema: Path, queries: Path) -> Path:
    """Make a repository of nothing but what a rebuild reads: settings, one SDL, the queries."""
    for source, target in (
        (ROOT / "pyproject.toml", folder / "pyproject.toml"),
        (schema, folder / "schema" / "wandb.graphql"),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if queries.is_dir():
        shutil.copytree(queries, folder / "queries")
    else:
        (folder / "queries").mkdir()
        shutil.copyfile(queries, folder / "queries" / queries.name)
    (folder / "generated").mkdir()
    return folder


def build(folder: Path) -> Path:
    """Rebuild in this process; gives the package's folder."""
    with chdir(folder):
        return rebuild(Path("pyproject.toml"))


def build_apart(folder: Path, *, hash_seed: int) -> Path:
    """Rebuild as `make generate` does, in a process that orders its sets by ``hash_seed``."""
    done = subprocess.run(
        [sys.executable, "-m", "runql_codegen"],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "generated" / "runql_graphql"


def contents(package: Path) -> dict[str, bytes]:
    """Every file of a package by its path inside it, without what Python leaves there."""
    return {
        path.relative_to(package).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
