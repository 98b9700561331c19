"""Words for people: control characters of a server never reach a terminal as they are."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

from runql.escaping import one_line

LONGEST_ESCAPE: Final = 10
"""Characters of an escape such as ``\\U0001f3fb``."""


def plain(text: str) -> str:
    r"""Return a str of a server for a terminal: one line, in which what is not printable is an escape such as ``\n``."""
    return one_line(text, LONGEST_ESCAPE * len(text))


def say(message: str) -> None:
    """Print one line on stderr, as far as there is a stderr that somebody reads."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
        print(one_line(message), file=sys.stderr, flush=True)
