"""The page of the commands, from the commands themselves: their help, arguments and options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
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
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield _plain(command.help or "") + "\n"
    rows = list(_rows(command, context))
    if rows:
        yield "\n".join(["| | |", "|---|---|", *rows, ""])
    if command.epilog:
        yield _plain(command.epilog) + "\n"


def _rows(command: Command, context: Context) -> Iterator[str]:
    for parameter in command.params:
        assert isinstance(parameter, TyperArgument | TyperOption)
        record = parameter.get_help_record(context)
        if record is not None:
            name, said = (" ".join(part.replace("|", "\\|").split()) for part in record)
            yield f"| `{name}` | {said} |"


def _plain(help_text: str) -> str:
    """Make Markdown of the help: without what marks styles and pages, and with the lines that stay as they are."""
    paragraphs: list[str] = []
    for paragraph in cleandoc(help_text.replace("\f", "")).split("\n\n"):
        stays = paragraph.startswith("\b")
        text = re.sub(r"\[/?(?:bold|dim|italic|cyan|green|yellow|red)\]", "", paragraph.lstrip("\b\n"))
        paragraphs.append(f"```\n{text}\n```" if stays else text)
    return "\n\n".join(paragraphs)
