"""Console lines of a run as HTML: colours of terminals become classes, every other control is removed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from runql_server.listing.console_lines import parse_line
from runql_server.pages.rendering import visible
from runql_server.runs import lines

FEW: Final = 100
"""Lines that the page of a run shows first: the last ones."""

PAGE: Final = 1000
"""Lines of one page of the log."""

_LONGEST: Final = 2000
_MOST_READ: Final = 20_000

# CSI, OSC with its end, and the short escapes. What is left of a broken one is a control, and shown as such.
_ESCAPE: Final = re.compile(
    r"\x1b(?:\[(?P<codes>[0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)
_COLOURS: Final = {
    **{str(30 + number): f"ansi-{number}" for number in range(8)},
    **{str(90 + number): f"ansi-{number}" for number in range(8)},
}
_PLAIN: Final = frozenset({"", "0", "39"})


@dataclass(frozen=True)
class ConsoleLine:
    """One line; ``moment`` is when it was printed, if the SDK said so."""

    number: int
    moment: str | None
    is_error: bool
    html: Markup


@dataclass(frozen=True)
class Console:
    """Some lines of a log of ``total``, from line ``start`` on."""

    lines: list[ConsoleLine]
    start: int
    total: int

    @property
    def stop(self) -> int:
        """The number of the line after these."""
        return self.start + len(self.lines)


def before(connection: sqlite3.Connection, run: int, stop: int | None, *, most: int) -> Console:
    """Return up to ``most`` lines before line ``stop``, or the last ones."""
    total = lines.line_count(connection, "log_lines", run)
    stop = total if stop is None else max(0, min(stop, total))
    start = max(0, stop - most)
    rows = connection.execute(
        "SELECT line, text FROM log_lines WHERE run_id = ? AND line >= ? AND line < ? ORDER BY line",
        (run, start, stop),
    )
    return Console([_line(row["line"], row["text"]) for row in rows], start, total)


def _line(number: int, text: str) -> ConsoleLine:
    parsed = parse_line(number, text)
    return ConsoleLine(number, parsed.timestamp, parsed.level == "error", to_html(parsed.line))


def to_html(line: str) -> Markup:
    """Show what a terminal would show of a line: after the last return, with its colours."""
    shown = line.rstrip("\r\n")[:_MOST_READ].rpartition("\r")[2]
    return Markup("").join(_spans(shown, len(line)))


def _spans(line: str, length: int) -> Iterator[Markup]:
    classes: list[str] = []
    position = written = 0
    for found in [*_ESCAPE.finditer(line), None]:
        piece = line[position : None if found is None else found.start()]
        cut = piece[: _LONGEST - written]
        written += len(cut)
        if cut:
            html = escape(visible(cut, len(cut)))
            yield Markup("<span class='{}'>{}</span>").format(" ".join(classes), html) if classes else html
        if found is None or len(cut) < len(piece):
            break
        position = found.end()
        if found["codes"] is not None:
            classes = _after(classes, re.split("[;:]", found["codes"]))
    if written >= _LONGEST:
        yield Markup("… ({} characters)").format(f"{length:,}")


def _after(classes: list[str], codes: list[str]) -> list[str]:
    if codes[0] in {"38", "48"}:
        # Of 256 colours, or of 16 million: on a light ground half of them could not be read.
        return classes
    for code in codes:
        if code in _PLAIN:
            classes = [name for name in classes if code == "39" and name == "ansi-bold"]
        elif code == "1":
            classes = [*(name for name in classes if name != "ansi-bold"), "ansi-bold"]
        elif code in _COLOURS:
            classes = [*(name for name in classes if name == "ansi-bold"), _COLOURS[code]]
    return classes
