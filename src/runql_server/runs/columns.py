"""Columns of runs that filters and orders may name, as SQL expressions over ``runs`` joined to its project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "time", "number", "bool"]

STATE = "CASE WHEN runs.state = 'running' AND runs.heartbeat_at < :crash_before THEN 'crashed' ELSE runs.state END"
"""The current state; a run that stops sending heartbeats counts as crashed without a write."""

DURATION = (
    "(CAST(strftime('%s', runs.heartbeat_at) AS INTEGER) - CAST(strftime('%s', runs.created_at) AS INTEGER))"
)
"""Seconds from creation to the last heartbeat."""


@dataclass(frozen=True)
class Column:
    """The SQL expression of a column, and the kind of its values."""

    expression: str
    kind: ColumnKind = "text"


_CREATED = Column("runs.created_at", "time")
_UPDATED = Column("runs.updated_at", "time")
_HEARTBEAT = Column("runs.heartbeat_at", "time")
_DISPLAY_NAME = Column("runs.display_name")
_GROUP = Column("runs.group_name")
_JOB_TYPE = Column("runs.job_type")
_USERNAME = Column("(SELECT username FROM users WHERE users.id = runs.user_id)")
_DURATION = Column(DURATION, "number")
_READ_ONLY = Column("0", "bool")

COLUMNS: dict[str, Column] = {
    "createdAt": _CREATED,
    "created_at": _CREATED,
    "updatedAt": _UPDATED,
    "updated_at": _UPDATED,
    "heartbeatAt": _HEARTBEAT,
    "heartbeat_at": _HEARTBEAT,
    "name": Column("runs.name"),
    "displayName": _DISPLAY_NAME,
    "display_name": _DISPLAY_NAME,
    "state": Column(f"({STATE})"),
    "group": _GROUP,
    "jobType": _JOB_TYPE,
    "job_type": _JOB_TYPE,
    "host": Column("runs.host"),
    "notes": Column("runs.notes"),
    "description": Column("runs.description"),
    "commit": Column("runs.commit_sha"),
    "sweep": Column("runs.sweep"),
    "sweepName": Column("runs.sweep"),
    "user": _USERNAME,
    "username": _USERNAME,
    "entity": Column("entities.name"),
    "project": Column("projects.name"),
    "duration": _DURATION,
    "computeSeconds": _DURATION,
    "exitcode": Column("runs.exitcode", "number"),
    "readOnly": _READ_ONLY,
    "read_only": _READ_ONLY,
}
