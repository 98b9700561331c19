"""Bodies as the server writes them: runs, connections, projects."""

from __future__ import annotations

from collections.abc import Sequence

from tests.unit.transport.stepping import answered

from runql.transport.wire import Response


def run_body(run_id: str, *, full: bool = False, **given: object) -> dict[str, object]:
    """A run in the light or the full shape, with the fields that were given."""
    body: dict[str, object] = {
        "id": f"storage:{run_id}",
        "name": run_id,
        "displayName": f"run {run_id}",
        "projectId": "77",
        "state": "finished",
        "tags": [],
        "readOnly": False,
        "createdAt": "2026-07-01T12:00:00",
        "historyLineCount": 0,
        "user": {"name": "Ada", "username": "ada"},
    }
    if full:
        body |= {"config": "{}", "summaryMetrics": "{}", "systemMetrics": "{}", "historyKeys": None}
    return body | given


def in_project(**fields: object) -> Response:
    """An answer whose project has these fields."""
    return answered({"project": fields})


def connection(
    nodes: Sequence[object], *, cursor: str | None = None, more: bool = False, total: int | None = None
) -> dict[str, object]:
    """A connection of these nodes; the edges' cursors count on from ``c``."""
    return {
        "totalCount": len(nodes) if total is None else total,
        "pageInfo": {"endCursor": cursor, "hasNextPage": more},
        "edges": [{"cursor": f"c{place}", "node": node} for place, node in enumerate(nodes)],
    }


def page_of(
    *run_ids: str, cursor: str | None = None, more: bool = False, full: bool = True, total: int | None = None
) -> Response:
    """The answer to a page of runs."""
    nodes = [run_body(run_id, full=full) for run_id in run_ids]
    return in_project(runs=connection(nodes, cursor=cursor, more=more, total=total))
