"""A journal: JSON lines that say what is done, from which the same call goes on after a kill."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from runql.archive.errors import ArchiveError
from runql.errors import LocalFileError
from runql.transport.files.part_file import lock_in_place
from runql.values import JSONValue, as_json, dump_json

BEGIN: Final = "begin"


class Journal:
    """An append-only file; each line is on the disk before `note` returns, and a line that was cut counts for nothing.

    Attributes:
        entries: what earlier calls noted, without the first line.
        is_new: whether nothing was noted before this call.
    """

    def __init__(
        self,
        path: Path,
        purpose: Mapping[str, JSONValue],
        if_other: str = "repeat that one, or use another folder",
    ) -> None:
        """Open it to go on, or begin it.

        Args:
            path: of the file.
            purpose: what is done; a journal of something else is refused.
            if_other: what the refusal says to do.

        Raises:
            ArchiveError: the journal is of another call.
            LocalFileError: it cannot be read or written, or another process is writing it.
        """
        self._path = path
        self._guard = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise LocalFileError(f"cannot write {path}", error) from error
        try:
            self._lock()
            self.entries: list[dict[str, JSONValue]] = self._read()
            self.is_new: bool = not self.entries
            self._begin(dict(purpose), if_other)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def note(self, entry: Mapping[str, JSONValue]) -> None:
        """Write that something is done, so that it stays written when the machine stops.

        Raises:
            LocalFileError: it cannot be written.
        """
        line = dump_json(dict(entry)).encode() + b"\n"
        with self._guard:
            try:
                before = self._file.seek(0, os.SEEK_END)
                self._append(line, before)
            except OSError as error:
                raise LocalFileError(f"cannot write {self._path}", error) from error

    def _append(self, line: bytes, before: int) -> None:
        """Write a line whole or not at all: another thread may note something behind it."""
        try:
            left = memoryview(line)
            while left:
                # A disk that becomes full takes a part of it without an error.
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(before)
            raise

    def _lock(self) -> None:
        if lock_in_place(self._file) is False:
            reason = BlockingIOError(errno.EAGAIN, "another process is doing the same")
            raise LocalFileError(f"cannot write {self._path}", reason)

    def _begin(self, purpose: dict[str, JSONValue], if_other: str) -> None:
        if self.is_new:
            self.note({BEGIN: purpose})
        elif (found := self.entries.pop(0).get(BEGIN)) != purpose:
            raise ArchiveError(f"{_other(self._path, found, purpose)}: {if_other}")

    def _read(self) -> list[dict[str, JSONValue]]:
        try:
            self._file.seek(0)
            content = self._file.readall()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                self._file.truncate(len(whole))
        except OSError as error:
            raise LocalFileError(f"cannot read {self._path}", error) from error
        found: list[dict[str, JSONValue]] = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = as_json(json.loads(line))
            except (ValueError, RecursionError):
                entry = None
            if not isinstance(entry, dict):
                raise ArchiveError(f"{self._path} is damaged: line {number} is no JSON object")
            found.append(entry)
        return found


def _other(path: Path, found: JSONValue, wanted: Mapping[str, JSONValue]) -> str:
    known = found if isinstance(found, dict) else {}
    differing = [
        f"{key} {known.get(key)!r}, not {value!r}" for key, value in wanted.items() if known.get(key) != value
    ]
    return f"{path} is of another call, with {'; '.join(differing)}"
