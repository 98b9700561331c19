"""Bars of commands: on stderr, only on a terminal, after two seconds, and never among the lines of a table or of jsonl."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from runql.bars import Unit, reported
from runql.transport.files.bodies import Progress

if TYPE_CHECKING:  # curves are drawn without typer, too
    from runql.cli.console.rows import Format

T = TypeVar("T")
OpenBar: TypeAlias = Callable[[], AbstractContextManager[Progress | None]]
"""`bar`, with its arguments."""


def bar(
    description: str,
    unit: Unit,
    format: Format | None = None,  # noqa: A002 - the option's name
    output: Path | None = None,
) -> AbstractContextManager[Progress | None]:
    """Return the progress of a command while the ``with`` block runs; see `runql.bars.reported`.

    Args:
        description: label before the bar.
        unit: of what is counted.
        format: how the command writes meanwhile; jsonl on a terminal is progress enough.
        output: where; None for stdout.
    """
    streams = format == "jsonl" and output is None and sys.stdout.isatty()
    return reported(False if streams else None, description, unit)


def counted(items: Iterable[T], report: Progress | None, total: int | None = None) -> Iterator[T]:
    """Return the items, and report how many there were, each when the next is needed."""
    for done, item in enumerate(items, start=1):
        yield item
        if report is not None:
            report(done, total)
