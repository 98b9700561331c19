"""The files of a run: their links, sizes and pages."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from runql_server.pages.rendering import url
from runql_server.runs.runs import Run
from runql_server.storage import files
from runql_server.storage.files import StoredFile

FEW: Final = 20
"""Files that the page of a run lists; the page of its files has all."""

PAGE: Final = 200
"""Files of one page."""


@dataclass(frozen=True)
class FileLine:
    """One line of the table."""

    name: str
    path: str
    size: int
    kind: str
    updated_at: str | None


@dataclass(frozen=True)
class FileList:
    """Some files, and how many there are; ``following`` is where the next page starts."""

    lines: list[FileLine]
    total: int
    following: str | None = None


def some(connection: sqlite3.Connection, run: Run, *, after: str = "", part: str = "", most: int) -> FileList:
    """List up to ``most`` files whose name holds ``part``, by name."""
    found = files.page(connection, run.number, after=after, part=part, first=most + 1)
    lines = [_line(run, each) for each in found[:most]]
    following = lines[-1].name if len(found) > most else None
    return FileList(lines, files.count(connection, run.number, part), following)


def path_of(run: Run, name: str) -> str:
    """Return the path of a file of a run, for links and pictures."""
    start = url("files", run.entity_name, run.project_name, run.name)
    return f"{start}/{quote(name, errors='replace')}"


def _line(run: Run, file: StoredFile) -> FileLine:
    kind = file.mimetype or files.mimetype(file.name)
    return FileLine(file.name, path_of(run, file.name), file.size_bytes, kind, file.updated_at)
