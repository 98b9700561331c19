"""Artifacts that a run logged and used, and runs that logged and used an artifact."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from runql_server.artifacts import aliases, lineage, memberships, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts.lineage import Direction
from runql_server.pages.rendering import url
from runql_server.runs import runs

MOST: Final = 200
"""Lines of a list of artifacts or runs."""


@dataclass(frozen=True)
class ArtifactLine:
    """One version: its name, such as ``weights:v3``, and its page."""

    name: str
    type: str
    path: str
    aliases: list[str]
    size: int


@dataclass(frozen=True)
class ArtifactList:
    """Some versions of ``total``."""

    lines: list[ArtifactLine]
    total: int


@dataclass(frozen=True)
class RunList:
    """Names and pages of runs, of ``total``."""

    lines: list[tuple[str, str]]
    total: int


def of_run(connection: sqlite3.Connection, direction: Direction, run: int) -> ArtifactList:
    """List the versions that a run logged or used, oldest first."""
    numbers = lineage.page(connection, direction, run, after=0, first=MOST)
    found = [line for number in numbers if (line := _artifact(connection, number)) is not None]
    return ArtifactList(found, lineage.count(connection, direction, run))


def of_artifact(
    connection: sqlite3.Connection, direction: Direction, artifact: int, *, crash_before: str
) -> RunList:
    """List the runs that logged or used a version, oldest first."""
    queries = {
        "inputs": "SELECT DISTINCT run_id FROM artifact_inputs WHERE artifact_id = ? ORDER BY run_id",
        "outputs": "SELECT DISTINCT run_id FROM artifact_outputs WHERE artifact_id = ? ORDER BY run_id",
    }
    numbers = [int(row["run_id"]) for row in connection.execute(queries[direction], (artifact,))]
    found = [runs.by_number(connection, number, crash_before=crash_before) for number in numbers[:MOST]]
    return RunList(
        [(run.display_name, url(run.entity_name, run.project_name, "runs", run.name)) for run in found],
        len(numbers),
    )


def _artifact(connection: sqlite3.Connection, number: int) -> ArtifactLine | None:
    places = memberships.of_artifact(connection, number)
    if not places:
        # A version that is not committed yet has no name.
        return None
    home = artifact_collections.by_number(connection, places[0].collection_number)
    found = versions.by_number(connection, number)
    return ArtifactLine(
        name=f"{home.name}:{places[0].version}",
        type=home.type_name,
        path=url(
            home.entity_name, home.project_name, "artifacts", home.type_name, home.name, places[0].version
        ),
        aliases=[each.alias for each in aliases.of_membership(connection, places[0].number)],
        size=found.size,
    )
