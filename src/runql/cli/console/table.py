"""Rows as a table for people, or as blocks where the terminal is too narrow for one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runql.cli.console.plain import plain
from runql.values import JSONValue, dump_json

GAP: Final = 2
NARROWEST: Final = 20
"""Characters that a column keeps before the table becomes blocks."""

MILLION: Final = 1e6
MOST_PLAIN: Final = 1e15


def print_table(
    rows: Sequence[Mapping[str, JSONValue]], columns: Sequence[str], stream: TextIO | None = None
) -> None:
    """Print rows on stdout or another stream; cut nothing, and wrap only on a terminal.

    Into a pipe each row is a line with tabs between its columns, whatever other rows hold: no value holds a tab there.
    """
    if not columns:
        return
    names = [plain(name) for name in columns]
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    right = [bool(rows) and all(_is_number(row.get(name)) for row in rows) for name in columns]
    if stream is None and not (sys.stdout.isatty() or "COLUMNS" in os.environ):
        sys.stdout.writelines("\t".join(row) + "\n" for row in (names, *cells))
        return
    widths = [max(cell_len(row[place]) for row in (names, *cells)) for place in range(len(names))]
    if stream is not None:
        _print_lines(stream, (names, *cells), widths, right)
        return
    console = Console(highlight=False)
    least = sum(min(width, max(NARROWEST, cell_len(name))) for width, name in zip(widths, names, strict=True))
    if least + GAP * (len(widths) - 1) > console.width:
        _print_blocks(console, names, cells)
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name, is_right in zip(names, right, strict=True):
        table.add_column(Text(name), justify="right" if is_right else "left", overflow="fold")
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
            return _float(value)
        case str():
            return plain(value)
        case list() if value and all(isinstance(each, str) for each in value):
            return plain(", ".join(map(str, value)))
        case list() | dict():
            return plain(dump_json(value, ensure_ascii=False))
        case _:
            return str(value)


def _print_lines(
    stream: TextIO, rows: Iterable[Sequence[str]], widths: Sequence[int], right: Sequence[bool]
) -> None:
    """Print a table where nothing limits its width: each row is one line."""
    for row in rows:
        padded = [
            " " * (width - cell_len(text)) + text if is_right else text + " " * (width - cell_len(text))
            for text, width, is_right in zip(row, widths, right, strict=True)
        ]
        stream.write((" " * GAP).join(padded).rstrip() + "\n")


def _print_blocks(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    for place, row in enumerate(cells):
        if place:
            console.print()
        for name, text in zip(names, row, strict=True):
            if text:
                console.print(Text.assemble((name, "bold"), ": ", text), overflow="fold")


def _float(value: float) -> str:
    # Times in seconds since 1970 need all their digits before the point.
    if MILLION <= abs(value) < MOST_PLAIN:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.6g}"


def _is_number(value: JSONValue) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
