"""What the plugin makes of small schemas, file for file; `RUNQL_UPDATE_GOLDEN=1` writes the expectations anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.codegen.building import CASES, ROOT, RUNTIME, contents

NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())

# The same in every package; `test_every_package_carries_the_same_runtime` looks at them.
SHARED = {"__init__.py", "base_model.py", "operation.py", "py.typed", "wandb.graphql"}


@pytest.mark.parametrize("name", NAMES)
def test_the_package_is_the_expected_one(name: str, built: Path) -> None:
    expected = CASES / name / "expected"
    made = {file: text for file, text in contents(built / name).items() if file not in SHARED}
    if os.environ.get("RUNQL_UPDATE_GOLDEN"):
        shutil.rmtree(expected, ignore_errors=True)
        expected.mkdir()
        for file, text in made.items():
            (expected / file).parent.mkdir(exist_ok=True)
            (expected / file).write_bytes(text)
    wanted = contents(expected)
    assert sorted(made) == sorted(wanted)
    for file in wanted:
        assert made[file].decode() == wanted[file].decode(), file


@pytest.mark.parametrize("name", NAMES)
def test_every_package_carries_the_same_runtime(name: str, built: Path) -> None:
    made = contents(built / name)
    assert set(made) >= SHARED
    assert made["wandb.graphql"] == (CASES / name / "schema.graphql").read_bytes()
    assert made["operation.py"].endswith((ROOT / RUNTIME).read_bytes())
    assert made["py.typed"] == b""
    repository = contents(ROOT / "generated" / "runql_graphql")
    for file in ("__init__.py", "base_model.py", "operation.py"):
        assert made[file] == repository[file], file


def test_all_packages_pass_mypy_strict(built: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull),
            *("--cache-dir", str(ROOT / ".mypy_cache" / "golden"), *NAMES),
        ],
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    modules = sum(1 for _ in built.rglob("*.py"))
    assert f"no issues found in {modules} source files" in done.stdout
