"""No test depends on how fast the machine is: what waits for seconds is listed here, with the reason."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BENCH = TESTS / "bench"
SLEEPS = {
    "patience.py": "polls for an event, until it happens",
    "conformance/write_project.py": "polls for samples of the machine, until they are there",
    "drift/schema_server.py": "polls for a server's start",
    "endurance/log_until_told.py": "logs rows until it is ended",
    "offline/log_offline.py": "polls for a file's blocks; a second parts two runs, whose folders have its name",
    "offline/log_until_stopped.py": "logs rows until it is ended",
    "oracle/agent_program.py": "trains until it is ended",
    "unit/transport/test_tls.py": "polls for a server's start",
}
LIMITS = {
    "wait": "an event, a process or a barrier",
    "communicate": "a process",
    "run": "a process",
    "join": "a thread",
    "result": "a future",
    "move_on_after": "a scope",
    "fail_after": "a scope",
    "settimeout": "a socket",
}
"""Calls that may end before what they wait for has happened."""
TIMED = {
    "unit/resources/test_run_state.py": "its clock is the test's own",
    "unit/transport/test_rate_limiter.py": "its clock is the test's own",
    "unit/transport/test_gather.py": "waits for what never happens, which no speed changes",
}
EXAMPLES = {"max_examples", "deadline"}


@cache
def calls() -> list[tuple[str, ast.Call, str]]:
    """Every call in the tests: the file, the call and the name that is called."""
    found: list[tuple[str, ast.Call, str]] = []
    for path in sorted(TESTS.rglob("*.py")):
        if not path.is_relative_to(BENCH) and not path.is_relative_to(TESTS / "golden"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    name = (
                        node.func.attr
                        if isinstance(node.func, ast.Attribute)
                        else getattr(node.func, "id", "")
                    )
                    found.append((path.relative_to(TESTS).as_posix(), node, name))
    return found


def is_seconds(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in {int, float}


def test_there_is_one_patience() -> None:
    found = [
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if not path.is_relative_to(BENCH)
        for source in [path.read_text("utf-8")]
        if "PATIENCE" in source
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and "PATIENCE" in {ast.unparse(each) for each in node.targets}
    ]
    assert found == ["patience.py"]


def test_nothing_sleeps_but_what_polls() -> None:
    found = {
        file
        for file, call, called in calls()
        if called == "sleep" and ast.unparse(call.func) in {"time.sleep", "anyio.sleep", "asyncio.sleep"}
    }
    assert found == set(SLEEPS)


@pytest.mark.parametrize("name", LIMITS)
def test_whatever_is_waited_for_may_take_as_long_as_it_takes(name: str) -> None:
    found = [
        f"{file}:{call.lineno}: {ast.unparse(call)[:80]}"
        for file, call, called in calls()
        if called == name
        and file not in TIMED
        and (
            any(each.arg == "timeout" and is_seconds(each.value) for each in call.keywords)
            or (name != "run" and call.args and is_seconds(call.args[0]))
        )
    ]
    assert found == [], "use PATIENCE of tests/patience.py"


def test_how_many_examples_are_drawn_is_up_to_the_profile() -> None:
    found = [
        f"{file}:{call.lineno}"
        for file, call, called in calls()
        if called == "settings" and file != "profiles.py" and EXAMPLES & {each.arg for each in call.keywords}
    ]
    assert found == [], "use @examples of tests/profiles.py"
