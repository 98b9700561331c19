"""Resolvers of sweeps: one by name, lists, changes, and their runs."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

from typing import Final, TypedDict

from ariadne import MutationType, ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server import ids, lenient_json
from runql_server.errors import NotSupportedError, RequestError
from runql_server.graphql import context
from runql_server.graphql.context import RequestContext
from runql_server.graphql.resolvers.mutations import DEFAULT_PROJECT
from runql_server.listing import cursors, pages
from runql_server.listing.pages import RunPage, check_first, in_row_order
from runql_server.storage import projects
from runql_server.storage.projects import Project
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import Sweep, SweepChange

mutation: Final = MutationType()
project: Final = ObjectType("Project")
sweep: Final = ObjectType("Sweep")


class SweepInput(TypedDict, total=False):
    """The used part of UpsertSweepInput; names as the schema conversion writes them."""

    id: str | None
    config: str | None
    description: str | None
    entity_name: str | None
    project_name: str | None
    controller: str | None
    scheduler: str | None
    launch_scheduler: str | None
    state: str | None
    prior_runs_filters: str | None
    display_name: str | None
    client_mutation_id: str | None


@project.field("sweep")
def project_sweep(source: Project, info: GraphQLResolveInfo, sweep_name: str) -> Sweep | None:
    """Return a sweep by its short id; null when absent."""
    return sweeps.find(context.of(info).connection, source.number, sweep_name)


@project.field("sweeps")
def project_sweeps(
    source: Project,
    info: GraphQLResolveInfo,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
) -> dict[str, object]:
    """Return the sweeps of the project, oldest first; the server does not announce the filter feature."""
    if filters is not None and lenient_json.parse_object(filters, what="filters"):
        raise NotSupportedError("Project.sweeps(filters:)")
    size = check_first(first)
    start = cursors.decode_number("sweeps", after, start=0)
    found = sweeps.page(context.of(info).connection, source.number, after=start, first=size + 1)
    return in_row_order("sweeps", found, size, after=after)


@project.field("totalSweeps")
def total_sweeps(source: Project, info: GraphQLResolveInfo) -> int:
    """Count the sweeps of the project."""
    return sweeps.count(context.of(info).connection, source.number)


@sweep.field("project")
def sweep_project(source: Sweep, info: GraphQLResolveInfo) -> Project:
    """Return its project."""
    return projects.by_number(context.of(info).connection, source.project_number)


@sweep.field("bestLoss")
def best_loss(source: Sweep, info: GraphQLResolveInfo) -> float | None:
    """Return the best value of the metric that the configuration names."""
    return sweeps.best_loss(context.of(info).connection, source)


@sweep.field("runs")
def sweep_runs(
    source: Sweep, info: GraphQLResolveInfo, after: str | None = None, first: int | None = None
) -> RunPage:
    """Return its runs, oldest first."""
    request = context.of(info)
    return pages.list_runs(
        request.connection,
        source.project_number,
        filters=lenient_json.dump({"sweep": source.name}),
        order=None,
        first=first,
        after=after,
        crash_before=request.crash_before,
    )


@mutation.field("upsertSweep")
def upsert_sweep(_root: object, info: GraphQLResolveInfo, input: SweepInput) -> dict[str, object]:
    """Create a sweep, or set the given fields; the prior runs join it."""
    request = context.of(info)
    if input.get("launch_scheduler"):
        raise NotSupportedError("upsertSweep(input: {launchScheduler})")
    with request.writing() as connection:
        number = _find_or_create(request, input)
        sweeps.change(
            connection,
            number,
            SweepChange(
                config=input.get("config"),
                display_name=input.get("display_name"),
                description=input.get("description"),
                controller=input.get("controller"),
                scheduler=input.get("scheduler"),
                state=input.get("state"),
            ),
        )
        prior = input.get("prior_runs_filters")
        if prior:
            target = sweeps.by_number(connection, number)
            sweeps.add_runs(connection, target, prior, crash_before=request.crash_before)
    changed = sweeps.by_number(request.connection, number)
    return {
        "sweep": changed,
        "config_validation_warnings": changed.parsed.warnings if input.get("config") else [],
        "client_mutation_id": input.get("client_mutation_id"),
    }


def _find_or_create(request: RequestContext, wanted: SweepInput) -> int:
    opaque, config = wanted.get("id"), wanted.get("config")
    if opaque:
        number = ids.decode_number("Sweep", opaque)
        return sweeps.by_number(request.connection, number).number
    if not config:
        raise RequestError("upsertSweep: a config is needed, or the id of a sweep")
    home = projects.ensure(
        request.connection,
        wanted.get("entity_name") or request.user.entity,
        wanted.get("project_name") or DEFAULT_PROJECT,
        user=request.user_number,
    )
    return sweeps.create(request.connection, home, config)


BINDABLES: list[SchemaBindable] = [mutation, project, sweep]
