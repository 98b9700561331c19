"""Inserts runs into a store without the SDK, for tests and benchmarks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runql_server import lenient_json, timestamps
from runql_server.access import auth
from runql_server.lenient_json import JsonInput
from runql_server.runs import lines, runs
from runql_server.runs.runs import RunChange
from runql_server.storage import projects
from runql_server.storage.projects import Project
from runql_server.storage.store import Store

_CHUNK = 5_000

Row = str | Mapping[str, JsonInput]
"""A history or event row: a JSON string as the SDK sends it, or its values."""


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One run to insert.

    ``config`` holds bare values; seeding adds the ``value`` level, as the SDK does. A history row without ``_step``
    gets its line number. ``created_at`` and ``heartbeat_at`` default to now.
    """

    name: str | None = None
    display_name: str | None = None
    state: str = "finished"
    config: Mapping[str, JsonInput] = field(default_factory=dict[str, JsonInput])
    summary: Mapping[str, JsonInput] = field(default_factory=dict[str, JsonInput])
    tags: tuple[str, ...] = ()
    group: str | None = None
    job_type: str | None = None
    host: str | None = None
    notes: str | None = None
    sweep: str | None = None
    created_at: datetime | None = None
    heartbeat_at: datetime | None = None
    history: Iterable[Row] = ()
    events: Iterable[Row] = ()
    log: tuple[str, ...] = ()


def seed_runs(store: Store, *, project: str, runs: Iterable[SeedRun], entity: str | None = None) -> list[str]:
    """Insert runs with all their rows in one transaction, and return their run ids in order.

    Creates the project if it is missing. The entity defaults to the server's own. The user must exist: add a key to
    the store first.
    """
    with store.writing() as connection:
        home = projects.ensure(connection, entity or auth.USERNAME, project, user=1)
        return [_seed(connection, home, run, store.crash_before()) for run in runs]


def _seed(connection: sqlite3.Connection, project: Project, run: SeedRun, crash_before: str) -> str:
    number = runs.create(connection, project, run.name, user=1)
    runs.change(
        connection,
        number,
        RunChange(
            display_name=run.display_name,
            state=run.state,
            config=lenient_json.dump(
                {key: {"value": value, "desc": None} for key, value in run.config.items()}
            ),
            summary=lenient_json.dump(run.summary),
            tags=list(run.tags),
            group_name=run.group,
            job_type=run.job_type,
            host=run.host,
            notes=run.notes,
            sweep=run.sweep,
        ),
    )
    _set_times(connection, number, run)
    for offset, chunk in _chunks(run.history):
        strings = [_with_step(row, offset + index) for index, row in enumerate(chunk)]
        lines.write_history(connection, number, lines.parse_history(strings, offset))
    for offset, chunk in _chunks(run.events):
        lines.write_events(connection, number, [_text(row) for row in chunk], offset)
    lines.write_lines(connection, "log_lines", number, run.log, 0)
    return runs.by_number(connection, number, crash_before=crash_before).name


def _set_times(connection: sqlite3.Connection, number: int, run: SeedRun) -> None:
    created = run.created_at or timestamps.now()
    heartbeat = run.heartbeat_at or created
    connection.execute(
        "UPDATE runs SET created_at = ?, heartbeat_at = ? WHERE id = ?",
        (timestamps.to_string(created), timestamps.to_string(heartbeat), number),
    )


def _chunks(rows: Iterable[Row]) -> Iterable[tuple[int, list[Row]]]:
    chunk: list[Row] = []
    offset = 0
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield offset, chunk
            offset, chunk = offset + _CHUNK, []
    if chunk:
        yield offset, chunk


def _with_step(row: Row, line: int) -> str:
    return _text(row if isinstance(row, str) or "_step" in row else {**row, "_step": line})


def _text(row: Row) -> str:
    return row if isinstance(row, str) else lenient_json.dump(row)
