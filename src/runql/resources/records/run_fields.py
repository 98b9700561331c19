"""Reading the fields of one run, for its own record and for those that belong to it."""

from __future__ import annotations

from typing import Final

from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_run, get_run_state

PROJECT_ID: Final = "Run.projectId"


def read_run(entity: str, project: str, run: str) -> Flow[FullRunFields]:
    """One run in the full shape; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
    """
    answer = yield from fetch(get_run(entity=entity, project=project, run=run))
    return require_run(answer.project, entity, project, run)


def read_state(entity: str, project: str, run: str) -> Flow[str]:
    """The run's state now; one request."""
    answer = yield from fetch(get_run_state(entity=entity, project=project, run=run))
    return require_run(answer.project, entity, project, run).state or "not found"


def project_number(fields: RunFields | FullRunFields) -> int | None:
    """The server's number for the run's project; None where it gives none, or one that is no number."""
    text = fields.project_id or ""
    return int(text) if text.isdecimal() else None
