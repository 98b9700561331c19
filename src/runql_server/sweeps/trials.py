"""Trials in the database: points of a search that agents received, each with the id of its run."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import lenient_json, names
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.runs import run_values
from runql_server.runs.columns import STATE
from runql_server.sweeps.agents import Agent
from runql_server.sweeps.configuration import Search
from runql_server.sweeps.sweeps import Sweep

# A trial is `sent` with a command, `running` while its agent reports it, then `ended`. A trial that its agent never
# reports is `unseen`; the server sends it once more (`resent`), because the response may have been lost. The server
# deletes trials without runs of dead agents, and trials of deleted runs: their points are free again.
_RUN = """SELECT {} FROM runs WHERE runs.project_id = :project AND runs.name = sweep_trials.run_name"""
_HAS_RUN = f"EXISTS ({_RUN.format('1')})"


@dataclass(frozen=True)
class Trial:
    """One point, and the id of its run."""

    number: int
    run_name: str
    values: JsonObject
    resumes: bool


def report(connection: sqlite3.Connection, sweep: Sweep, agent: Agent, reported: list[str]) -> None:
    """Record the runs that an agent reports; its other trials end. Needs a write transaction."""
    parameters = {
        "agent": agent.number,
        "project": sweep.project_number,
        "names": lenient_json.dump(reported),
    }
    listed = "run_name IN (SELECT value FROM json_each(:names))"
    connection.execute(
        f"UPDATE sweep_trials SET state = 'running' WHERE agent_id = :agent AND {listed}", parameters
    )
    connection.execute(
        f"""UPDATE sweep_trials SET state = CASE WHEN state = 'sent' AND NOT {_HAS_RUN} THEN 'unseen' ELSE 'ended' END
            WHERE agent_id = :agent AND state NOT IN ('ended', 'unseen') AND NOT {listed}""",
        parameters,
    )


def delete_lost(connection: sqlite3.Connection, sweep: Sweep, lost_before: str) -> None:
    """Delete trials without runs of dead agents, so that their points are free. Needs a write transaction."""
    parameters = {"sweep": sweep.number, "project": sweep.project_number, "lost_before": lost_before}
    dead = """sweep_id = :sweep AND state != 'ended'
        AND agent_id IN (SELECT id FROM sweep_agents WHERE heartbeat_at < :lost_before)"""
    connection.execute(f"DELETE FROM sweep_trials WHERE {dead} AND NOT {_HAS_RUN}", parameters)
    connection.execute(f"UPDATE sweep_trials SET state = 'ended' WHERE {dead}", parameters)


def delete_of_run(connection: sqlite3.Connection, run: int) -> None:
    """Delete the trial of a run that is being deleted, so that its point is free. Needs a write transaction."""
    connection.execute(
        """DELETE FROM sweep_trials WHERE (sweep_id, run_name) IN (SELECT sweeps.id, runs.name FROM runs
           JOIN sweeps ON sweeps.project_id = runs.project_id AND sweeps.name = runs.sweep WHERE runs.id = ?)""",
        (run,),
    )


def has_undecided(connection: sqlite3.Connection, sweep: Sweep) -> bool:
    """Check for sent trials that may or may not become runs."""
    query = (
        f"SELECT 1 FROM sweep_trials WHERE sweep_id = :sweep AND state != 'ended' AND NOT {_HAS_RUN} LIMIT 1"
    )
    parameters = {"sweep": sweep.number, "project": sweep.project_number}
    return connection.execute(query, parameters).fetchone() is not None


def next_for(
    connection: sqlite3.Connection, sweep: Sweep, agent: Agent, *, crash_before: str
) -> Trial | None:
    """Choose the next trial and mark it as sent; ``None`` if the search has none. Needs a write transaction.

    Unseen trials come first, then preempted runs, then new points.
    """
    again = _repeatable_trial(connection, sweep, agent, crash_before)
    if again is not None:
        connection.execute(
            """UPDATE sweep_trials SET agent_id = ?, stopping = 0,
               state = CASE state WHEN 'unseen' THEN 'resent' ELSE 'sent' END WHERE id = ?""",
            (agent.number, again.number),
        )
        return again
    if _is_full(connection, sweep):
        return None
    search = sweep.parsed.search
    values, name = _free_point(connection, sweep, search), names.run_id()
    if values is None:
        return None
    inserted = connection.execute(
        "INSERT INTO sweep_trials (sweep_id, agent_id, run_name, args, state) VALUES (?, ?, ?, ?, 'sent')",
        (sweep.number, agent.number, name, lenient_json.dump(values)),
    )
    return Trial(inserted.lastrowid or 0, name, values, resumes=False)


def stop(connection: sqlite3.Connection, sweep: Sweep, run_name: str) -> None:
    """Request that the agent of a run stops it. Needs a write transaction."""
    connection.execute(
        "UPDATE sweep_trials SET stopping = 1 WHERE sweep_id = ? AND run_name = ?", (sweep.number, run_name)
    )


def stopping(connection: sqlite3.Connection, sweep: Sweep, reported: list[str]) -> list[str]:
    """Return those of the reported runs that must stop, by early stopping or on request of a user."""
    query = f"""SELECT run_name FROM sweep_trials WHERE sweep_id = :sweep
        AND run_name IN (SELECT value FROM json_each(:names))
        AND (stopping OR COALESCE(({_RUN.format("stop_requested")}), 0))"""
    parameters = {
        "sweep": sweep.number,
        "project": sweep.project_number,
        "names": lenient_json.dump(reported),
    }
    return [row["run_name"] for row in connection.execute(query, parameters)]


def _repeatable_trial(
    connection: sqlite3.Connection, sweep: Sweep, agent: Agent, crash_before: str
) -> Trial | None:
    preempted = f"(state = 'ended' AND ({_RUN.format(STATE)}) = 'preempted')"
    query = f"""SELECT id, run_name, args, state FROM sweep_trials WHERE sweep_id = :sweep
        AND ((state = 'unseen' AND agent_id = :agent) OR {preempted}) ORDER BY id LIMIT 1"""
    parameters = {
        "sweep": sweep.number,
        "project": sweep.project_number,
        "agent": agent.number,
        "crash_before": crash_before,
    }
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        return None
    values = lenient_json.parse_object(row["args"], what="trial")
    return Trial(row["id"], row["run_name"], values, resumes=row["state"] == "ended")


def _is_full(connection: sqlite3.Connection, sweep: Sweep) -> bool:
    cap = sweep.parsed.run_cap
    if cap is None:
        return False
    query = f"SELECT COUNT(*) FROM sweep_trials WHERE sweep_id = :sweep AND NOT {_HAS_RUN}"
    parameters = {"sweep": sweep.number, "project": sweep.project_number}
    without_run = int(connection.execute(query, parameters).fetchone()[0])
    return sweep.run_count + without_run >= cap


def _free_point(connection: sqlite3.Connection, sweep: Sweep, search: Search) -> JsonObject | None:
    if search.points is None:
        row = connection.execute(
            "SELECT MAX(id) FROM sweep_trials WHERE sweep_id = ?", (sweep.number,)
        ).fetchone()
        return search.draw(f"{sweep.name}/{row[0] or 0}")
    # Compared by value, because the grid may have changed and runs may have joined the sweep.
    rows = connection.execute("SELECT args FROM sweep_trials WHERE sweep_id = ?", (sweep.number,))
    taken = {row["args"] for row in rows} | _points_of_joined_runs(connection, sweep, search)
    points = (search.point(index) for index in range(search.points))
    return next((point for point in points if lenient_json.dump(point) not in taken), None)


def _points_of_joined_runs(connection: sqlite3.Connection, sweep: Sweep, search: Search) -> set[str]:
    """Return the points in the configs of runs without a trial, which joined the sweep."""
    query = """SELECT config FROM runs WHERE project_id = :project AND sweep = :name
        AND name NOT IN (SELECT run_name FROM sweep_trials WHERE sweep_id = :sweep)"""
    parameters = {"project": sweep.project_number, "name": sweep.name, "sweep": sweep.number}
    configs = [
        lenient_json.parse_object(row["config"], what="config")
        for row in connection.execute(query, parameters)
    ]
    return {
        lenient_json.dump({name: _value(config, name) for name in search.space.parameters})
        for config in configs
    }


def _value(config: JsonObject, name: str) -> JsonValue:
    return run_values.unwrap(config.get(name))
