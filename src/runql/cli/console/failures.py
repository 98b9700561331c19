"""How a command ends: the exit code, and one line on stderr that says why."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from shutil import get_terminal_size
from typing import Final, TextIO

import typer

from runql.cli.console.plain import say
from runql.cli.exit_codes import INTERRUPTED
from runql.errors import ConfigurationError, MissingExtraError, PathError, RunqlError, UnorderedWarning
from runql.partial_results import PartialResultWarning

FAILED: Final = 1
ASKED_WRONGLY: Final = 2
EXIT_CODES: Final = """Exit codes:

0 done

1 not found, refused by the server, or not written

2 asked wrongly: an option, a path, a setting or a missing extra

130 interrupted by Ctrl-C
"""
"""The end of each command's help; the blank lines make typer print one line for each code."""


class AskedWronglyError(Exception):
    """A command was used wrongly; the message says what was wrong and what to do."""

    def below(self, width: int) -> list[str]:  # noqa: ARG002 - a subclass shows as much as fits
        """Return lines that show the place of the mistake, each at most ``width`` columns wide."""
        return []


_ASKED_WRONGLY: Final = (AskedWronglyError, PathError, ConfigurationError, MissingExtraError)


def help_end(*examples: str, exit_codes: str = EXIT_CODES) -> str:
    """Return the end of a command's help: its examples, then the exit codes."""
    return "\n\n".join(["Examples:", *examples, exit_codes])


@contextmanager
def reporting(command: str) -> Generator[None]:
    """Turn every end of a command's work into an exit code; nothing but words goes to stderr.

    Args:
        command: its name, such as ``ls``.

    Raises:
        typer.Exit: the work failed, was interrupted, or nobody reads its output any more.
    """
    start = f"runql {command}"
    accept_every_character()
    try:
        with _spoken_warnings(start):
            yield
            sys.stdout.flush()
    except KeyboardInterrupt:
        # Whole lines wait in the buffer, perhaps with the end of one that was written in part.
        with suppress(OSError, KeyboardInterrupt):
            sys.stdout.flush()
        drop_output()
        say(f"{start}: interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except _ASKED_WRONGLY as error:
        say(f"{start}: {error}")
        for line in error.below(get_terminal_size().columns) if isinstance(error, AskedWronglyError) else ():
            say(line)
        raise typer.Exit(ASKED_WRONGLY) from error
    except RunqlError as error:
        say(f"{start}: {error}")
        raise typer.Exit(FAILED) from error
    except OSError as error:
        drop_output()
        if is_closed_pipe(error):
            # The reader has what it needs, as `head` does.
            raise typer.Exit(0) from None
        say(f"{start}: cannot write the output: {error.strerror or error}")
        raise typer.Exit(FAILED) from error
    except ValueError as error:
        # The library checks arguments before it sends anything.
        say(f"{start}: {error}")
        raise typer.Exit(ASKED_WRONGLY) from error


@contextmanager
def _spoken_warnings(start: str) -> Generator[None]:
    """Print runql's warnings as words; by default Python prints a line of source code, too."""

    def show(
        message: Warning | str,
        category: type[Warning],  # noqa: ARG001 - as Python calls it, here and below
        filename: str,  # noqa: ARG001
        lineno: int,  # noqa: ARG001
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        say(f"{start}: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UnorderedWarning)
        warnings.simplefilter("always", PartialResultWarning)
        warnings.showwarning = show
        yield


def accept_every_character() -> None:
    """Let streams of other encodings than UTF-8 escape what they cannot hold, where Python would fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_closed_pipe(error: OSError) -> bool:
    """Whether nobody reads the output any more, as behind `head`."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def drop_output() -> None:
    """Let what was not written yet go nowhere, so that Python does not fail on it once more as it ends."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # no file behind it, as in tests
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
