"""Agents in the database: processes that request runs from a sweep."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import timedelta

from runql_server import ids, names, timestamps
from runql_server.errors import NotFoundError, RequestError
from runql_server.sweeps.sweeps import Sweep

LOST_AFTER = timedelta(minutes=1)
"""An agent without a heartbeat for this long counts as dead; agents send one every five seconds."""

OF_AGENT = """runs.id IN (SELECT made.id FROM sweep_trials JOIN sweeps ON sweeps.id = sweep_trials.sweep_id
JOIN runs AS made ON made.project_id = sweeps.project_id AND made.name = sweep_trials.run_name
WHERE sweep_trials.agent_id = :scope)"""
"""Scope of a list of runs: the runs of an agent."""

_SELECT = f"""SELECT sweep_agents.*, sweeps.project_id,
(SELECT COUNT(*) FROM runs WHERE {OF_AGENT.replace(":scope", "sweep_agents.id")}) AS total_runs
FROM sweep_agents JOIN sweeps ON sweeps.id = sweep_agents.sweep_id"""


@dataclass(frozen=True)
class Agent:
    """One agent; attribute names are those of the schema in snake case, unless a resolver computes the field."""

    number: int
    sweep_number: int
    project_number: int
    name: str
    host: str
    has_exited: bool
    total_runs: int
    created_at: str
    heartbeat_at: str

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("Agent", self.number)

    @property
    def state(self) -> str:
        """Whether it still requests runs."""
        if self.has_exited:
            return "FINISHED"
        return "CRASHED" if self.heartbeat_at < lost_before() else "RUNNING"


def lost_before() -> str:
    """Return the oldest heartbeat of a living agent, as a timestamp string."""
    return timestamps.to_string(timestamps.now() - LOST_AFTER)


def create(connection: sqlite3.Connection, sweep: Sweep, host: str) -> int:
    """Register an agent, start its sweep, and return the row number. Needs a write transaction."""
    if sweep.state not in {"PENDING", "RUNNING", "PAUSED"}:
        raise RequestError(f"sweep {sweep.name} is not running: its state is {sweep.state}")
    if sweep.has_local_controller:
        raise RequestError(
            f"sweep {sweep.name} has a local controller, which the embedded server does not serve"
        )
    # An older server may have stored an unchecked configuration.
    _ = sweep.parsed.search
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        "INSERT INTO sweep_agents (sweep_id, name, host, created_at, heartbeat_at) VALUES (?, ?, ?, ?, ?)",
        (sweep.number, names.run_id(), host, moment, moment),
    )
    connection.execute(
        "UPDATE sweeps SET state = 'RUNNING', updated_at = ? WHERE id = ? AND state = 'PENDING'",
        (moment, sweep.number),
    )
    return inserted.lastrowid or 0


def by_number(connection: sqlite3.Connection, number: int) -> Agent:
    """Return the agent with this row number."""
    row = connection.execute(f"{_SELECT} WHERE sweep_agents.id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("agent not found")
    return _agent(row)


def by_name(connection: sqlite3.Connection, sweep: int, name: str) -> Agent | None:
    """Find an agent of a sweep by its name, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE sweep_agents.sweep_id = ? AND sweep_agents.name = ?", (sweep, name)
    ).fetchone()
    return None if row is None else _agent(row)


def page(connection: sqlite3.Connection, sweep: int, *, after: int, first: int) -> list[Agent]:
    """List up to ``first`` agents of the sweep with row numbers above ``after``, oldest first."""
    query = f"""{_SELECT} WHERE sweep_agents.sweep_id = ? AND sweep_agents.id > ?
        ORDER BY sweep_agents.id LIMIT ?"""
    return [_agent(row) for row in connection.execute(query, (sweep, after, first))]


def record_heartbeat(connection: sqlite3.Connection, number: int) -> None:
    """Record a heartbeat. Needs a write transaction."""
    connection.execute(
        "UPDATE sweep_agents SET heartbeat_at = ?, has_exited = 0 WHERE id = ?",
        (timestamps.to_string(timestamps.now()), number),
    )


def record_exit(connection: sqlite3.Connection, number: int) -> None:
    """Record that the agent received the exit command. Needs a write transaction."""
    connection.execute("UPDATE sweep_agents SET has_exited = 1 WHERE id = ?", (number,))


def _agent(row: sqlite3.Row) -> Agent:
    return Agent(
        number=row["id"],
        sweep_number=row["sweep_id"],
        project_number=row["project_id"],
        name=row["name"],
        host=row["host"],
        has_exited=bool(row["has_exited"]),
        total_runs=row["total_runs"],
        created_at=row["created_at"],
        heartbeat_at=row["heartbeat_at"],
    )
