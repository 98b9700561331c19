"""Resolvers that change versions: description, metadata, tags, aliases, links to portfolios, deletion."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Final, Required, TypedDict

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from runql_server.artifacts import aliases, deletion, memberships, naming, tags, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.naming import TagInput
from runql_server.artifacts.versions import Artifact, ArtifactChange
from runql_server.errors import NotFoundError, RequestError
from runql_server.graphql import context
from runql_server.graphql.context import RequestContext
from runql_server.graphql.resolvers.artifacts.writing import AliasInput
from runql_server.storage import files, projects

mutation: Final = MutationType()


class UpdateArtifactInput(TypedDict, total=False):
    """UpdateArtifactInput; names as the schema conversion writes them."""

    artifact_id: Required[str]
    description: str | None
    labels: str | None
    metadata: str | None
    aliases: list[AliasInput] | None
    tags_to_add: list[TagInput] | None
    tags_to_delete: list[TagInput] | None
    ttl_duration_seconds: int | None


class CollectionAliasInput(TypedDict):
    """ArtifactCollectionAliasInput."""

    entity_name: str
    project_name: str
    artifact_collection_name: str
    alias: str


class AliasesInput(TypedDict):
    """AddAliasesInput and DeleteAliasesInput."""

    artifact_id: str
    aliases: list[CollectionAliasInput]


class LinkArtifactInput(TypedDict, total=False):
    """LinkArtifactInput."""

    artifact_id: str | None
    client_id: str | None
    artifact_portfolio_id: str | None
    artifact_portfolio_name: str | None
    entity_name: str | None
    project_name: str | None
    aliases: list[AliasInput] | None


class DeleteArtifactInput(TypedDict):
    """DeleteArtifactInput."""

    artifact_id: str
    delete_aliases: bool | None


@mutation.field("updateArtifact")
def update_artifact(_root: object, info: GraphQLResolveInfo, input: UpdateArtifactInput) -> dict[str, object]:
    """Set the given fields; a list of aliases replaces those in the collections that it names."""
    with context.of(info).writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"])
        versions.change(
            connection,
            artifact.number,
            ArtifactChange(
                description=input.get("description"),
                labels=input.get("labels"),
                metadata=input.get("metadata"),
                ttl_duration_seconds=input.get("ttl_duration_seconds"),
            ),
        )
        tags.add(connection, "artifact", artifact.number, naming.check_tags(input.get("tags_to_add")))
        gone = [tag["tag_name"] for tag in input.get("tags_to_delete") or []]
        tags.remove(connection, "artifact", artifact.number, gone)
        _replace_aliases(connection, artifact, input.get("aliases"))
        changed = versions.by_number(connection, artifact.number)
    return {"artifact": changed}


@mutation.field("addAliases")
def add_aliases(_root: object, info: GraphQLResolveInfo, input: AliasesInput) -> dict[str, bool]:
    """Move aliases of collections to a version; create missing ones."""
    with context.of(info).writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"])
        for each in input["aliases"]:
            aliases.assign(connection, _membership(connection, artifact, each), [each["alias"]])
    return {"success": True}


@mutation.field("deleteAliases")
def delete_aliases(_root: object, info: GraphQLResolveInfo, input: AliasesInput) -> dict[str, bool]:
    """Remove aliases from a version."""
    with context.of(info).writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"])
        for each in input["aliases"]:
            aliases.remove(connection, _membership(connection, artifact, each), [each["alias"]])
    return {"success": True}


@mutation.field("deleteArtifact")
def delete_artifact(_root: object, info: GraphQLResolveInfo, input: DeleteArtifactInput) -> dict[str, object]:
    """Delete a version; refuses one with aliases unless the input allows it."""
    request = context.of(info)
    with request.writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"])
        gone = deletion.delete_artifact(connection, artifact, with_aliases=bool(input["delete_aliases"]))
    files.remove_blobs(request.store, gone)
    return {"artifact": dataclasses.replace(artifact, state="DELETED")}


@mutation.field("linkArtifact")
def link_artifact(_root: object, info: GraphQLResolveInfo, input: LinkArtifactInput) -> dict[str, object]:
    """Add a version to a portfolio, created if missing, and move ``latest`` to it."""
    request = context.of(info)
    with request.writing() as connection:
        artifact = _linked(connection, input)
        if artifact.state != "COMMITTED":
            raise RequestError("the artifact is not committed yet: it cannot be linked")
        portfolio = _portfolio(request, artifact, input)
        wanted = [each["alias"] for each in input.get("aliases") or []]
        place = memberships.add(connection, portfolio.number, artifact.number)
        aliases.assign(connection, place, [naming.LATEST, *wanted])
    return {"version_index": place.version_index, "artifact_membership": place}


@mutation.field("unlinkArtifact")
def unlink_artifact(
    _root: object, info: GraphQLResolveInfo, input: dict[str, str | None]
) -> dict[str, object]:
    """Remove a version from a portfolio; the version itself stays."""
    with context.of(info).writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"] or "")
        portfolio = artifact_collections.by_id(connection, input["artifact_portfolio_id"] or "")
        if portfolio.kind != "PORTFOLIO":
            raise RequestError(f"{portfolio.path} is where the artifact was made, not a link")
        place = memberships.of_version(connection, portfolio.number, artifact.number)
        if place is None:
            raise NotFoundError(f"the artifact is not linked to {portfolio.path}")
        memberships.remove(connection, place.number)
        aliases.assign_latest_to_newest(connection, portfolio.number)
    return {
        "artifact_id": artifact.id,
        "success": True,
        "client_mutation_id": input.get("client_mutation_id"),
    }


def _replace_aliases(
    connection: sqlite3.Connection, artifact: Artifact, wanted: list[AliasInput] | None
) -> None:
    by_collection: dict[str, list[str]] = {}
    for each in wanted or []:
        by_collection.setdefault(each["artifact_collection_name"], []).append(each["alias"])
    sequence = artifact_collections.by_number(connection, artifact.sequence_number)
    for name, names in by_collection.items():
        collection = artifact_collections.find(connection, sequence.project_number, name)
        place = (
            None
            if collection is None
            else memberships.of_version(connection, collection.number, artifact.number)
        )
        if place is None:
            raise NotFoundError(f"the artifact is not in a collection {name!r} of its project")
        aliases.remove(
            connection, place, [each.alias for each in aliases.of_membership(connection, place.number)]
        )
        aliases.assign(connection, place, names)


def _membership(
    connection: sqlite3.Connection, artifact: Artifact, wanted: CollectionAliasInput
) -> Membership:
    collection = artifact_collections.by_path(
        connection, wanted["entity_name"], wanted["project_name"], wanted["artifact_collection_name"]
    )
    place = memberships.of_version(connection, collection.number, artifact.number)
    if place is None:
        raise NotFoundError(f"the artifact is not in the collection {collection.path}")
    return place


def _linked(connection: sqlite3.Connection, wanted: LinkArtifactInput) -> Artifact:
    opaque, client_id = wanted.get("artifact_id"), wanted.get("client_id")
    if opaque:
        return versions.by_id(connection, opaque)
    found = versions.with_client_id(connection, client_id) if client_id else None
    if found is None:
        raise NotFoundError("linkArtifact: no artifact has this artifactID or clientID")
    return found


def _portfolio(request: RequestContext, artifact: Artifact, wanted: LinkArtifactInput) -> Collection:
    connection, opaque = request.connection, wanted.get("artifact_portfolio_id")
    sequence = artifact_collections.by_number(connection, artifact.sequence_number)
    if opaque:
        found = artifact_collections.by_id(connection, opaque)
        artifact_collections.check(found, "PORTFOLIO", sequence.type_name)
        return found
    name = wanted.get("artifact_portfolio_name")
    if not name:
        raise RequestError("linkArtifact: artifactPortfolioID or artifactPortfolioName is needed")
    home = projects.ensure(
        connection,
        wanted.get("entity_name") or sequence.entity_name,
        wanted.get("project_name") or sequence.project_name,
        user=request.user_number,
    )
    kind = artifact_types.ensure(connection, home.number, sequence.type_name)
    return artifact_collections.ensure(connection, kind, name, "PORTFOLIO")


BINDABLES = [mutation]
