"""Strings of a server in messages: one line, without control characters, of limited length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST_IN_MESSAGE: Final = 2000
"""Characters of a whole error message."""

MOST_IN_DETAIL: Final = 300
"""Characters of one string of the server within a message."""


def one_line(text: str, most: int = MOST_IN_MESSAGE) -> str:
    r"""Return a str for a message or a log: what is not printable is escaped, what is too long is cut in the middle.

    Control characters, line ends, terminal sequences, marks of text direction, invisible characters and halves of
    surrogate pairs become escapes such as ``\n``. The start and the end stay, with the number of characters between
    them, so that the result is at most about 40 characters longer than ``most``.
    """
    if len(text) <= most:
        if text.isprintable():
            return text
        whole = "".join(map(_escaped, text))
        if len(whole) <= most:
            return whole
    start = _fill(text, most * 2 // 3)
    end = _fill(reversed(text), most // 3)[::-1]
    cut = len(text) - len(start) - len(end)
    return f"{''.join(start)}…[{cut:,} more characters]…{''.join(end)}"


def _fill(characters: Iterable[str], room: int) -> list[str]:
    """Return the first characters, escaped, that fit."""
    taken: list[str] = []
    for character in characters:
        shown = _escaped(character)
        room -= len(shown)
        if room < 0:
            break
        taken.append(shown)
    return taken


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
