"""The help of every command: examples that parse, defaults, exit codes; and completion by the shell."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from tests.cli.invoking import environment, run
from tests.patience import PATIENCE
from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from runql.cli.commands import app


def commands(command: object, name: str) -> dict[str, TyperCommand | TyperGroup]:
    """A command and those below it, by what a user types."""
    assert isinstance(command, TyperCommand | TyperGroup)
    found = {name: command}
    if isinstance(command, TyperGroup):
        for child, below in command.commands.items():
            found |= commands(below, f"{name} {child}")
    return found


COMMANDS = commands(get_command(app), "runql")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_has_examples_and_exit_codes(name: str) -> None:
    done = run(*name.split()[1:], "--help", env={"COLUMNS": "400"})
    printed = [line.strip() for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert "Examples:" in printed
    assert "Exit codes:" in printed
    assert [line for line in printed if line.startswith("runql ")], "an example is a line that can be pasted"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str) -> None:
    examples = re.findall(r"^runql .*", COMMANDS[name].epilog or "", re.MULTILINE)
    assert examples
    for example in examples:
        _, *words = shlex.split(example)
        command, path = COMMANDS["runql"], "runql"
        while isinstance(command, TyperGroup) and words and f"{path} {words[0]}" in COMMANDS:
            path = f"{path} {words.pop(0)}"
            command = COMMANDS[path]
        assert path.startswith(name) or name == "runql"
        if "--help" not in words:
            command.make_context(path, words, parent=Context(COMMANDS["runql"]))


@pytest.mark.parametrize("command", ["ls", "show", "history"])
def test_the_help_of_every_option_says_its_default(command: str) -> None:
    printed = run(command, "--help", env={"COLUMNS": "400"}).stdout
    options = [line for line in printed.splitlines() if re.match(r"│ +--(?!help)", line)]
    assert len(options) >= 4
    assert [line for line in options if "default" not in line] == []


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("runql l", {"ls"}),
        ("runql ls --fo", {"--format", "--force"}),
        ("runql ls --format j", {"json", "jsonl"}),
        ("runql history --match a", {"any", "all"}),
    ],
)
def test_the_shell_completes(typed: str, completed: set[str]) -> None:
    program = "import sys; sys.argv[0] = 'runql'; from runql.cli.main import main; main()"
    asked = {
        "_RUNQL_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(None, asked),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert set(done.stdout.split()) == completed, done.stderr


def test_an_unknown_command_and_a_missing_argument_end_with_2() -> None:
    for arguments in (["lst"], ["show"], ["history"], ["ls", "--limit", "0"], ["ls", "--nope"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
