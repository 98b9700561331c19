"""Writing down a schema that has moved, for somebody to look at: the SDL, a changelog line and its semver level."""

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
    """A schema as it is now.

    Attributes:
        level: what the change asks of whoever depends on it.
        line: for a changelog.
        sdl: the schema, with both in comments at its head.
    """

    level: Semver
    line: str
    sdl: str


def update_of(report: Report, found: GraphQLSchema) -> Update:
    """What to write for a report: breaking changes are major, all others minor."""
    level: Semver = "major" if report.of_level("breaking") else "minor" if report.findings else "none"
    line = _line(report)
    head = f"# {line}\n# Semver: {level}. Read from {report.source} by `runql drift --update`; review it before use.\n\n"
    return Update(level, line, head + print_schema(found).rstrip() + "\n")


def write_update(path: Path, update: Update) -> None:
    """Put the SDL into its place, whole or not at all.

    Raises:
        LocalFileError: it cannot be written; what was there stays.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        part.write_text(update.sdl, encoding="utf-8")
        os.replace(part, path)  # noqa: PTH105 - the same word for what it does on every system
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
