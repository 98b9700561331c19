"""Builds the executable schema: binds the resolver modules to the shared SDL."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from importlib.resources import files as resources
from types import ModuleType

from ariadne import SchemaBindable, make_executable_schema
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)

from runql_server.access.accounts import Entity
from runql_server.artifacts.aliases import Alias
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.contents.entries import ArtifactFile
from runql_server.artifacts.contents.manifests import ManifestFile, StoredManifest
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.tags import Tag
from runql_server.artifacts.types import ArtifactType
from runql_server.artifacts.versions import Artifact
from runql_server.errors import NotSupportedError
from runql_server.graphql.resolvers import (
    account,
    files,
    history,
    mutations,
    projects,
    runs,
    scalars,
    sweep_agents,
    sweeps,
)
from runql_server.graphql.resolvers.artifacts import changes as artifact_changes
from runql_server.graphql.resolvers.artifacts import collection_changes as artifact_collection_changes
from runql_server.graphql.resolvers.artifacts import collections as artifact_collections
from runql_server.graphql.resolvers.artifacts import files as artifact_files
from runql_server.graphql.resolvers.artifacts import lineage as artifact_lineage
from runql_server.graphql.resolvers.artifacts import lookup as artifact_lookup
from runql_server.graphql.resolvers.artifacts import versions as artifacts
from runql_server.graphql.resolvers.artifacts import writing as artifact_writing
from runql_server.runs.runs import Run
from runql_server.storage.files import StoredFile
from runql_server.storage.projects import Project
from runql_server.sweeps.agents import Agent
from runql_server.sweeps.sweeps import Sweep

_MODULES: tuple[ModuleType, ...] = (
    account,
    projects,
    runs,
    history,
    files,
    sweeps,
    sweep_agents,
    artifact_lookup,
    artifact_collections,
    artifacts,
    artifact_files,
    artifact_lineage,
    artifact_writing,
    artifact_changes,
    artifact_collection_changes,
    mutations,
    scalars,
)

_RECORDS: dict[str, tuple[type, ...]] = {
    "Project": (Project,),
    "Run": (Run,),
    "Sweep": (Sweep,),
    "Agent": (Agent,),
    "Entity": (Entity,),
    "Artifact": (Artifact,),
    "ArtifactAlias": (Alias,),
    "ArtifactCollectionMembership": (Membership,),
    "ArtifactManifest": (StoredManifest,),
    "ArtifactPortfolio": (Collection,),
    "ArtifactSequence": (Collection,),
    "ArtifactType": (ArtifactType,),
    "File": (StoredFile, ArtifactFile, ManifestFile),
    "Tag": (Tag,),
}
"""Object types of the schema, and the classes of the records that represent each."""


class Unsupported(SchemaBindable):
    """Lets fields without a resolver fail clearly: root fields, and fields that are not nullable."""

    def bind_to_schema(self, schema: GraphQLSchema) -> None:
        """Bind last, when every module has bound its resolvers."""
        for name in (*_RECORDS, "Query", "Mutation"):
            for field in fields_without_resolver(schema, name).values():
                # pyright reads the wrapping types of graphql-core as generics without their argument.
                required = isinstance(field.type, GraphQLNonNull)  # pyright: ignore[reportUnknownMemberType]
                if required or name in {"Query", "Mutation"}:
                    field.resolve = _refuse


def fields_without_resolver(schema: GraphQLSchema, type_name: str) -> dict[str, GraphQLField]:
    """Return the fields of a type that have neither a resolver nor an attribute of that name."""
    described = schema.type_map[type_name]
    if not isinstance(described, GraphQLObjectType):
        raise TypeError(f"{type_name} is not an object type")
    return {
        name: field
        for name, field in described.fields.items()
        if field.resolve is None and not _is_attribute(type_name, _snake(name))
    }


def _is_attribute(type_name: str, name: str) -> bool:
    records = _RECORDS.get(type_name, ())
    return bool(records) and all(
        name in vars(record) or name in {field.name for field in dataclasses.fields(record)}
        for record in records
    )


def bind(*more: SchemaBindable, snake_case: bool = False) -> GraphQLSchema:
    """Bind the resolver modules to the SDL that client and server share."""
    sdl = resources("runql_graphql").joinpath("wandb.graphql").read_text(encoding="utf-8")
    bindables = [bindable for module in _MODULES for bindable in module.BINDABLES]
    schema = make_executable_schema(
        sdl, *bindables, *more, convert_names_case=_converted if snake_case else False
    )
    for described in schema.type_map.values():
        if isinstance(described, GraphQLEnumType):
            # Ariadne 1.1 sets a wrapper for enums with Python values, which these are not. It takes fewer arguments
            # than graphql-core 3.2.9 passes.
            vars(described).pop("parse_value", None)
    return schema


@cache
def load() -> GraphQLSchema:
    """Return the schema to execute; built once per process."""
    return bind(Unsupported(), snake_case=True)


def _refuse(_source: object, info: GraphQLResolveInfo, **_arguments: object) -> None:
    raise NotSupportedError(f"{info.parent_type.name}.{info.field_name}")


def _converted(name: str, _schema: GraphQLSchema, _path: tuple[str, ...]) -> str:
    return _snake(name)


def _snake(name: str) -> str:
    # Ariadne's own conversion turns md5 into md_5.
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
