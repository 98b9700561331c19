"""Modules say what lives in them, are short, and have names that say something."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 600
SAYS_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "common",
    "misc",
    "shared",
    "stuff",
}

# What the generator writes is no module of ours.
GENERATED = ("tests/golden/", "tests/typing/app/promotion/wandb/")

# One draws the tree of errors below the line, the other explains how flows and drivers work together.
LONGER = {"src/runql/errors.py", "src/runql/transport/flow.py"}
# One class, one job: the members of runs and of their lists, with overloads and docstrings.
LONG = {
    "src/runql/errors.py",
    *(f"src/runql/resources/{name}.py" for name in ("api", "runs/run", "runs/runs")),
}
LONGEST_CLASS = 800


def modules(*folders: str) -> list[str]:
    """The modules below these folders, by path from the root."""
    found = (
        path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")
    )
    return sorted(path for path in found if not path.startswith(GENERATED))


@cache
def docstring(module: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / module).read_text("utf-8"))) or ""


def test_there_are_modules_to_look_at() -> None:
    assert len(modules("src")) > 40
    assert len(modules("generated")) > 10
    assert "tests/architecture/test_modules.py" in modules("tests")


@pytest.mark.parametrize("folder", ["src", "generated", "tests"])
def test_every_module_says_what_lives_there(folder: str) -> None:
    assert [module for module in modules(folder) if not docstring(module)] == []


def test_the_modules_of_src_say_it_in_one_line() -> None:
    longer = {module for module in modules("src") if "\n" in docstring(module)}
    assert longer == LONGER
    assert all(docstring(module).splitlines()[1] == "" for module in LONGER)


def test_the_line_is_a_sentence() -> None:
    unfinished = [module for module in modules("src") if docstring(module).splitlines()[0][-1] not in ".:"]
    assert unfinished == []


def test_no_module_is_long() -> None:
    lengths = {
        module: len((ROOT / module).read_text("utf-8").splitlines()) for module in modules("src", "tests")
    }
    assert {
        module: length
        for module, length in lengths.items()
        if length > (LONGEST_CLASS if module in LONG else LONGEST)
    } == {}


def test_names_say_something() -> None:
    parts = {module: set(Path(module).with_suffix("").parts) for module in modules("src", "tests")}
    assert [module for module, names in parts.items() if names & SAYS_NOTHING] == []


def test_imports_are_absolute() -> None:
    relative = [
        module
        for module in modules("src", "tests")
        for source in [(ROOT / module).read_text("utf-8")]
        if "from ." in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
