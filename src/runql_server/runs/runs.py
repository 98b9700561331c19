"""Runs in the database: find, create, change and delete."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from runql_server import ids, lenient_json, names, timestamps
from runql_server.errors import NotFoundError, RequestError
from runql_server.runs import run_values
from runql_server.runs.columns import DURATION, STATE
from runql_server.storage.projects import Project

STATES = frozenset(
    {"running", "finished", "crashed", "failed", "killed", "pending", "preempting", "preempted"}
)
FROM = """FROM runs JOIN projects ON projects.id = runs.project_id JOIN entities ON entities.id = projects.entity_id"""
_SELECT = f"""SELECT runs.*, ({STATE}) AS state_now, {DURATION} AS compute_seconds,
projects.name AS project_name, entities.name AS entity_name {FROM}"""


@dataclass(frozen=True)
class Run:
    """One run; attribute names are those of the schema in snake case, unless a resolver computes the field."""

    number: int
    project_number: int
    project_name: str
    entity_name: str
    user_number: int
    name: str
    display_name: str
    state: str
    group: str | None
    job_type: str | None
    sweep_name: str | None
    host: str | None
    commit: str | None
    job_program: str | None
    created_at: str
    updated_at: str
    heartbeat_at: str
    compute_seconds: int
    exitcode: int | None
    stopped: bool
    description: str | None
    notes: str | None
    config_text: str
    summary_text: str
    system_metrics: str | None
    read_only: bool = False

    @property
    def id(self) -> str:
        """Opaque storage id."""
        return ids.encode("Run", self.number)

    @property
    def project_id(self) -> str:
        """The project's row number as a string, which the SDK converts to an int."""
        return str(self.project_number)

    @property
    def should_stop(self) -> bool:
        """Another name of the same flag."""
        return self.stopped

    @property
    def running(self) -> bool:
        """Whether the run is running now."""
        return self.state == "running"

    @property
    def failed(self) -> bool:
        """Whether the run failed or crashed."""
        return self.state in {"failed", "crashed", "killed"}


@dataclass(frozen=True, kw_only=True)
class RunChange:
    """Fields that a caller may set; ``None`` leaves a field unchanged. JSON strings and tags replace old ones."""

    display_name: str | None = None
    group_name: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    host: str | None = None
    commit_sha: str | None = None
    job_program: str | None = None
    description: str | None = None
    notes: str | None = None
    state: str | None = None
    config: str | None = None
    summary: str | None = None
    tags: list[str] | None = None


_PLAIN = [
    "display_name",
    "group_name",
    "job_type",
    "sweep",
    "host",
    "commit_sha",
    "job_program",
    "description",
    "notes",
    "state",
    "config",
    "summary",
]


def find(connection: sqlite3.Connection, project: int, name: str, *, crash_before: str) -> Run | None:
    """Find a run of a project by its run id, or return ``None``."""
    query = f"{_SELECT} WHERE runs.project_id = :project AND runs.name = :name"
    row = connection.execute(
        query, {"project": project, "name": name, "crash_before": crash_before}
    ).fetchone()
    return None if row is None else _run(row)


def by_number(connection: sqlite3.Connection, number: int, *, crash_before: str) -> Run:
    """Return the run with this row number."""
    row = connection.execute(
        f"{_SELECT} WHERE runs.id = :number", {"number": number, "crash_before": crash_before}
    ).fetchone()
    if row is None:
        raise NotFoundError("run not found")
    return _run(row)


def by_numbers(connection: sqlite3.Connection, numbers: list[int], *, crash_before: str) -> list[Run]:
    """Return the runs with these row numbers, in the given order."""
    parameters = {"numbers": lenient_json.dump(numbers), "crash_before": crash_before}
    rows = connection.execute(
        f"{_SELECT} WHERE runs.id IN (SELECT value FROM json_each(:numbers))", parameters
    )
    found = {row["id"]: _run(row) for row in rows}
    return [found[number] for number in numbers if number in found]


def number_of(connection: sqlite3.Connection, entity: str, project: str, name: str) -> int:
    """Return the row number of a run; raises ``NotFoundError``."""
    row = connection.execute(
        f"SELECT runs.id {FROM} WHERE entities.name = ? AND projects.name = ? AND runs.name = ?",
        (entity, project, name),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"run {entity}/{project}/{name} not found")
    return int(row["id"])


def create(connection: sqlite3.Connection, project: Project, name: str | None, *, user: int) -> int:
    """Insert a running run with default fields, and return its row number. Needs a write transaction."""
    chosen = names.run_id() if name is None else names.check_name(name, what="run id")
    connection.execute("UPDATE projects SET runs_created = runs_created + 1 WHERE id = ?", (project.number,))
    row = connection.execute("SELECT runs_created FROM projects WHERE id = ?", (project.number,)).fetchone()
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        """INSERT INTO runs (project_id, user_id, name, display_name, state, created_at, updated_at, heartbeat_at)
           VALUES (?, ?, ?, ?, 'running', ?, ?, ?)""",
        (project.number, user, chosen, names.display_name(row["runs_created"]), moment, moment, moment),
    )
    return inserted.lastrowid or 0


def change(connection: sqlite3.Connection, number: int, wanted: RunChange) -> None:
    """Set the fields that are not ``None``. Needs a write transaction."""
    if wanted.state is not None and wanted.state not in STATES:
        raise RequestError(f"state: unknown run state {wanted.state!r}")
    given = {name: getattr(wanted, name) for name in _PLAIN if getattr(wanted, name) is not None}
    given["updated_at"] = timestamps.to_string(timestamps.now())
    assignments = ", ".join(f"{name} = :{name}" for name in given)
    connection.execute(f"UPDATE runs SET {assignments} WHERE id = :number", given | {"number": number})
    if wanted.config is not None:
        run_values.replace(connection, number, "config", wanted.config)
    if wanted.summary is not None:
        run_values.replace(connection, number, "summary_metrics", wanted.summary)
    if wanted.tags is not None:
        _replace_tags(connection, number, wanted.tags)


def merged_config(connection: sqlite3.Connection, number: int, text: str) -> str:
    """Merge a config, given as a JSON string, into the stored one, object by object."""
    row = connection.execute("SELECT config FROM runs WHERE id = ?", (number,)).fetchone()
    stored = lenient_json.parse_object(row["config"], what="config")
    return lenient_json.dump(lenient_json.merge(stored, lenient_json.parse_object(text, what="config")))


def tags(connection: sqlite3.Connection, number: int) -> list[str]:
    """Return the tags in the order of their assignment."""
    rows = connection.execute("SELECT tag FROM run_tags WHERE run_id = ? ORDER BY position", (number,))
    return [row["tag"] for row in rows]


def delete(connection: sqlite3.Connection, number: int) -> None:
    """Delete a run and all its rows; the caller removes its blobs. Needs a write transaction."""
    if connection.execute("DELETE FROM runs WHERE id = ?", (number,)).rowcount == 0:
        raise NotFoundError("run not found")


def request_stop(connection: sqlite3.Connection, number: int) -> None:
    """Request that the run stops; the next response notifies its process. Needs a write transaction."""
    connection.execute("UPDATE runs SET stop_requested = 1 WHERE id = ?", (number,))


def _replace_tags(connection: sqlite3.Connection, number: int, wanted: Iterable[str]) -> None:
    connection.execute("DELETE FROM run_tags WHERE run_id = ?", (number,))
    connection.executemany(
        "INSERT INTO run_tags (run_id, position, tag) VALUES (?, ?, ?)",
        ((number, position, tag) for position, tag in enumerate(dict.fromkeys(wanted))),
    )


def _run(row: sqlite3.Row) -> Run:
    return Run(
        number=row["id"],
        project_number=row["project_id"],
        project_name=row["project_name"],
        entity_name=row["entity_name"],
        user_number=row["user_id"],
        name=row["name"],
        display_name=row["display_name"],
        state=row["state_now"],
        group=row["group_name"],
        job_type=row["job_type"],
        sweep_name=row["sweep"],
        host=row["host"],
        commit=row["commit_sha"],
        job_program=row["job_program"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        heartbeat_at=row["heartbeat_at"],
        compute_seconds=row["compute_seconds"],
        exitcode=row["exitcode"],
        stopped=bool(row["stop_requested"]),
        description=row["description"],
        notes=row["notes"],
        config_text=row["config"],
        summary_text=row["summary"],
        system_metrics=row["system_metrics"],
    )
