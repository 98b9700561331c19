"""How a check ends: its exit codes, and the exit that tells them from those of the command line itself."""

from __future__ import annotations

from typing import Final

COULD_NOT_CHECK: Final = 2
USAGE_ERROR: Final = 3
TYPER_USAGE_ERROR: Final = 2
"""What typer ends with when an option is wrong."""


class CheckExit(SystemExit):
    """A check came to its end: 0 nothing that matters, 1 breaking, 2 could not check, 3 it was not asked right."""
