"""Resolvers of lineage: versions that a run read and created, runs that read a version, its creator."""

from __future__ import annotations

from typing import Final

from ariadne import ObjectType, SchemaBindable, UnionType
from graphql import GraphQLResolveInfo

from runql_server.access import accounts
from runql_server.access.accounts import User
from runql_server.artifacts import lineage, versions
from runql_server.artifacts.lineage import Direction
from runql_server.artifacts.versions import Artifact
from runql_server.graphql import context
from runql_server.listing import cursors, pages
from runql_server.listing.pages import RunPage, check_first, page_info
from runql_server.runs import runs
from runql_server.runs.runs import Run

run: Final = ObjectType("Run")
artifact: Final = ObjectType("Artifact")
initiator: Final = UnionType("Initiator")


@run.field("inputArtifacts")
def input_artifacts(
    source: Run, info: GraphQLResolveInfo, first: int | None = None, after: str | None = None
) -> dict[str, object]:
    """Return the versions that the run read, oldest first, and the names that it used."""
    return _page(source, info, "inputs", first, after)


@run.field("outputArtifacts")
def output_artifacts(
    source: Run, info: GraphQLResolveInfo, first: int | None = None, after: str | None = None
) -> dict[str, object]:
    """Return the versions that the run created or logged again, oldest first; pending ones too."""
    return _page(source, info, "outputs", first, after)


@artifact.field("createdBy")
def created_by(source: Artifact, info: GraphQLResolveInfo) -> Run | User:
    """Return the run that created the version; the user if no run did, or if the run was deleted."""
    request = context.of(info)
    if source.run_number is None:
        return accounts.user_by_number(request.connection, source.user_number)
    return runs.by_number(request.connection, source.run_number, crash_before=request.crash_before)


@artifact.field("usedBy")
def used_by(
    source: Artifact,
    info: GraphQLResolveInfo,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
    **_backwards: str | int | None,
) -> RunPage:
    """Return the runs that read the version, of any project."""
    request = context.of(info)
    return pages.list_runs(
        request.connection,
        source.number,
        filters=filters,
        order=order,
        first=first,
        after=after,
        crash_before=request.crash_before,
        scope=lineage.USED,
    )


@artifact.field("usedCount")
def used_count(source: Artifact, info: GraphQLResolveInfo) -> int:
    """Count the runs that read the version."""
    return lineage.used_count(context.of(info).connection, source.number)


@initiator.type_resolver
def initiator_type(source: Run | User, *_info: object) -> str:
    """Return whether it is a run or a user."""
    return "Run" if isinstance(source, Run) else "User"


def _page(
    source: Run, info: GraphQLResolveInfo, direction: Direction, first: int | None, after: str | None
) -> dict[str, object]:
    connection, size = context.of(info).connection, check_first(first)
    start = cursors.decode_number(direction, after, start=0)
    numbers = lineage.page(connection, direction, source.number, after=start, first=size + 1)
    found = versions.by_numbers(connection, numbers[:size])
    used_as = lineage.used_as(connection, source.number, numbers[:size])
    marks = [cursors.encode_number(direction, each.number) for each in found]
    return {
        "edges": [
            {"cursor": mark, "node": each, "used_as": used_as.get(each.number, [])}
            for mark, each in zip(marks, found, strict=True)
        ],
        "page_info": page_info(marks, more=len(numbers) > size, after=after),
        "total_count": lineage.count(connection, direction, source.number),
    }


BINDABLES: list[SchemaBindable] = [run, artifact, initiator]
