"""Resolvers of collections and of versions as their members."""

from __future__ import annotations

from typing import Final

from ariadne import InterfaceType, ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.artifacts import aliases, listings, memberships, tags, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.aliases import Alias
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.listings import Selection, VersionPage
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.types import ArtifactType
from runql_server.artifacts.versions import Artifact
from runql_server.graphql import context
from runql_server.listing import cursors
from runql_server.listing.pages import check_first, in_row_order
from runql_server.storage import projects
from runql_server.storage.projects import Project

collection: Final = InterfaceType("ArtifactCollection")
sequence: Final = ObjectType("ArtifactSequence")
membership: Final = ObjectType("ArtifactCollectionMembership")
alias: Final = ObjectType("ArtifactAlias")


@collection.type_resolver
def collection_type(source: Collection, *_info: object) -> str:
    """Return whether it is a sequence or a portfolio."""
    return "ArtifactSequence" if source.kind == "SEQUENCE" else "ArtifactPortfolio"


@collection.field("project")
def collection_project(source: Collection, info: GraphQLResolveInfo) -> Project:
    """Return its project."""
    return projects.by_number(context.of(info).connection, source.project_number)


@collection.field("defaultArtifactType")
def collection_artifact_type(source: Collection, info: GraphQLResolveInfo) -> ArtifactType:
    """Return the type of its versions."""
    return artifact_types.by_number(context.of(info).connection, source.type_number)


@collection.field("tags")
def collection_tags(source: Collection, info: GraphQLResolveInfo) -> dict[str, object]:
    """Return all its tags in one page."""
    found = tags.of(context.of(info).connection, "collection", source.number)
    return in_row_order("tags", found, len(found), after=None)


@collection.field("aliases")
def collection_aliases(
    source: Collection, info: GraphQLResolveInfo, first: int | None = None, after: str | None = None
) -> dict[str, object]:
    """Return the aliases of all its versions, in the order of their assignment."""
    size, start = check_first(first), cursors.decode_number("aliases", after, start=0)
    found = aliases.page(context.of(info).connection, source.number, after=start, first=size + 1)
    return in_row_order("aliases", found, size, after=after)


@collection.field("artifactMembership")
def collection_membership(source: Collection, info: GraphQLResolveInfo, alias_name: str) -> Membership | None:
    """Return the member with this alias or version such as ``v3``; null when absent."""
    return memberships.find(context.of(info).connection, source.number, alias_name)


@collection.field("artifactMemberships")
def collection_memberships(
    source: Collection, info: GraphQLResolveInfo, first: int | None = None
) -> dict[str, object]:
    """Return its members, newest first."""
    size = check_first(first)
    found = memberships.of_collection(context.of(info).connection, source.number, first=size + 1)
    return in_row_order("memberships", found, size, after=None)


@collection.field("artifacts")
def collection_artifacts(
    source: Collection,
    info: GraphQLResolveInfo,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> VersionPage:
    """Return a page of its versions; ``listings`` defines the filter and sort keys."""
    wanted = Selection(filters=filters, order=order, first=first, after=after)
    return listings.versions_in(context.of(info).connection, source.number, wanted)


@sequence.field("latestArtifact")
def latest_artifact(source: Collection, info: GraphQLResolveInfo) -> Artifact | None:
    """Return the committed version with the highest number."""
    return versions.newest(context.of(info).connection, source.number)


@membership.field("aliases")
def membership_aliases(source: Membership, info: GraphQLResolveInfo) -> list[Alias]:
    """Return its aliases, in the order of their assignment."""
    return aliases.of_membership(context.of(info).connection, source.number)


@membership.field("artifact")
def membership_artifact(source: Membership, info: GraphQLResolveInfo) -> Artifact:
    """Return the version."""
    return versions.by_number(context.of(info).connection, source.artifact_number)


@membership.field("artifactCollection")
@alias.field("artifactCollection")
def owning_collection(source: Membership | Alias, info: GraphQLResolveInfo) -> Collection:
    """Return its collection."""
    return artifact_collections.by_number(context.of(info).connection, source.collection_number)


@alias.field("artifact")
def alias_artifact(source: Alias, info: GraphQLResolveInfo) -> Artifact:
    """Return the version to which it points."""
    return versions.by_number(context.of(info).connection, source.artifact_number)


BINDABLES: list[SchemaBindable] = [collection, sequence, membership, alias]
