"""Resolvers of projects: one by name, lists, and their runs."""

from __future__ import annotations

from typing import Final

from ariadne import ObjectType, QueryType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.access import accounts
from runql_server.access.accounts import Entity, User
from runql_server.errors import NotFoundError
from runql_server.graphql import context
from runql_server.listing import cursors, pages
from runql_server.listing.pages import RunPage, check_first, in_row_order
from runql_server.runs import runs
from runql_server.runs.runs import Run
from runql_server.storage import projects
from runql_server.storage.projects import Project

query: Final = QueryType()
entity: Final = ObjectType("Entity")
project: Final = ObjectType("Project")
run_connection: Final = ObjectType("RunConnection")


@query.field("project")
@query.field("model")
def one_project(
    _root: object, info: GraphQLResolveInfo, name: str | None = None, entity_name: str | None = None
) -> Project | None:
    """Return a project, null when absent, as the real server does; no entity means the caller's own."""
    request = context.of(info)
    return projects.find(request.connection, entity_name or request.user.entity, name or "")


@query.field("projects")
@query.field("models")
def list_projects(
    _root: object,
    info: GraphQLResolveInfo,
    entity_name: str | None = None,
    after: str | None = None,
    first: int | None = None,
    **_ignored: str | int | None,
) -> dict[str, object]:
    """Return the projects of an entity, oldest first."""
    return _project_page(info, entity_name or context.of(info).user.entity, after, first)


@entity.field("projects")
def entity_projects(
    source: Entity,
    info: GraphQLResolveInfo,
    after: str | None = None,
    first: int | None = None,
    **_ignored: str | int | None,
) -> dict[str, object]:
    """Return the projects of this entity, oldest first."""
    return _project_page(info, source.name, after, first)


@project.field("entity")
def project_entity(source: Project, info: GraphQLResolveInfo) -> Entity | None:
    """Return the entity of the project."""
    return accounts.entity_by_name(context.of(info).connection, source.entity_name)


@project.field("user")
def project_user(source: Project, info: GraphQLResolveInfo) -> User:
    """Return the user who created it."""
    return accounts.user_by_number(context.of(info).connection, source.user_number)


@project.field("run")
def project_run(source: Project, info: GraphQLResolveInfo, name: str, **_desc: str | None) -> Run | None:
    """Return a run by its run id; null when absent."""
    return _run_of(source, info, name)


@project.field("bucket")
def project_bucket(
    source: Project, info: GraphQLResolveInfo, name: str, missing_ok: bool | None = None, **_desc: str | None
) -> Run | None:
    """Return a run, under the older name of ``run``; a missing run is an error unless ``missingOk``."""
    found = _run_of(source, info, name)
    if found is None and not missing_ok:
        raise NotFoundError(f"run {source.entity_name}/{source.name}/{name} not found")
    return found


@project.field("runs")
@project.field("buckets")
def project_runs(
    source: Project,
    info: GraphQLResolveInfo,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> RunPage:
    """Return a page of runs; ``filters`` and ``ordering`` define the keys."""
    request = context.of(info)
    return pages.list_runs(
        request.connection,
        source.number,
        filters=filters,
        order=order,
        first=first,
        after=after,
        crash_before=request.crash_before,
    )


@project.field("runCount")
def run_count(source: Project, info: GraphQLResolveInfo, filters: str | None = None) -> int:
    """Count the runs that match the filter."""
    request = context.of(info)
    return pages.count_runs(request.connection, source.number, filters, crash_before=request.crash_before)


@run_connection.field("totalCount")
def total_count(source: RunPage, info: GraphQLResolveInfo) -> int:
    """Count the runs that match the connection's filter, on all pages."""
    request = context.of(info)
    return pages.count_runs(
        request.connection,
        source.number,
        source.filters,
        crash_before=request.crash_before,
        scope=source.scope,
    )


def _run_of(source: Project, info: GraphQLResolveInfo, name: str) -> Run | None:
    request = context.of(info)
    return runs.find(request.connection, source.number, name, crash_before=request.crash_before)


def _project_page(
    info: GraphQLResolveInfo, entity_name: str, after: str | None, first: int | None
) -> dict[str, object]:
    size = check_first(first)
    start = cursors.decode_number("projects", after, start=0)
    found = projects.page(context.of(info).connection, entity_name, after=start, first=size + 1)
    return in_row_order("projects", found, size, after=after)


BINDABLES: list[SchemaBindable] = [query, entity, project, run_connection]
