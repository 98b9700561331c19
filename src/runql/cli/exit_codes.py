"""Exit codes: those of `runql drift`, with the exit that keeps them apart from typer's own, and that of Ctrl-C."""

from __future__ import annotations

from typing import Final

COULD_NOT_CHECK: Final = 2
USAGE_ERROR: Final = 3
INTERRUPTED: Final = 130
"""What a shell reports for a process that Ctrl-C ended."""

TYPER_USAGE_ERROR: Final = 2
"""Typer's exit code for a wrong option; `main` turns it into `USAGE_ERROR` for `runql drift`."""

EXIT_CODES: Final = """Exit codes:

0 nothing breaks

1 something that is used breaks (with --strict: anything)

2 the check could not be done, for example because the server cannot be reached

3 the command was used wrongly: an option, an input file or a setting

130 interrupted by Ctrl-C
"""
"""The table in the command's help; the blank lines make typer print one line for each code."""


class CheckExit(SystemExit):
    """The end of a check, with one of `EXIT_CODES`."""
