"""Which runs read an artifact version, and which one made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runql.errors import ArtifactNotFoundError
from runql.resources.pages.listing import Page, read_page, refuse_circle
from runql.resources.records.identity import require_id
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import FullRunFields, PageFields
from runql_graphql.get_artifact_creator import GetArtifactCreatorArtifactPlaceRun
from runql_graphql.operations import get_artifact_creator, list_artifact_users

RUNS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """A run's fields, and the project it lies in."""

    entity: str
    project: str
    fields: FullRunFields


@dataclass(frozen=True, slots=True)
class _Edge:
    cursor: str
    node: PlacedRun | None


@dataclass(frozen=True, slots=True)
class _Users:
    total_count: int
    page_info: PageFields
    edges: Sequence[_Edge]


def list_users(artifact_id: str) -> Flow[list[PlacedRun]]:
    """The runs that read a version; one request for 50. Runs whose project the server hides are left out."""
    found: list[PlacedRun] = []
    seen: set[str | None] = set()
    after: str | None = None
    while True:
        page = yield from _list_page(artifact_id, after)
        found += [run for run in page.nodes if run is not None]
        refuse_circle(page, seen)
        if not page.more:
            return found
        after = page.cursor


def read_creator(artifact_id: str) -> Flow[PlacedRun | None]:
    """The run that made a version; one request. None when it was made by a person, or the server hides the run."""
    answer = yield from fetch(get_artifact_creator(id=artifact_id))
    if answer.artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist any more")
    require_id("artifact", artifact_id, answer.artifact.id)
    run, place = answer.artifact.created_by, answer.artifact.place
    if not isinstance(run, FullRunFields) or not isinstance(place, GetArtifactCreatorArtifactPlaceRun):
        return None
    if place.project is None:
        return None
    return PlacedRun(place.project.entity_name, place.project.name, run)


def _list_page(artifact_id: str, after: str | None) -> Flow[Page[PlacedRun | None]]:
    answer = yield from fetch(list_artifact_users(id=artifact_id, first=RUNS_A_PAGE, after=after))
    if answer.artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist any more")
    require_id("artifact", artifact_id, answer.artifact.id)
    users = answer.artifact.used_by
    edges = [
        _Edge(
            edge.cursor,
            PlacedRun(edge.place.project.entity_name, edge.place.project.name, edge.node)
            if edge.place.project
            else None,
        )
        for edge in users.edges
    ]
    return read_page(_Users(users.total_count, users.page_info, edges), after)
