"""Resolvers that find artifacts: by node id, by client id, and by name in a project or type."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

from typing import Final

from ariadne import ObjectType, QueryType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import listings, memberships, naming, versions
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.listings import CollectionPage, Selection
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.types import ArtifactType
from runql_server.artifacts.versions import Artifact
from runql_server.errors import NotFoundError
from runql_server.graphql import context
from runql_server.listing import cursors
from runql_server.listing.pages import check_first, in_row_order
from runql_server.storage import projects
from runql_server.storage.projects import Project

query: Final = QueryType()
project: Final = ObjectType("Project")
artifact_type: Final = ObjectType("ArtifactType")


@query.field("artifact")
def artifact_by_id(_root: object, info: GraphQLResolveInfo, id: str) -> Artifact | None:
    """Return a version, also a pending one; null when absent."""
    try:
        return versions.by_id(context.of(info).connection, id)
    except NotFoundError:
        return None


@query.field("artifactCollection")
def collection_by_id(_root: object, info: GraphQLResolveInfo, id: str) -> Collection | None:
    """Return a collection of either kind; null when absent."""
    try:
        return artifact_collections.by_id(context.of(info).connection, id)
    except NotFoundError:
        return None


@query.field("artifactSequence")
def sequence_by_id(_root: object, info: GraphQLResolveInfo, id: str) -> Collection | None:
    """As the collection resolver, for sequences only."""
    return _only_sequence(collection_by_id(None, info, id))


@query.field("clientIDMapping")
def client_id_mapping(_root: object, info: GraphQLResolveInfo, client_id: str) -> dict[str, str] | None:
    """Return the version with this client id; null when absent."""
    found = versions.with_client_id(context.of(info).connection, client_id)
    return None if found is None else {"server_id": found.id}


@project.field("artifact")
def artifact_by_name(
    source: Project, info: GraphQLResolveInfo, name: str, **_tracking: bool | None
) -> Artifact | None:
    """Return the version at ``collection:alias``; null when absent or pending."""
    return _version(info, _member(info, source.number, name))


@project.field("artifactCollectionMembership")
def membership_by_name(source: Project, info: GraphQLResolveInfo, name: str) -> Membership | None:
    """Return the membership at ``collection:alias``; null when absent."""
    return _member(info, source.number, name)


@project.field("artifactCollection")
def collection_by_name(source: Project, info: GraphQLResolveInfo, name: str) -> Collection | None:
    """Return a collection of either kind; null when absent."""
    return artifact_collections.find(context.of(info).connection, source.number, name)


@project.field("artifactCollections")
def project_collections(
    source: Project,
    info: GraphQLResolveInfo,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> CollectionPage:
    """Return a page of collections; ``listings`` defines the filter and sort keys."""
    wanted = Selection(filters=filters, order=order, first=first, after=after)
    return listings.collections(context.of(info).connection, source.number, wanted)


@project.field("artifactType")
def type_by_name(source: Project, info: GraphQLResolveInfo, name: str) -> ArtifactType | None:
    """Return an artifact type; null when absent."""
    return artifact_types.find(context.of(info).connection, source.number, name)


@project.field("artifactTypes")
def project_types(
    source: Project,
    info: GraphQLResolveInfo,
    first: int | None = None,
    after: str | None = None,
    **_all: bool | None,
) -> dict[str, object]:
    """Return the artifact types of the project, oldest first."""
    size, start = check_first(first), cursors.decode_number("types", after, start=0)
    found = artifact_types.page(context.of(info).connection, source.number, after=start, first=size + 1)
    return in_row_order("types", found, size, after=after)


@artifact_type.field("project")
def type_project(source: ArtifactType, info: GraphQLResolveInfo) -> Project:
    """Return its project."""
    return projects.by_number(context.of(info).connection, source.project_number)


@artifact_type.field("artifact")
def type_artifact(source: ArtifactType, info: GraphQLResolveInfo, name: str) -> Artifact | None:
    """As `Project.artifact`, for this type only."""
    collection, _ = naming.split(name)
    if type_collection(source, info, collection) is None:
        return None
    return _version(info, _member(info, source.project_number, name))


@artifact_type.field("artifactCollection")
def type_collection(source: ArtifactType, info: GraphQLResolveInfo, name: str) -> Collection | None:
    """Return a collection of this type; null when absent."""
    found = artifact_collections.find(context.of(info).connection, source.project_number, name)
    return found if found is not None and found.type_number == source.number else None


@artifact_type.field("artifactSequence")
def type_sequence(source: ArtifactType, info: GraphQLResolveInfo, name: str) -> Collection | None:
    """As the collection resolver, for sequences only."""
    return _only_sequence(type_collection(source, info, name))


@artifact_type.field("artifactCollections")
def type_collections(
    source: ArtifactType,
    info: GraphQLResolveInfo,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> CollectionPage:
    """Return a page of the collections of this type."""
    wanted = Selection(filters=filters, order=order, first=first, after=after)
    return listings.collections(
        context.of(info).connection, source.project_number, wanted, type_number=source.number
    )


@artifact_type.field("artifactSequences")
def type_sequences(
    source: ArtifactType, info: GraphQLResolveInfo, first: int | None = None, after: str | None = None
) -> CollectionPage:
    """As the collection resolver, for sequences only."""
    wanted = Selection(filters='{"collection_type": "SEQUENCE"}', first=first, after=after)
    return listings.collections(
        context.of(info).connection, source.project_number, wanted, type_number=source.number
    )


def _member(info: GraphQLResolveInfo, project_number: int, name: str) -> Membership | None:
    collection, alias = naming.split(name)
    connection = context.of(info).connection
    found = artifact_collections.find(connection, project_number, collection)
    return None if found is None else memberships.find(connection, found.number, alias)


def _version(info: GraphQLResolveInfo, place: Membership | None) -> Artifact | None:
    return None if place is None else versions.by_number(context.of(info).connection, place.artifact_number)


def _only_sequence(found: Collection | None) -> Collection | None:
    return found if found is not None and found.kind == "SEQUENCE" else None


BINDABLES: list[SchemaBindable] = [query, project, artifact_type]
