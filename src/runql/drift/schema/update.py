"""The SDL of a changed schema, with a changelog line and a semver level, for review."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from graphql import GraphQLSchema, print_schema

from runql.drift.findings import Report
from runql.errors import LocalFileError

Semver: TypeAlias = Literal["major", "minor", "none"]
MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class Update:
    """A changed schema, ready to write to a file.

    Attributes:
        level: semver level of the change.
        line: changelog line.
        sdl: the schema, with both in comments at the top.
    """

    level: Semver
    line: str
    sdl: str


def update_of(report: Report, found: GraphQLSchema) -> Update:
    """Return the update for a report: major with a breaking finding, minor with others, none without any."""
    level: Semver = "major" if report.of_level("breaking") else "minor" if report.findings else "none"
    line = _line(report)
    head = f"# {line}\n# Semver: {level}. Read from {report.source} by `runql drift --update`; review it before use.\n\n"
    return Update(level, line, head + print_schema(found).rstrip() + "\n")


def write_update(path: Path, update: Update) -> None:
    """Write the SDL to a file, atomically.

    Raises:
        LocalFileError: the file cannot be written; its previous content stays.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        part.write_text(update.sdl, encoding="utf-8", newline="\n")
        os.replace(part, path)  # noqa: PTH105 - `os.replace` is atomic on every system, and says so
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LocalFileError(f"cannot write {path}", error) from error


def _line(report: Report) -> str:
    parts: list[str] = []
    for level in ("breaking", "dangerous", "deprecated", "safe"):
        found = [finding.coordinate for finding in report.findings if finding.level == level]
        if found:
            more = f" and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
            parts.append(f"{len(found)} {level} ({', '.join(found[:MAX_NAMES])}{more})")
    return f"Server schema: {'; '.join(parts) or 'no difference'}."
