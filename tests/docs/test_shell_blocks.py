"""Each line of the documents that calls `runql` parses against that command's arguments and options."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.docs.blocks import PAGES, blocks
from tests.docs.command_page import Command, all_commands
from tests.patience import PATIENCE
from typer.core import TyperGroup

from runql import Api
from runql_server.sample import start

COMMANDS: Final = all_commands()
ENDS: Final = frozenset({"|", ">", ">>", "<", "&&", "||", ";", "&"})
LINES: Final = [
    (page, line)
    for page in PAGES
    for code in blocks(page, "sh")
    for line in code.replace("\\\n", " ").splitlines()
    if line.startswith("runql ")
]


def words(line: str) -> list[str]:
    """What a shell passes to the command: without the comment, and up to a pipe or a redirection."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[str] = []
    for word in lexer:
        if word in ENDS:
            break
        found.append(word)
    return found[1:]


def parse(arguments: list[str]) -> None:
    """Parse the arguments; the command is not run."""
    name = "runql"
    while arguments and f"{name} {arguments[0]}" in {*COMMANDS}:
        name, arguments = f"{name} {arguments[0]}", arguments[1:]
    assert name in COMMANDS, f"there is no command {arguments[0]}"
    command: Command = COMMANDS[name]
    with command.make_context(name, arguments) as context:
        rest = [*context.args, *getattr(context, "_protected_args", ())]
        assert not isinstance(command, TyperGroup) or rest == [], rest


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}:{line}" for page, line in LINES])
def test_the_line_parses(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = words(line)
    if arguments == ["--install-completion"]:
        return
    parse(arguments)


@pytest.mark.long
@pytest.mark.parametrize("page", ["README.md", "docs/shell.md"])
def test_the_lines_do_what_the_page_says(page: str, tmp_path: Path) -> None:
    lines = [line for named, line in LINES if named == page and re.search(r"\blocal\b", line)]
    assert len(lines) > 6
    written: list[str] = []
    with start() as sample:  # of its own: `tag` changes it
        variables = {"WANDB_BASE_URL": sample.url, "WANDB_API_KEY": sample.api_key, "HOME": str(tmp_path)}
        for line in lines:
            arguments = words(line)
            done = subprocess.run(
                [sys.executable, "-m", "runql.cli.main", *arguments],
                env=variables,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            written += re.findall(r" (?:-o|-d) (\S+)", line)
            assert bool(done.stdout) != (" -o " in line), line
        tagged = [
            run.id
            for run in Api(base_url=sample.url, api_key=sample.api_key).runs("digits", {"tags": "baseline"})
        ]
    assert [name for name in written if not (tmp_path / name).exists()] == []
    assert bool(tagged) == (page == "docs/shell.md")


def test_a_comment_and_a_pipe_are_not_arguments() -> None:
    line = """runql ls a/b --filter 'config.lr < 0.1 and a == "x"' --limit 5 > out.csv  # the cheap ones"""
    assert words(line) == ["ls", "a/b", "--filter", 'config.lr < 0.1 and a == "x"', "--limit", "5"]
    assert words("runql drift --url $URL | tee log") == ["drift", "--url", "$URL"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("runql serve --prt 9000", "--prt"),
        ("runql serve --port nine", "integer"),
        ("runql drift nothing", "nothing"),
        ("runql nothing", "no command nothing"),
    ],
)
def test_a_wrong_line_is_found(line: str, said: str) -> None:
    with pytest.raises(Exception, match=said):  # typer's and our own have no class in common
        parse(words(line))


def test_the_lines_cover_the_commands() -> None:
    called = {line.split()[1] for _, line in LINES}
    there = {re.split(r"\s", name)[1] for name in COMMANDS}
    assert there - called == set()
    assert len(LINES) > 30


@pytest.mark.parametrize("page", PAGES)
def test_every_install_names_what_exists(page: str) -> None:
    for code in blocks(page, "sh"):
        for line in code.splitlines():
            if line.startswith("pip "):
                assert re.fullmatch(r"pip install (?:runql|'runql\[[a-z,]+\]')", line.strip()), line
