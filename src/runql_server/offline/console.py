"""The console as a terminal shows it: carriage returns and cursor movements change lines that are there already."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runql_server.offline import fields

OUTPUT: Final = 1
"""The output type of stdout; 0 is stderr."""
_KEPT: Final = 32
"""Lines that can still change; W&B's service freezes older ones."""
_LONGEST: Final = 4096
_PIECES: Final = re.compile("\r|\n|\x1b\\[[AB]|\x1b(?=\\[?$)|[^\r\n\x1b]+|\x1b")


@dataclass
class _Line:
    prefix: str
    moment: str
    content: str = ""

    def stored(self) -> str:
        return f"{self.prefix}{self.moment} {self.content}"


@dataclass
class Console:
    """Lines of stdout and stderr, in the order of their first character.

    `write` takes output as a process wrote it. `changed` gives the lines to store since its last call, by number.
    Memory holds the lines that can still change.
    """

    start: int = 0
    count: int = 0
    _lines: dict[int, _Line] = dataclasses.field(default_factory=dict[int, _Line])
    _dirty: dict[int, _Line] = dataclasses.field(default_factory=dict[int, _Line])
    _terminals: dict[bool, _Terminal] = dataclasses.field(default_factory=dict[bool, "_Terminal"])

    def write(self, output: str, *, error: bool, seconds: float) -> None:
        """Add output; ``seconds`` since 1970 is the time of the lines that begin in it."""
        moment = fields.moment(seconds).strftime("%Y-%m-%dT%H:%M:%S.%f")
        terminal = self._terminals.setdefault(error, _Terminal("ERROR " if error else ""))
        for piece in terminal.pieces(output):
            terminal.take(piece, self, moment)

    def changed(self) -> Iterator[tuple[int, str, str]]:
        """Yield number, stored form and bare content of each changed line, in order of the numbers."""
        dirty, self._dirty = self._dirty, {}
        for number in sorted(dirty):
            yield self.start + number, dirty[number].stored(), dirty[number].content

    def next_line(self, prefix: str, moment: str) -> int:
        """Begin a line, and return its number."""
        number = self.count
        self.count += 1
        self._lines[number] = self._dirty[number] = _Line(prefix, moment)
        self._lines.pop(number - _KEPT, None)
        return number

    def put(self, number: int, column: int, characters: str) -> None:
        """Write characters over a line, if it can still change."""
        line = self._lines.get(number)
        if line is None or column >= _LONGEST:
            return
        before = line.content.ljust(column)
        line.content = (before[:column] + characters + before[column + len(characters) :])[:_LONGEST]
        self._dirty[number] = line


@dataclass
class _Terminal:
    prefix: str
    _view: list[int] = dataclasses.field(default_factory=list[int])
    _row: int = 0
    _column: int = 0
    _rest: str = ""

    def pieces(self, output: str) -> list[str]:
        """Split output into characters and movements; the begin of a movement waits for its rest."""
        output, self._rest = self._rest + output, ""
        for begin in ("\x1b[", "\x1b"):
            if output.endswith(begin):
                output, self._rest = output.removesuffix(begin), begin
                break
        return _PIECES.findall(output)

    def take(self, piece: str, console: Console, moment: str) -> None:
        if piece == "\r":
            self._column = 0
        elif piece == "\n":
            self._column = 0
            self._down()
        elif piece == "\x1b[A":
            self._row = max(0, self._row - 1)
        elif piece == "\x1b[B":
            self._down()
        else:
            while self._row >= len(self._view):
                self._view.append(console.next_line(self.prefix, moment))
            console.put(self._view[self._row], self._column, piece)
            self._column += len(piece)

    def _down(self) -> None:
        self._row += 1
        if self._row >= _KEPT:
            del self._view[:1]
            self._row -= 1
