"""Resolvers that change collections: name, description, type, tags, deletion."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Final, TypedDict

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import deletion, naming, tags
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.collections import Collection, CollectionKind
from runql_server.artifacts.naming import TagInput
from runql_server.errors import NotFoundError
from runql_server.graphql import context
from runql_server.storage import files

mutation: Final = MutationType()

CollectionInput = dict[str, str | None]


class TagAssignmentsInput(TypedDict):
    """CreateArtifactCollectionTagAssignmentsInput and its counterpart; names as the schema conversion writes them."""

    entity_name: str
    project_name: str
    artifact_collection_name: str
    tags: list[TagInput]


@mutation.field("updateArtifactSequence")
def update_sequence(_root: object, info: GraphQLResolveInfo, input: CollectionInput) -> dict[str, object]:
    """Set name or description of a sequence."""
    return _update(info, input, "SEQUENCE", input["artifact_sequence_id"])


@mutation.field("updateArtifactPortfolio")
def update_portfolio(_root: object, info: GraphQLResolveInfo, input: CollectionInput) -> dict[str, object]:
    """Set name or description of a portfolio."""
    return _update(info, input, "PORTFOLIO", input["artifact_portfolio_id"])


@mutation.field("moveArtifactSequence")
def move_sequence(_root: object, info: GraphQLResolveInfo, input: CollectionInput) -> dict[str, object]:
    """Change the type of a sequence; the new type is created if missing."""
    with context.of(info).writing() as connection:
        found = _of_kind(connection, "SEQUENCE", input["artifact_sequence_id"])
        name = input["destination_artifact_type_name"] or ""
        kind = artifact_types.ensure(connection, found.project_number, name)
        moved = artifact_collections.move(connection, found, kind)
    return {"artifact_collection": moved}


@mutation.field("deleteArtifactSequence")
def delete_sequence(_root: object, info: GraphQLResolveInfo, input: CollectionInput) -> dict[str, object]:
    """Delete a sequence with all its versions."""
    return _delete(info, input, "SEQUENCE", input["artifact_sequence_id"])


@mutation.field("deleteArtifactPortfolio")
def delete_portfolio(_root: object, info: GraphQLResolveInfo, input: CollectionInput) -> dict[str, object]:
    """Delete a portfolio; the linked versions stay."""
    return _delete(info, input, "PORTFOLIO", input["artifact_portfolio_id"])


@mutation.field("createArtifactCollectionTagAssignments")
def add_tags(_root: object, info: GraphQLResolveInfo, input: TagAssignmentsInput) -> dict[str, object]:
    """Add tags to a collection."""
    with context.of(info).writing() as connection:
        found = _at(connection, input)
        wanted = naming.check_tags(input["tags"])
        tags.add(connection, "collection", found.number, wanted)
        names = {tag.name for tag in wanted}
        added = [tag for tag in tags.of(connection, "collection", found.number) if tag.name in names]
    return {"tags": added}


@mutation.field("deleteArtifactCollectionTagAssignments")
def remove_tags(_root: object, info: GraphQLResolveInfo, input: TagAssignmentsInput) -> dict[str, bool]:
    """Remove tags from a collection."""
    with context.of(info).writing() as connection:
        found = _at(connection, input)
        tags.remove(connection, "collection", found.number, [tag["tag_name"] for tag in input["tags"]])
    return {"success": True}


def _update(
    info: GraphQLResolveInfo, wanted: CollectionInput, kind: CollectionKind, opaque: str | None
) -> dict[str, object]:
    with context.of(info).writing() as connection:
        changed = artifact_collections.change(
            connection,
            _of_kind(connection, kind, opaque),
            name=wanted.get("name"),
            description=wanted.get("description"),
        )
    return {"artifact_collection": changed, "client_mutation_id": wanted.get("client_mutation_id")}


def _delete(
    info: GraphQLResolveInfo, wanted: CollectionInput, kind: CollectionKind, opaque: str | None
) -> dict[str, object]:
    request = context.of(info)
    with request.writing() as connection:
        found = _of_kind(connection, kind, opaque)
        gone = deletion.delete_collection(connection, found)
    files.remove_blobs(request.store, gone)
    deleted = dataclasses.replace(found, state="DELETED")
    return {"artifact_collection": deleted, "client_mutation_id": wanted.get("client_mutation_id")}


def _of_kind(connection: sqlite3.Connection, kind: CollectionKind, opaque: str | None) -> Collection:
    found = artifact_collections.by_id(connection, opaque or "")
    if found.kind != kind:
        raise NotFoundError(f"artifact collection {found.path} is a {found.kind.lower()}")
    return found


def _at(connection: sqlite3.Connection, wanted: TagAssignmentsInput) -> Collection:
    return artifact_collections.by_path(
        connection, wanted["entity_name"], wanted["project_name"], wanted["artifact_collection_name"]
    )


BINDABLES = [mutation]
