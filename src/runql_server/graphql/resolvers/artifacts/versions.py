"""Resolvers of versions: their collections, names, aliases, tags and manifests."""

from __future__ import annotations

from typing import Final

from ariadne import ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.artifacts import aliases, memberships, tags, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.aliases import Alias
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.contents import manifests
from runql_server.artifacts.contents.manifests import StoredManifest
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.tags import Tag
from runql_server.artifacts.types import ArtifactType
from runql_server.artifacts.versions import Artifact
from runql_server.graphql import context
from runql_server.listing.pages import check_first, in_row_order

artifact: Final = ObjectType("Artifact")
manifest: Final = ObjectType("ArtifactManifest")


@artifact.field("artifactSequence")
def artifact_sequence(source: Artifact, info: GraphQLResolveInfo) -> Collection:
    """Return the sequence of the version."""
    return artifact_collections.by_number(context.of(info).connection, source.sequence_number)


@artifact.field("artifactType")
def artifact_type(source: Artifact, info: GraphQLResolveInfo) -> ArtifactType:
    """Return the type of its sequence."""
    found = artifact_sequence(source, info)
    return artifact_types.by_number(context.of(info).connection, found.type_number)


@artifact.field("artifactCollections")
def artifact_all_collections(source: Artifact, info: GraphQLResolveInfo) -> dict[str, object]:
    """Return all its collections, its sequence first."""
    connection = context.of(info).connection
    places = memberships.of_artifact(connection, source.number)
    found = artifact_collections.by_numbers(connection, [place.collection_number for place in places])
    return in_row_order("collections", found, len(found), after=None, total_count=len(found))


@artifact.field("artifactMemberships")
def artifact_memberships(
    source: Artifact, info: GraphQLResolveInfo, first: int | None = None
) -> dict[str, object]:
    """Return its memberships, that in its sequence first; none while it is pending."""
    found = memberships.of_artifact(context.of(info).connection, source.number)
    return in_row_order("memberships", found, check_first(first, len(found)), after=None)


@artifact.field("aliases")
def artifact_aliases(
    source: Artifact, info: GraphQLResolveInfo, artifact_collection_name: str | None = None
) -> list[Alias]:
    """Return its aliases in all its collections, or in those of that name."""
    return aliases.of_artifact(context.of(info).connection, source.number, artifact_collection_name)


@artifact.field("versionIndex")
def version_index(
    source: Artifact, info: GraphQLResolveInfo, artifact_collection_name: str | None = None
) -> int | None:
    """Return its number in its sequence, or in the collection of that name; null while it is pending."""
    place = _membership(source, info, artifact_collection_name)
    return None if place is None else place.version_index


@artifact.field("commitHash")
def commit_hash(
    source: Artifact, info: GraphQLResolveInfo, artifact_collection_name: str | None = None
) -> str | None:
    """Return its commit hash in its sequence, or in the collection of that name."""
    place = _membership(source, info, artifact_collection_name)
    return None if place is None else place.commit_hash


@artifact.field("tags")
def artifact_tags(source: Artifact, info: GraphQLResolveInfo) -> list[Tag]:
    """Return its tags, in the order of their assignment."""
    return tags.of(context.of(info).connection, "artifact", source.number)


@artifact.field("currentManifest")
def current_manifest(source: Artifact, info: GraphQLResolveInfo) -> StoredManifest | None:
    """Return its manifest; null while the version is pending."""
    if source.state != "COMMITTED":
        return None
    return manifests.current(context.of(info).connection, source.number)


@manifest.field("artifact")
def manifest_artifact(source: StoredManifest, info: GraphQLResolveInfo) -> Artifact:
    """Return the version of the manifest."""
    return versions.by_number(context.of(info).connection, source.artifact_number)


def _membership(source: Artifact, info: GraphQLResolveInfo, collection: str | None) -> Membership | None:
    connection = context.of(info).connection
    if collection is None:
        return memberships.of_version(connection, source.sequence_number, source.number)
    places = memberships.of_artifact(connection, source.number)
    found = artifact_collections.by_numbers(connection, [place.collection_number for place in places])
    named = {each.number for each in found if each.name == collection}
    return next((place for place in places if place.collection_number in named), None)


BINDABLES: list[SchemaBindable] = [artifact, manifest]
