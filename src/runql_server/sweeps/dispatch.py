"""Commands for agents: run, resume, stop, exit, or none."""

from __future__ import annotations

import sqlite3

from runql_server.lenient_json import JsonObject
from runql_server.sweeps import agents, brackets, sweeps, trials
from runql_server.sweeps.agents import Agent
from runql_server.sweeps.sweeps import Sweep, SweepChange
from runql_server.sweeps.trials import Trial


def command(
    connection: sqlite3.Connection, agent: Agent, reported: list[str], *, crash_before: str
) -> JsonObject | None:
    """Process a heartbeat with the runs that the agent reports; return its next command. Needs a write transaction.

    There is at most one command: the official SDK's agents run one process at a time, and the agent for Python
    functions reads only the first command.
    """
    sweep = sweeps.by_number(connection, agent.sweep_number)
    agents.record_heartbeat(connection, agent.number)
    trials.report(connection, sweep, agent, reported)
    trials.delete_lost(connection, sweep, agents.lost_before())
    if sweep.state == "RUNNING" and sweep.parsed.search.early_stopping is not None:
        brackets.stop_worse_runs(connection, sweep, sweep.parsed.search.early_stopping)
    if reported:
        ending = reported if sweep.is_canceled else trials.stopping(connection, sweep, reported)
        return {"type": "stop", "run_id": ending[0]} if ending else None
    if sweep.state == "PAUSED":
        return None
    trial = None
    if sweep.state == "RUNNING":
        trial = trials.next_for(connection, sweep, agent, crash_before=crash_before)
        if trial is None and trials.has_undecided(connection, sweep):
            return None
    if trial is not None:
        return _run(sweep, trial)
    if sweep.state == "RUNNING":
        sweeps.change(connection, sweep.number, SweepChange(state="FINISHED"))
    agents.record_exit(connection, agent.number)
    return {"type": "exit"}


def _run(sweep: Sweep, trial: Trial) -> JsonObject:
    return {
        "type": "resume" if trial.resumes else "run",
        "run_id": trial.run_name,
        "program": sweep.parsed.program,
        "args": {name: {"value": value} for name, value in trial.values.items()},
    }
