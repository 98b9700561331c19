"""Sweeps in the database: find, list, create, change, and the best value of their runs."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from functools import cached_property

from runql_server import ids, lenient_json, names, timestamps
from runql_server.errors import NotFoundError, RequestError
from runql_server.listing import value_paths
from runql_server.listing.bindings import Bindings
from runql_server.listing.filters import compile_filters
from runql_server.runs import runs
from runql_server.storage.projects import Project
from runql_server.sweeps import configuration
from runql_server.sweeps.configuration import SweepConfig

_OF_SWEEP = "FROM runs WHERE runs.project_id = sweeps.project_id AND runs.sweep = sweeps.name"
# Runs may join a sweep without an agent; the first run starts the sweep.
_SELECT = f"""SELECT sweeps.*, (SELECT COUNT(*) {_OF_SWEEP}) AS run_count,
(SELECT MAX(heartbeat_at) {_OF_SWEEP}) AS last_heartbeat FROM sweeps"""


@dataclass(frozen=True)
class Sweep:
    """One sweep; attribute names are those of the schema in snake case, unless a resolver computes the field."""

    number: int
    project_number: int
    name: str
    display_name: str | None
    stored_state: str
    description: str | None
    config: str
    controller: str | None
    scheduler: str | None
    created_at: str
    updated_at: str
    heartbeat_at: str | None
    run_count: int
    early_stop_job_running: bool = False

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("Sweep", self.number)

    @cached_property
    def parsed(self) -> SweepConfig:
        """Parsed configuration."""
        return configuration.parse(self.config)

    @property
    def method(self) -> str:
        """Search method."""
        return self.parsed.method

    @property
    def run_count_expected(self) -> int | None:
        """Number of runs of the whole search, ``None`` if it is unlimited."""
        return self.parsed.expected_runs

    @property
    def state(self) -> str:
        """Current state; a new sweep is pending until its first run or agent."""
        return "RUNNING" if self.stored_state == "PENDING" and self.run_count else self.stored_state

    @property
    def is_canceled(self) -> bool:
        """Whether its runs must stop immediately."""
        return self.state in _CANCELED

    @property
    def has_local_controller(self) -> bool:
        """Whether a local process of the user chooses the runs."""
        controller = lenient_json.parse(self.controller, what="controller") if self.controller else None
        chosen = self.parsed.document.get("controller") or controller
        return isinstance(chosen, dict) and chosen.get("type") == "local"


_CANCELED = {"CANCELED", "CANCELLED"}
STATES = {"PENDING", "RUNNING", "PAUSED", "FINISHED", "STOPPED", *_CANCELED}


@dataclass(frozen=True, kw_only=True)
class SweepChange:
    """Fields that a caller may set; ``None`` leaves a field unchanged."""

    config: str | None = None
    display_name: str | None = None
    description: str | None = None
    controller: str | None = None
    scheduler: str | None = None
    state: str | None = None


def find(connection: sqlite3.Connection, project: int, name: str) -> Sweep | None:
    """Find a sweep of a project by its short id, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE sweeps.project_id = ? AND sweeps.name = ?", (project, name)
    ).fetchone()
    return None if row is None else _sweep(row)


def by_number(connection: sqlite3.Connection, number: int) -> Sweep:
    """Return the sweep with this row number."""
    row = connection.execute(f"{_SELECT} WHERE sweeps.id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("sweep not found")
    return _sweep(row)


def page(connection: sqlite3.Connection, project: int, *, after: int, first: int) -> list[Sweep]:
    """List up to ``first`` sweeps of the project with row numbers above ``after``, oldest first."""
    query = f"{_SELECT} WHERE sweeps.project_id = ? AND sweeps.id > ? ORDER BY sweeps.id LIMIT ?"
    return [_sweep(row) for row in connection.execute(query, (project, after, first))]


def count(connection: sqlite3.Connection, project: int) -> int:
    """Count the sweeps of the project."""
    row = connection.execute("SELECT COUNT(*) FROM sweeps WHERE project_id = ?", (project,)).fetchone()
    return int(row[0])


def best_loss(connection: sqlite3.Connection, sweep: Sweep) -> float | None:
    """Return the best summary value of the sweep's metric; ``None`` without a metric or a finite number."""
    metric, maximize = sweep.parsed.metric, sweep.parsed.maximize
    paths = None if metric is None else value_paths.find(f"summary_metrics.{metric}")
    if paths is None:
        return None
    bindings = Bindings(project=sweep.project_number, sweep=sweep.name)
    number = paths.number(bindings, descending=maximize)
    row = connection.execute(
        f"""SELECT {"MAX" if maximize else "MIN"}(number) FROM (SELECT {number} AS number FROM runs
            WHERE runs.project_id = :project AND runs.sweep = :sweep)""",
        bindings,
    ).fetchone()
    return float(row[0]) if row[0] is not None and math.isfinite(row[0]) else None


def create(connection: sqlite3.Connection, project: Project, config: str) -> int:
    """Insert a pending sweep, and return its row number. Needs a write transaction."""
    _ = configuration.parse(config).search
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        """INSERT INTO sweeps (project_id, name, state, config, created_at, updated_at)
           VALUES (?, ?, 'PENDING', ?, ?, ?)""",
        (project.number, names.run_id(), config, moment, moment),
    )
    return inserted.lastrowid or 0


def change(connection: sqlite3.Connection, number: int, wanted: SweepChange) -> None:
    """Set the fields that are not ``None``. Needs a write transaction."""
    if wanted.config is not None:
        _ = configuration.parse(wanted.config).search
    if wanted.state is not None and wanted.state not in STATES:
        raise RequestError(
            f"state: unknown sweep state {wanted.state!r}: known are {', '.join(sorted(STATES))}"
        )
    connection.execute(
        """UPDATE sweeps SET config = COALESCE(?, config), display_name = COALESCE(?, display_name),
           description = COALESCE(?, description), controller = COALESCE(?, controller),
           scheduler = COALESCE(?, scheduler), state = COALESCE(?, state), updated_at = ? WHERE id = ?""",
        (
            wanted.config,
            wanted.display_name,
            wanted.description,
            wanted.controller,
            wanted.scheduler,
            wanted.state,
            timestamps.to_string(timestamps.now()),
            number,
        ),
    )


def add_runs(connection: sqlite3.Connection, sweep: Sweep, filters: str, *, crash_before: str) -> None:
    """Add the project's runs that match the filter to the sweep. Needs a write transaction."""
    bindings = Bindings(project=sweep.project_number, crash_before=crash_before, sweep=sweep.name)
    condition = compile_filters(filters, bindings)
    connection.execute(
        f"""UPDATE runs SET sweep = :sweep WHERE id IN (
            SELECT runs.id {runs.FROM} WHERE runs.project_id = :project AND {condition})""",
        bindings,
    )


def _sweep(row: sqlite3.Row) -> Sweep:
    return Sweep(
        number=row["id"],
        project_number=row["project_id"],
        name=row["name"],
        display_name=row["display_name"],
        stored_state=row["state"],
        description=row["description"],
        config=row["config"],
        controller=row["controller"],
        scheduler=row["scheduler"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        heartbeat_at=row["last_heartbeat"],
        run_count=row["run_count"],
    )
