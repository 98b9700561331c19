"""The workflow of CI: which platforms it covers, and that what it runs is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from tests.installs.here import LOCK, PORTABLE, main

ROOT: Final = Path(__file__).parents[2]
PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def jobs(workflow: str = "ci") -> dict[str, Any]:  # Any: YAML has no types
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text("utf-8")
    found: dict[str, Any] = import_module("yaml").safe_load(text)["jobs"]
    return found


def platforms() -> set[tuple[str, str]]:
    """The systems and Pythons of both jobs."""
    whole, here = jobs()["all"], jobs()["here"]
    [python] = [step["with"]["python-version"] for step in whole["steps"] if "setup-python" in str(step)]
    matrix = here["strategy"]["matrix"]["include"]
    return {(whole["runs-on"], python), *((each["system"], each["python"]) for each in matrix)}


def test_every_python_runs_on_linux_and_the_outer_ones_elsewhere() -> None:
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    on = {system: {python for name, python in platforms() if name == system} for system, _ in platforms()}
    assert set(on) == {"ubuntu-latest", "windows-latest", "macos-latest"}
    assert set(classified) <= on["ubuntu-latest"]
    newest = max(on["ubuntu-latest"], key=lambda version: int(version.partition(".")[2]))
    oldest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    for system in ("windows-latest", "macos-latest"):
        assert on[system] == {oldest, newest}


def test_every_version_is_a_string() -> None:
    """YAML reads an unquoted 3.10 as 3.1."""
    assert all(isinstance(python, str) for _, python in platforms())


@pytest.mark.parametrize(("workflow", "job"), [("ci", "all"), ("ci", "here"), ("nightly", "all")])
def test_what_a_job_runs_is_there(workflow: str, job: str) -> None:
    commands = [step["run"] for step in jobs(workflow)[job]["steps"] if "run" in step]
    assert len(commands) == 1
    for command in commands:
        program, *arguments = command.split()
        if program == "bash":
            assert (ROOT / arguments[0]).is_file()
        else:
            assert (program, arguments[0]) == ("python", "-m")
            assert (ROOT / arguments[1].replace(".", "/")).with_suffix(".py").is_file()


def test_expressions_name_what_the_matrix_has() -> None:
    here = jobs()["here"]
    named = set(re.findall(r"\$\{\{ matrix\.(\w+) \}\}", str(here)))
    assert all(named == set(each) for each in here["strategy"]["matrix"]["include"])
    assert str(here).count("${{") == len(re.findall(r"\$\{\{ matrix\.\w+ \}\}", str(here)))


def test_the_job_of_each_platform_starts_with_the_standard_library_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-E", "-S", "-m", "tests.installs.here", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--keep FOLDER" in done.stdout


def test_the_portable_tests_are_there() -> None:
    assert [each for each in PORTABLE if not (ROOT / each).exists()] == []
    assert len(set(PORTABLE)) == len(PORTABLE)
    assert LOCK.is_file()


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        main(["--keep", str(tmp_path)])


def test_every_system_checks_out_the_same_bytes() -> None:
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()
