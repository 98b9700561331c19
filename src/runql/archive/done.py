"""What an export has read so far, and which errors end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from runql.archive.errors import ArchiveError
from runql.archive.layout import FileNote
from runql.archive.tables import Kind, Row, TableWriter
from runql.errors import (
    AccessDeniedError,
    AuthenticationError,
    DigestMismatchError,
    LocalFileError,
    RateLimitedError,
    RunqlError,
    TransportError,
)
from runql.limits import ResponseLimitError
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

STOPS_ALL: Final = (
    *(TransportError, AuthenticationError, AccessDeniedError, RateLimitedError, LocalFileError, ArchiveError),
)
"""Errors that are about more than one run: the export ends, and the same call goes on later."""


def is_about_one(error: RunqlError) -> bool:
    """Whether an error is about what was read, so that the export goes on without it and names it."""
    if isinstance(error, (ResponseLimitError, DigestMismatchError)):
        return True
    return not isinstance(error, STOPS_ALL)


@dataclass(slots=True)
class Done:
    """What earlier calls and this one have read of the project.

    Attributes:
        files: the files of the archive, by their paths in it.
        facts: by run, what its row gets in the end.
        problems: what could not be read.
        mapped: path in the archive to the name at the source.
        counts: of rows, lines and so on.
    """

    files: dict[str, FileNote] = field(default_factory=dict[str, FileNote])
    facts: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    problems: list[str] = field(default_factory=list[str])
    mapped: dict[str, str] = field(default_factory=dict[str, str])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def entry(self) -> dict[str, JSONValue]:
        """The same as JSON."""
        return {
            "files": {name: {"size": note.size, "sha256": note.sha256} for name, note in self.files.items()},
            "facts": {run: {**row} for run, row in self.facts.items()},
            "problems": list(self.problems),
            "mapped": dict(self.mapped),
            "counts": dict(self.counts),
        }

    @classmethod
    def of(cls, entry: JSONValue) -> Done:
        """Read it from a journal."""
        return _DONE.validate_python(entry)

    def add(self, other: Done) -> None:
        """Take over what another part has read."""
        self.files |= other.files
        self.facts |= other.facts
        self.problems += other.problems
        self.mapped |= other.mapped
        for name, count in other.counts.items():
            self.count(name, count)

    def count(self, name: str, more: int) -> None:
        """Count things."""
        self.counts[name] = self.counts.get(name, 0) + more

    def miss(self, what: str, error: RunqlError) -> None:
        """Name what could not be read.

        Raises:
            RunqlError: the error, where it is about more than this.
        """
        if not is_about_one(error):
            raise error
        self.problems.append(f"{what}: {error}")


_DONE: Final[TypeAdapter[Done]] = TypeAdapter(Done)


def write_records(target: Path, columns: Mapping[str, Kind], rows: Sequence[Row]) -> FileNote:
    """Write the rows of a small table."""
    with TableWriter(target, columns) as writer:
        writer.add(rows)
        return writer.finish()
