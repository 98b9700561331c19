"""What notebooks and rich show of records, lists and scans: bounded tables of what is in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final, TypeVar

from runql.errors import RunqlError
from runql.escaping import MOST_IN_DETAIL, one_line
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.records.table_formats import Cell, RecordTable, as_link, cell_text, html_of, rich_of
from runql.transport.lifetime import raise_not_pickled

if TYPE_CHECKING:
    from runql.frames.library_types import rich_types as rc
else:
    globals().update(postponed("rc"))

MOST_ROWS: Final = 50
"""Rows of a table of a list."""

MOST_ENTRIES: Final = 20
"""Entries of one part, such as the config, in the table of a record."""

MOST_FIELD_COLUMNS: Final = 6
MOST_PART_COLUMNS: Final = 6
"""Columns of a list's table: fields, and entries of each part."""

MOST_COLUMNS: Final = 20
"""Columns of a table of values."""

NOT_READ: Final = "not read yet"
UNREADABLE: Final = "cannot be read"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Contents:
    """What an object shows of itself; None is left out.

    Attributes:
        fields: its fields by name, the most important first.
        parts: its config, its summary and the like by name; a str says why there is none.
        url: its page in the web app.
    """

    fields: Mapping[str, object]
    parts: Mapping[str, Mapping[str, object] | str] = field(
        default_factory=dict[str, Mapping[str, object] | str]
    )
    url: str | None = None


class Shown:
    """A base class of what notebooks and rich show as a table. Neither its repr nor its table sends a request."""

    __slots__ = ()

    def __getstate__(self) -> object:
        kind = type(self).__name__
        raise_not_pickled(
            f"{kind} objects",
            "an Api, runs, lists of runs, artifacts, files and scans can be; send one of them, or a path",
        )

    def _contents(self) -> Contents:
        """What is in memory."""
        return Contents({})

    def _shown_table(self) -> RecordTable:
        return record_table(repr(self), self._contents())

    def _repr_html_(self) -> str:
        return html_of(self._shown_table())

    def __rich__(self) -> rc.ConsoleRenderable:
        return rich_of(self._shown_table())


def described(kind: str, *words: object) -> str:
    """Return a repr: one line of limited length, without control characters."""
    return f"<{one_line(' '.join([kind, *map(str, words)]), MOST_IN_DETAIL)}>"


def readable(read: Callable[[], T]) -> T | str:
    """Return what ``read`` returns; where the server sent what cannot be read, words that say so."""
    try:
        return read()
    except (RunqlError, ValueError, RecursionError):
        return UNREADABLE


def record_table(title: str, contents: Contents) -> RecordTable:
    """Return the table of one record: a row for each field, and for each entry of its parts."""
    rows = [(name, value) for name, value in contents.fields.items() if value is not None]
    left_out: list[str] = []
    for part, entries in contents.parts.items():
        if isinstance(entries, str):
            rows.append((part, entries))
            continue
        names = sorted(entries)
        rows += [(f"{part}.{name}", entries[name]) for name in names[:MOST_ENTRIES]]
        if len(names) > MOST_ENTRIES:
            left_out.append(f"{len(names) - MOST_ENTRIES:,} more entries of {part}")
    cells = tuple(
        (Cell(cell_text(name)), Cell.of("None" if value is None else value)) for name, value in rows
    )
    return RecordTable(_title(title, contents.url), ("", ""), cells, "; ".join(left_out))


def list_table(title: str, items: Iterable[object], *, read: int, total: int | None) -> RecordTable:
    """Return the table of a list: a row for each of its first items.

    Args:
        title: the list's repr.
        items: its first items.
        read: how many were read.
        total: how many there are; None where nobody knows.
    """
    found = [contents_of(item) for item in items]
    names = [*_field_names(found)]
    entries = [(part, name) for part in _part_names(found) for name in _entry_names(found, part)]
    rows = tuple(
        (
            *(
                Cell.of(each.fields.get(name), None if index else each.url)
                for index, name in enumerate(names)
            ),
            *(_entry(each, part, name) for part, name in entries),
        )
        for each in found
    )
    columns = [*names, *(f"{part}.{name}" for part, name in entries)]
    return RecordTable(
        _title(title, None), tuple(map(cell_text, columns)), rows, _note(len(found), read, total)
    )


def data_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> RecordTable:
    """Return the table of rows of values."""
    names = columns[:MOST_COLUMNS]
    cells = tuple(tuple(Cell.of(value) for value in row[: len(names)]) for row in rows[:MOST_ROWS])
    more = len(columns) - len(names)
    note = _note(len(cells), len(rows), len(rows)) + (f"; {more:,} more columns" if more else "")
    return RecordTable(_title(title, None), tuple(map(cell_text, names)), cells, note)


def contents_of(item: object) -> Contents:
    """Return what an item of a list shows: its contents, or the fields of a dataclass."""
    if isinstance(item, Shown):
        return item._contents()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - each class of ours has its own
    if dataclasses.is_dataclass(item):
        return Contents({each.name: getattr(item, each.name) for each in dataclasses.fields(item)})
    return Contents({"": item})


def _title(title: str, url: str | None) -> Cell:
    # A repr without its brackets.
    line = one_line(title[1:-1] if title.startswith("<") else title, MOST_IN_DETAIL)
    return Cell(line, as_link(url))


def _field_names(found: Sequence[Contents]) -> list[str]:
    """The first fields, without those that no item has."""
    names = [*dict.fromkeys(name for each in found for name in each.fields)][:MOST_FIELD_COLUMNS]
    return [name for name in names if any(each.fields.get(name) is not None for each in found)]


def _part_names(found: Sequence[Contents]) -> list[str]:
    return [*dict.fromkeys(part for each in found for part in each.parts)]


def _entry_names(found: Sequence[Contents], part: str) -> list[str]:
    """The entries that say most about the items: those that differ, then those that most items have; by name.

    Names that begin with ``_`` are the server's own.
    """
    values: dict[str, list[str]] = {}
    for each in found:
        entries = each.parts.get(part, "")
        for name, value in () if isinstance(entries, str) else entries.items():
            values.setdefault(name, []).append(cell_text(value))

    def rank(name: str) -> tuple[bool, int, str]:
        return len({*values[name]}) == 1, -len(values[name]), name

    own = [name for name in values if not name.startswith("_")]
    return sorted(sorted(own, key=rank)[:MOST_PART_COLUMNS])


def _entry(contents: Contents, part: str, name: str) -> Cell:
    entries = contents.parts.get(part, "")
    if isinstance(entries, str):
        return Cell(entries)
    return Cell.of("None" if entries.get(name, "") is None else entries.get(name))


def _note(shown_items: int, read: int, total: int | None) -> str:
    if total is None and not read:
        return NOT_READ
    known = read if total is None else total
    return f"{shown_items:,} of {known:,}" + (" read so far" if total is None else "")
