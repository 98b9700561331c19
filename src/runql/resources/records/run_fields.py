"""Reading the fields of one run, for its own record and for those that belong to it."""

from __future__ import annotations

from typing import Final

from runql.paths import RunAddress
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_run, get_run_state

PROJECT_ID: Final = "Run.projectId"


def read_run(run: RunAddress) -> Flow[FullRunFields]:
    """One run in the full shape; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
    """
    answer = yield from fetch(get_run(entity=run.entity, project=run.project, run=run.run_id))
    return require_run(answer.project, run.entity, run.project, run.run_id)


def read_state(run: RunAddress) -> Flow[str]:
    """The run's state now; one request."""
    answer = yield from fetch(get_run_state(entity=run.entity, project=run.project, run=run.run_id))
    return require_run(answer.project, run.entity, run.project, run.run_id).state or "not found"


def project_number(fields: RunFields | FullRunFields) -> int | None:
    """The server's number for the run's project; None where it gives none, or one that is no number."""
    text = fields.project_id or ""
    return int(text) if text.isdecimal() else None
