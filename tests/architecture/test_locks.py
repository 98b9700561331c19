"""What `make setup` installs: the versions of constraints.txt, each file by its hash, from wherever pip is set to look."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = sorted((ROOT / ".ci" / "requirements").glob("*.txt"))
FLOORS: Final = ROOT / ".ci" / "requirements" / "floors.txt"
MLFLOW: Final = ROOT / ".ci" / "requirements" / "mlflow.txt"
"""What mlflow needs, in an environment of its own: other versions than constraints.txt has."""
PROJECT: Final = ROOT / ".ci" / "requirements" / "project.txt"
ENTRY: Final = re.compile(
    r"([A-Za-z0-9._-]+)==([^\s;\\]+)((?: ; [^\\\n]+)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def pins(path: Path) -> dict[str, str]:
    """The version of each package, by its normalized name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text("utf-8"), re.MULTILINE)
    return {normalized(name): version for name, version in found}


ALONE = {"codegen", "dask", "ray"}
"""Extras that `all` leaves out: what they bring is large, or sets ceilings of its own."""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def stated() -> set[str]:
    """The packages that pyproject.toml asks for, for itself, with all extras, and for development."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, groups = config["project"], config["dependency-groups"]
    extras = [
        each
        for name, extra in project["optional-dependencies"].items()
        if name not in ALONE
        for each in extra
    ]
    asked = [
        *project["dependencies"],
        *extras,
        *groups["dev"],
        *groups["build"],
        *config["build-system"]["requires"],
    ]
    names = {normalized(re.split(r"[\[<>=~! ]", each)[0]) for each in asked}
    return names - {"runql"}


def test_there_is_a_lock_for_each_environment() -> None:
    assert [lock.name for lock in LOCKS] == [
        "docs.txt",
        "floors.txt",
        "jupyter.txt",
        "mlflow.txt",
        "project.txt",
        "server.txt",
        "wandb-0.21.4.txt",
        "wandb-0.31.0.txt",
    ]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for version in re.findall(r"^WANDB_\w+ := (\S+)$", makefile, re.MULTILINE):
        assert pins(ROOT / ".ci" / "requirements" / f"wandb-{version}.txt")["wandb"] == version
    assert re.findall(r"^MLFLOW := (\S+)$", makefile, re.MULTILINE) == [pins(MLFLOW)["mlflow"]]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_is_a_version_with_hashes_and_names_no_place(lock: Path) -> None:
    assert ENTRY.sub("", lock.read_text("utf-8")) == ""


@pytest.mark.parametrize(
    "lock", [lock for lock in LOCKS if lock not in {FLOORS, MLFLOW}], ids=lambda lock: lock.stem
)
def test_constraints_and_locks_agree(lock: Path) -> None:
    constraints = pins(ROOT / "constraints.txt")
    differing = {
        name: version for name, version in pins(lock).items() if constraints.get(name, version) != version
    }
    assert differing == {}, "run `make lock`"


def test_the_floors_are_the_minima_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [
        *project["dependencies"],
        *(
            each
            for name, extra in project["optional-dependencies"].items()
            if name not in ALONE
            for each in extra
        ),
    ]
    minima = {
        normalized(found[1]): found[2] for each in asked if (found := re.match(r"([\w.-]+)>=([\d.]+)", each))
    }
    locked = pins(FLOORS)
    assert len(minima) > 15
    below = {
        name: (minimum, locked.get(name))
        for name, minimum in minima.items()
        if not re.fullmatch(re.escape(minimum) + r"(\.0)*", locked.get(name, ""))
    }
    assert below == {}, "run `make lock`"


def test_the_project_is_locked_as_a_whole() -> None:
    constraints, locked = pins(ROOT / "constraints.txt"), pins(PROJECT)
    assert stated() - set(locked) == set(), "run `make lock`"
    assert {name for name in locked if name not in constraints} == set(), "add these to constraints.txt"


@pytest.mark.parametrize("group", ["docs", "jupyter"])
def test_what_has_an_environment_of_its_own_is_locked(group: str) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    named = {normalized(re.split(r"[<>=~! ]", each)[0]) for each in groups[group]}
    locked = pins(ROOT / ".ci" / "requirements" / f"{group}.txt")
    assert named <= set(locked), "run `make lock`"
    assert set(locked) <= set(pins(ROOT / "constraints.txt")), "add these to constraints.txt"


def test_setup_and_ci_install_nothing_without_a_hash() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    setup = makefile[makefile.index(".venv/.ready:") : makefile.index("\nlock:")]
    installs = re.findall(r"(\$\((?:PIP|LOCKED)\)[^\n]*)", setup)
    assert installs == [
        "$(LOCKED) .ci/requirements/project.txt",
        "$(PIP) --no-deps --no-build-isolation --editable .",
        "$(LOCKED) .ci/requirements/wandb-$*.txt",
    ]
    documents = makefile[makefile.index(".venv-docs/.ready:") : makefile.index("\ntest:")]
    assert re.findall(r"(\$\((?:PIP|LOCKED)\)[^\n]*)", documents) == [
        "$(LOCKED) .ci/requirements/docs.txt",
        "$(LOCKED) .ci/requirements/jupyter.txt",
    ]
    assert "LOCKED := $(PIP) --require-hashes --requirement" in makefile
    assert "pip install" not in (ROOT / ".ci" / "run").read_text("utf-8")
