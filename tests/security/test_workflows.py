"""The workflows of this repository: what they run, with which rights, and for whom."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS: Final = sorted((ROOT / ".github" / "actions").rglob("*.yml"))
PINNED: Final = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def loaded(path: Path) -> Any:  # Any: YAML has no types
    return import_module("yaml").safe_load(path.read_text("utf-8"))


def events(path: Path) -> set[str]:
    """The events that start a workflow; YAML reads the key `on` as true."""
    return set(loaded(path)[True])


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_pull_requests_get_no_secret_and_no_right_to_write(path: Path) -> None:
    assert not events(path) & {"pull_request_target", "workflow_run", "issue_comment"}
    workflow = loaded(path)
    assert "permissions" in workflow
    if "pull_request" not in events(path):
        return
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "secrets" not in path.read_text("utf-8")


def steps_of(path: Path) -> list[Any]:  # Any: YAML has no types
    content = loaded(path)
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.stem)
def test_no_checkout_keeps_the_token(path: Path) -> None:
    checkouts = [step for step in steps_of(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(loaded(path).get("jobs", ()))
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_only_the_step_that_pushes_has_the_token(path: Path) -> None:
    for step in steps_of(path):
        assert ("github.token" in str(step)) is (" push --force " in step.get("run", ""))
    assert path.read_text("utf-8").count("github.token") == (path.stem == "nightly-drift")
    assert "GITHUB_TOKEN" not in path.read_text("utf-8")


def test_what_may_write_is_called_by_other_repositories_alone() -> None:
    writing: list[Path] = []
    for path in WORKFLOWS:
        workflow = loaded(path)
        rights = [workflow["permissions"], *(job.get("permissions", {}) for job in workflow["jobs"].values())]
        assert "write" not in workflow["permissions"].values()
        if any("write" in each.values() for each in rights):
            assert events(path) == {"workflow_call"}
            writing.append(path)
    assert [path.stem for path in writing] == ["nightly-drift"]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.stem)
def test_no_command_holds_an_expression(path: Path) -> None:
    """An expression in a command is pasted into the shell: a branch's name could be one."""
    commands = [step["run"] for step in steps_of(path) if "run" in step]
    assert commands
    assert [each for each in commands if "${{" in each] == []


def test_bandit_is_part_of_the_check() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = makefile[makefile.index("check: ") : makefile.index("\ntest: ")]
    assert "$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src generated" in check
    assert "make check" in (ROOT / ".ci" / "run").read_text("utf-8")
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    skips = tomllib.loads("\n".join(lines))["tool"]["bandit"]["skips"]
    reasons = [line for line in lines if re.match(r'  "B\d{3}",  # \w', line)]
    assert len(reasons) == len(skips)
