"""Rows as a table for people, or as blocks where the terminal is too narrow for one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runql.cli.console.plain import plain
from runql.values import JSONValue, dump_json

GAP: Final = 2
NARROWEST: Final = 12
"""Characters that a column keeps before the table becomes blocks."""

UNLIMITED: Final = 10**6


def print_table(
    rows: Sequence[Mapping[str, JSONValue]], columns: Sequence[str], stream: TextIO | None = None
) -> None:
    """Print rows on stdout or another stream; cut nothing, and wrap only on a terminal."""
    wraps = stream is None and (sys.stdout.isatty() or "COLUMNS" in os.environ)
    console = Console(file=stream, width=None if wraps else UNLIMITED, highlight=False)
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    names = [plain(name) for name in columns]
    if not columns:
        return
    widths = [
        max(cell_len(text) for text in (name, *column))
        for name, column in zip(names, zip(*cells, strict=True) if cells else [()] * len(names), strict=True)
    ]
    least = sum(min(width, max(NARROWEST, cell_len(name))) for width, name in zip(widths, names, strict=True))
    if least + GAP * len(widths) > console.width:
        _print_blocks(console, names, cells)
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for place, name in enumerate(names):
        numbers = all(_is_number(row.get(columns[place])) for row in rows) and bool(rows)
        table.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def cell(value: JSONValue) -> str:
    """Return a value as people read it: six digits of a float, JSON of lists and objects, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case str():
            return plain(value)
        case list() if value and all(isinstance(each, str) for each in value):
            return plain(", ".join(map(str, value)))
        case list() | dict():
            return plain(dump_json(value, ensure_ascii=False))
        case _:
            return str(value)


def _print_blocks(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    for place, row in enumerate(cells):
        if place:
            console.print()
        for name, text in zip(names, row, strict=True):
            if text:
                console.print(Text.assemble((name, "bold"), ": ", text), overflow="fold")


def _is_number(value: JSONValue) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
