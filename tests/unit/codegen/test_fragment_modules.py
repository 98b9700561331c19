"""Fragments in modules of their own: each is made when it is asked for, and what cannot be split is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runql_codegen.fragment_modules import split_fragments

PRINT_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def modules_after(built: Path, statement: str) -> set[str]:
    """The modules of the built package that a fresh process has loaded after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {PRINT_MODULES}"],
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return {name.partition(".")[2] for name in found if name.startswith("nested_fragments.")}


def test_a_fragment_is_made_with_those_that_it_spreads(built: Path) -> None:
    loaded = modules_after(built, "from nested_fragments.fragments import RunFields")
    assert {name for name in loaded if name.startswith("fragments.")} == {
        "fragments.run_fields",
        "fragments.user_fields",
    }


def test_operations_make_no_models_until_they_are_called(built: Path) -> None:
    statement = "from nested_fragments.operations import get_project"
    assert modules_after(built, statement) <= {"base_model", "operation", "operations"}
    called = modules_after(built, f"{statement}; get_project(name='p', first=1)")
    assert called >= {"get_project", "fragments.project_fields"}


def test_an_unknown_fragment_is_no_attribute(built: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from nested_fragments.fragments import NoFields"],
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ImportError: cannot import name 'NoFields'" in done.stderr


def test_a_fragment_that_is_extended_inside_of_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fragments.py").write_text(
        "from .base_model import BaseModel\n"
        "class AFields(BaseModel):\n    id: str\n"
        "class BFields(BaseModel):\n    a: 'BFieldsA'\n"
        "class BFieldsA(AFields):\n    more: str\n"
    )
    with pytest.raises(TypeError, match="BFieldsA adds to AFields"):
        split_fragments(tmp_path, {"AFields", "BFields"}, "queries")
