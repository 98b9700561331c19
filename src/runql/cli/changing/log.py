"""The log of a change of many runs: a JSON line for each run that is done, from which a second call goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Final

from runql.arguments import checked_path
from runql.cli.console.failures import AskedWronglyError
from runql.errors import LocalFileError
from runql.values import JSONValue, dump_json

COMMAND: Final = "command"
RUN: Final = "run"


class ChangeLog:
    """What a log says is done, and the file that gets one line more for each run.

    Attributes:
        done: the paths of the runs that are done.
    """

    def __init__(self, command: str, done: frozenset[str], path: Path | None, file: FileIO | None) -> None:
        self.done = done
        self._path = path
        self._command = command
        self._file = file

    def note(self, run: str, change: str) -> None:
        """Write that a run is done, so that it stays written when the machine stops.

        Raises:
            LocalFileError: the line cannot be written.
        """
        if self._file is None:
            return
        entry: dict[str, JSONValue] = {
            RUN: run,
            COMMAND: self._command,
            "change": change,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._file.write(dump_json(entry).encode() + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LocalFileError(f"{run} is done, but cannot write {self._path}", error) from error


def read_done(path: Path, command: str) -> tuple[frozenset[str], int]:
    """Return the runs that a log says are done by this command, and the bytes of its whole lines.

    A last line without an end was not written whole, and counts for nothing.

    Raises:
        AskedWronglyError: the file is of another command, or no log.
        LocalFileError: it cannot be read.
    """
    checked_path("--log", path)
    try:
        if path.exists() and not path.is_file():
            raise AskedWronglyError(f"--log: {path} is no file")
        content = path.read_bytes()
    except FileNotFoundError:
        return frozenset(), 0
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error
    whole = content[: content.rfind(b"\n") + 1]
    done: set[str] = set()
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry: object = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        found = (entry.get(COMMAND), entry.get(RUN)) if isinstance(entry, dict) else (None, None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] — isinstance says nothing of what a dict holds
        if not isinstance(found[0], str) or not isinstance(found[1], str):
            raise AskedWronglyError(f"{path} is no log of this command: line {number} names no run")
        if found[0] != command:
            raise AskedWronglyError(
                f"{path} is the log of {found[0]!r}, not of {command!r}: give another file"
            )
        done.add(found[1])
    if content and not whole:
        raise AskedWronglyError(f"{path} is no log of this command: it has no whole line")
    return frozenset(done), len(whole)


@contextmanager
def opened_log(path: Path | None, command: str) -> Generator[ChangeLog]:
    """Open a log to go on with, or begin it; without a path nothing is written.

    Raises:
        AskedWronglyError: the file is of another command, or no log.
        LocalFileError: it cannot be read or written.
    """
    if path is None:
        yield ChangeLog(command, frozenset(), None, None)
        return
    done, size = read_done(path, command)
    try:
        file = path.open("ab", buffering=0)
        file.truncate(size)
    except OSError as error:
        raise LocalFileError(f"cannot write {path}", error) from error
    with file:
        yield ChangeLog(command, done, path, file)
