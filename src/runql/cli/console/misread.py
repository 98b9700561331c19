"""Errors that point at the place in an option's value where it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.cells import cell_len

from runql.cli.console.failures import AskedWronglyError
from runql.escaping import one_line

INDENT: Final = "  "
"""Before the value in an error."""


class MisreadError(AskedWronglyError, ValueError):
    """The value of an option cannot be read.

    Attributes:
        option: its name.
        reason: what is wrong, and what to write.
        source: the line of the value with the mistake.
        column: the character where the mistake is, from 1.
        line: the number of the line, from 1.
    """

    option: ClassVar[str]

    def __init__(self, reason: str, source: str, column: int, line: int = 1) -> None:
        self.reason = reason
        self.source = source
        self.column = column
        self.line = line
        super().__init__(reason, source, column, line)

    def __str__(self) -> str:
        place = f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"
        return one_line(f"{self.option} cannot be read at {place}: {self.reason}")

    def below(self, width: int) -> list[str]:
        """Return the value around the mistake, and a caret below it."""
        if not self.source:
            return []
        room = max(width - 2 * len(INDENT) - 2, 2)
        place = self.column - 1
        after, _ = _fitting(self.source[place:], room // 2)
        before, has_more_before = _fitting(reversed(self.source[:place]), room - cell_len("".join(after)))
        after, has_more_after = _fitting(self.source[place:], room - cell_len("".join(before)))
        start = INDENT + ("…" if has_more_before else "") + "".join(reversed(before))
        return [start + "".join(after) + ("…" if has_more_after else ""), " " * cell_len(start) + "^"]


def _fitting(characters: Iterable[str], room: int) -> tuple[list[str], bool]:
    """Return as many characters as fit in a line, escaped, and whether there are more."""
    taken: list[str] = []
    for character in characters:
        shown_as = one_line(character)
        room -= cell_len(shown_as)
        if room < 0:
            return taken, True
        taken.append(shown_as)
    return taken, False
