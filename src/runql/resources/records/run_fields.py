"""Reading the fields of one run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from runql.paths import RunAddress
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_run, get_run_state

UNEDITED: Final = ("commit", "heartbeatAt", "historyKeys", "systemMetrics", "user")
"""Fields of a run that may be missing from a partial result: no edit writes them back, and null is a value of each."""

PROJECT_ID: Final = "Run.projectId"


def read_run(run: RunAddress, *, may_lack: Collection[str] = ()) -> Flow[FullRunFields]:
    """Read all fields of a run; one request. A partial result may lack some of them.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project has no such run.
    """
    response = yield from fetch(
        get_run(entity=run.entity, project=run.project, run=run.run_id),
        may_lack=[("project", "run", field) for field in may_lack],
    )
    return require_run(response.project, run.entity, run.project, run.run_id)


def read_state(run: RunAddress) -> Flow[str]:
    """Read the state of a run; one request."""
    response = yield from fetch(get_run_state(entity=run.entity, project=run.project, run=run.run_id))
    return require_run(response.project, run.entity, run.project, run.run_id).state or "not found"


def project_number(fields: RunFields | FullRunFields) -> int | None:
    """Return the server's number of the run's project; None if the server returns none."""
    number = fields.project_id or ""
    return int(number) if number.isdecimal() else None
