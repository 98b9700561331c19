"""Small tables of printable cells: as HTML, and as renderables of rich."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from runql.arguments import shown
from runql.errors import MissingExtraError
from runql.escaping import one_line
from runql.quick_dataclasses import dataclass

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

COLUMN_WIDTH: Final = 10
"""Characters of a terminal that a column needs to be legible."""

MOST_IN_CELL: Final = 60
"""Characters of a cell."""

MOST_IN_LINK: Final = 2000
"""Characters of a URL that is a link."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One printable line of limited length.

    Attributes:
        text: the line.
        url: where it leads to.
        is_number: whether it is aligned to the right.
    """

    text: str = ""
    url: str | None = None
    is_number: bool = False

    @classmethod
    def of(cls, value: object, url: str | None = None) -> Cell:
        """Return the cell of a value; None is empty."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return cls(cell_text(value), as_link(url), is_number)


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A table to show.

    Attributes:
        title: one line.
        columns: their names.
        rows: as long as ``columns`` each.
        note: a line below the table, or the empty str.
    """

    title: Cell
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def cell_text(value: object) -> str:
    """Return a value on one printable line of at most `MOST_IN_CELL` characters; None is the empty str."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _value_text(value)
    # An escape has at most ten characters.
    line = one_line(text[: MOST_IN_CELL + 1], 12 * MOST_IN_CELL)
    return line if len(line) <= MOST_IN_CELL else f"{line[: MOST_IN_CELL - 1]}…"


def _value_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return shown(value)


def as_link(url: str | None) -> str | None:
    """Return a URL that can be a link: HTTP, of limited length, and no character that a terminal obeys; else None."""
    if url is None or len(url) > MOST_IN_LINK or not url.isprintable():
        return None
    return url if url.startswith(("https://", "http://")) else None


def html_of(table: RecordTable) -> str:
    """Return a table as HTML without scripts, styles of the page or anything that is loaded."""
    head = "".join(f"<th dir='auto'>{_escaped(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in table.rows)
    names = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    body = f"<table>{names}<tbody>{rows}</tbody></table>" if table.rows else ""
    note = f"<div>{_escaped(table.note)}</div>" if table.note else ""
    return f"<div style='overflow-x:auto'><div><b dir='auto'>{_html_text(table.title)}</b></div>{body}{note}</div>"


def _html_cell(cell: Cell) -> str:
    side = "right" if cell.is_number else "left"
    # `auto` keeps words that are read from right to left within their cell.
    return f"<td dir='auto' style='text-align:{side}'>{_html_text(cell)}</td>"


def _html_text(cell: Cell) -> str:
    text = _escaped(cell.text)
    if cell.url is None:
        return text
    return f"<a href='{_escaped(cell.url)}' target='_blank' rel='noopener noreferrer'>{text}</a>"


def _escaped(text: str) -> str:
    from html import escape  # noqa: PLC0415 - its table of entities is for notebooks alone

    return escape(text)


def rich_of(table: RecordTable) -> RichTable:
    """Return a table for rich.

    Raises:
        MissingExtraError: rich (extra ``progress``) is not installed.
    """
    try:
        import_module("rich.table")
    except ImportError as error:
        raise MissingExtraError("rich", extra="progress", needed_for="a table on a terminal") from error
    return RichTable(table)


class RichTable:
    """A table that rich renders with as many columns as are legible."""

    def __init__(self, table: RecordTable) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table; `Text` carries no markup, so that names cannot style or hide anything."""
        from rich import box  # noqa: PLC0415 - an extra
        from rich.style import Style  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        def text(cell: Cell, style: str = "") -> Text:
            return Text(cell.text, Style.parse(style) + Style(link=cell.url))

        table = self._table
        count = min(len(table.columns), max(2, options.max_width // COLUMN_WIDTH))
        yield text(table.title, "bold")
        if table.rows:
            drawn = Table(box=box.SIMPLE_HEAD, show_header=any(table.columns))
            for place, name in enumerate(table.columns[:count]):
                is_number = all(row[place].is_number or not row[place].text for row in table.rows)
                drawn.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
            for row in table.rows:
                drawn.add_row(*map(text, row[:count]))
            yield drawn
        left_out = len(table.columns) - count
        note = "; ".join(filter(None, [table.note, f"{left_out} more columns" if left_out else ""]))
        if note:
            yield Text(note)
