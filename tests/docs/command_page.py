"""The page of the commands, from the commands themselves: their help, arguments and options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from itertools import groupby
from typing import Final, TypeAlias

from typer import Context
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from runql.cli.commands import app

Command: TypeAlias = TyperCommand | TyperGroup
HEAD: Final = """# Commands

`pip install 'runql[cli]'` brings the command. `runql COMMAND --help` prints what this page says.
"""


def command_page() -> str:
    """Format the page."""
    sections = [part for name, command in all_commands().items() for part in _described(command, name)]
    return "\n".join([HEAD, *sections]).rstrip() + "\n"


def all_commands() -> dict[str, Command]:
    """Find each command that does something by itself, by what a user types."""
    return dict(_below(get_command(app), "runql"))


def _below(command: object, name: str) -> Iterator[tuple[str, Command]]:
    # Typer comes with a copy of click, so click's own classes do not fit.
    assert isinstance(command, TyperCommand | TyperGroup)
    if command.hidden:
        return
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield name, command
    if isinstance(command, TyperGroup):
        for child, found in command.commands.items():
            yield from _below(found, f"{name} {child}")


def _described(command: Command, name: str) -> Iterator[str]:
    context = Context(command, info_name=name)
    yield f"## {name}\n"
    yield f"```sh\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield _markdown(command.help or "") + "\n"
    rows = list(_rows(command, context))
    if rows:
        yield "\n".join(["| | meaning |", "|---|---|", *rows, ""])
    if command.epilog:
        yield _markdown(command.epilog) + "\n"


def _rows(command: Command, context: Context) -> Iterator[str]:
    for parameter in command.params:
        assert isinstance(parameter, TyperArgument | TyperOption)
        record = parameter.get_help_record(context)
        if record is not None:
            name, said = (" ".join(part.replace("|", "\\|").split()) for part in record)
            yield f"| `{name}` | {_escaped(said)} |"


def _markdown(help_text: str) -> str:
    """Make Markdown of the help: a block of neighbouring examples, a list of neighbouring exit codes."""
    found: list[str] = []
    for kind, group in groupby(cleandoc(help_text).split("\n\n"), _kind):
        paragraphs = [_escaped(each) for each in group]
        if kind == "example":
            found.append("\n".join(["```sh", *(each.replace("\\", "") for each in paragraphs), "```"]))
        else:
            found.append(("\n" if kind == "code" else "\n\n").join(paragraphs))
    return "\n\n".join(found)


def _kind(paragraph: str) -> str:
    if paragraph.startswith("runql "):
        return "example"
    return "code" if re.match(r"\d ", paragraph) else "prose"


def _escaped(words: str) -> str:
    """A paragraph whose stars are no emphasis; an exit code is an item of a list."""
    return re.sub(r"^(\d) ", r"- `\1` ", " ".join(words.split()).replace("*", r"\*"))
