"""The front page: all projects of this server."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from runql_server.pages.handlers import Visit

# A project changes when one of its runs does.
_PROJECTS = """
SELECT entities.name AS entity, projects.name AS name, COUNT(runs.id) AS runs,
       MAX(projects.updated_at, COALESCE(MAX(runs.heartbeat_at), '')) AS changed
FROM projects JOIN entities ON entities.id = projects.entity_id LEFT JOIN runs ON runs.project_id = projects.id
GROUP BY projects.id ORDER BY changed DESC, projects.id
"""


@dataclass(frozen=True)
class ProjectLine:
    """One line of the table."""

    entity: str
    name: str
    runs: int
    changed: str


def home(visit: Visit) -> Response:
    """List the projects, the last changed first."""
    return visit.page(
        "home.html", projects=[ProjectLine(**row) for row in visit.connection.execute(_PROJECTS)]
    )
