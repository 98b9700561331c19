"""Forks: runs that begin with the rows of another run, up to a step that their config names."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import lenient_json
from runql_server.errors import NotFoundError, RequestError
from runql_server.runs import lines, run_values


@dataclass(frozen=True)
class BranchPoint:
    """The parent's run id, and the last step that the fork shares with it."""

    run_name: str
    step: int | float


def branch_point(config_text: str) -> BranchPoint | None:
    """Read the branch point from a config that the SDK wrote; ``None`` for a run that is no fork."""
    internal = run_values.unwrap(lenient_json.parse_object(config_text, what="config").get("_wandb"))
    point = internal.get("branch_point") if isinstance(internal, dict) else None
    if point is None:
        return None
    name, step = (point.get("run_id"), point.get("step")) if isinstance(point, dict) else (None, None)
    if not isinstance(name, str) or isinstance(step, bool) or not isinstance(step, int | float):
        raise RequestError("config: _wandb.branch_point needs a run_id and a step")
    return BranchPoint(name, run_values.sql_number(step))


def copy_parent_rows(connection: sqlite3.Connection, run: int, point: BranchPoint) -> None:
    """Copy the parent's rows up to the branch point to a new run. Needs a write transaction.

    Raises:
        NotFoundError: the project has no such parent.
    """
    query = """SELECT parent.id FROM runs AS parent JOIN runs ON runs.project_id = parent.project_id
        WHERE runs.id = ? AND parent.name = ? AND parent.id != runs.id"""
    parent = connection.execute(query, (run, point.run_name)).fetchone()
    if parent is None:
        raise NotFoundError(f"run {point.run_name} not found in this project: it cannot be forked")
    inherited = lines.copy_history(connection, parent["id"], run, up_to=point.step)
    connection.execute("UPDATE runs SET inherited_lines = ? WHERE id = ?", (inherited, run))


def stored_offset(connection: sqlite3.Connection, run: int, offset: int) -> int:
    """Convert an offset of the file stream to a line number. Needs a write transaction.

    The process that forks counts its lines from 0. A process that resumes the fork counts from `historyLineCount`,
    which includes the inherited lines.
    """
    row = connection.execute("SELECT inherited_lines FROM runs WHERE id = ?", (run,)).fetchone()
    inherited = int(row["inherited_lines"])
    if inherited and offset >= lines.line_count(connection, "history", run):
        # A count from 0 cannot be this high: this process resumed the fork, and all later ones will.
        connection.execute("UPDATE runs SET inherited_lines = 0 WHERE id = ?", (run,))
        return offset
    return offset + inherited
