"""How the suite runs: spread over the cores or not, and how much of it in which profile."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tests import senders
from tests.contract import recording_digests
from tests.wheel import Environment, Trial

ROOT = Path(__file__).parents[2]
WRITTEN = (senders.TABLE, recording_digests.DIGESTS)
CHOICE = """
import sys, pytest
class Watch:
    def pytest_collection(self, session):
        print("workers:", session.config.option.numprocesses)
        raise pytest.exit.Exception("seen")
sys.exit(pytest.main(sys.argv[1:], plugins=[Watch()]))
"""


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "is_spread"),
    [
        ((), True),
        (("tests/unit",), True),
        (("tests/unit/test_paths.py",), False),
        (("tests/unit/test_paths.py::test_none",), False),
        (("tests/contract", "--world=record"), False),
        (("tests/contract", "--write-senders"), False),
    ],
    ids=["everything", "a folder", "a file", "a test", "a recording", "the senders"],
)
def test_whole_folders_are_spread_unless_something_is_written(
    arguments: tuple[str, ...], is_spread: bool
) -> None:
    before = {path: path.read_bytes() for path in WRITTEN}
    done = run("-c", CHOICE, "--collect-only", *arguments)
    [workers] = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("workers: ")]
    assert (workers != "0") == is_spread, done.stdout
    assert before == {path: path.read_bytes() for path in WRITTEN}, "written although no test ran"


@pytest.mark.parametrize("option", ["--world=record", "--write-senders"])
def test_what_writes_refuses_workers(option: str) -> None:
    done = run("-m", "pytest", "tests/contract", option, "-n2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "leave out -n" in done.stderr


@pytest.mark.parametrize(
    ("full", "ci", "shown"),
    [
        ("", "", ("quick", 37, 10, 1, False)),
        ("", "true", ("quick", 37, 10, 1, True)),
        ("1", "", ("full", 150, 40, 2, False)),
        ("1", "true", ("full", 150, 40, 2, False)),
    ],
)
def test_the_night_tries_everything_and_ci_the_same_each_time(
    full: str, ci: str, shown: tuple[object, ...]
) -> None:
    code = (
        "from tests.profiles import NAME, examples, load, quick_part; load();"
        "from hypothesis import settings; assert settings.default.deadline is None;"
        "print((NAME, examples(150).max_examples, examples(40).max_examples, len(quick_part('aa', str)), "
        "settings.default.derandomize))"
    )
    done = run("-c", code, CI=ci, RUNQL_FULL=full)
    assert done.stdout.strip() == repr(shown), done.stderr


def test_a_landing_tests_a_part_of_each_folder() -> None:
    modules: dict[Path, list[bool]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        modules.setdefault(path.parent, []).append("pytest.mark.nightly" in path.read_text("utf-8"))
    del modules[ROOT / "tests" / "architecture"]  # this module names the mark
    assert sum(sum(each) for each in modules.values()) > 10
    assert [folder for folder, nightly in modules.items() if all(nightly)] == []


def test_the_night_leaves_nothing_out() -> None:
    commands = (ROOT / "Makefile").read_text("utf-8")
    assert '$(BIN)/pytest -m "not bench and not live"\n' in commands
    assert '$(BIN)/pytest -m "not bench and not live and not nightly"\n' in commands
    assert "step make landing\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "step make test\n" in (ROOT / ".ci" / "nightly").read_text("utf-8")


def test_checkers_of_different_environments_share_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = venv.create

    def create_without_pip(path: Path, *, with_pip: bool) -> None:
        assert with_pip
        create(path)

    monkeypatch.setattr(venv, "create", create_without_pip)
    trial = Trial(tmp_path)
    places = {
        Environment.create(trial, name).run("import os; print(os.getcwd())") for name in ("first", "second")
    }
    assert len(places) == 2


def test_checkers_of_different_workers_share_no_cache() -> None:
    code = "from tests.typing.checking import MYPY_CACHE; print(MYPY_CACHE)"
    caches = {run("-c", code, PYTEST_XDIST_WORKER=name).stdout for name in ("gw0", "gw1")}
    assert len(caches) == 2
