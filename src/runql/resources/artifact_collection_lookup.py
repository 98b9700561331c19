"""Finding kinds of artifacts and their collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from runql.artifact_errors import ArtifactNotFoundError
from runql.resources.connections import read_sparse_page
from runql.resources.identity import Named, require_name, require_project
from runql.resources.pages import Page, read_page
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import ArtifactCollectionFields, ArtifactTypeFields
from runql_graphql.operations import (
    get_artifact_collection,
    get_artifact_type,
    list_artifact_collections,
    list_artifact_types,
)

N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class TypeAddress:
    """A kind of artifacts in a project."""

    entity: str
    project: str
    type_name: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project} ({self.type_name})"


def find_type(home: TypeAddress) -> Flow[ArtifactTypeFields]:
    """One kind; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: it has no such kind.
    """
    operation = get_artifact_type(entity=home.entity, project=home.project, type_name=home.type_name)
    answer = yield from fetch(operation)
    return _required_type(require_project(answer.project, home.entity, home.project).artifact_type, home)


def list_type_page(
    entity: str, project: str, per_page: int, after: str | None
) -> Flow[Page[ArtifactTypeFields]]:
    """A page of kinds; one request."""
    answer = yield from fetch(
        list_artifact_types(entity=entity, project=project, first=per_page, after=after)
    )
    types = require_project(answer.project, entity, project).artifact_types
    return read_sparse_page(types.page_info, types.edges, after)


def find_collection(home: TypeAddress, name: str) -> Flow[ArtifactCollectionFields]:
    """One collection; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: it has no such kind, or that no such collection.
    """
    operation = get_artifact_collection(
        entity=home.entity, project=home.project, type_name=home.type_name, collection=name
    )
    answer = yield from fetch(operation)
    kind = require_project(answer.project, home.entity, home.project).artifact_type
    found = _required_type(kind, home).artifact_collection
    if found is None:
        raise ArtifactNotFoundError(
            f"project {home.entity}/{home.project} has no collection {name} of type {home.type_name}"
        )
    require_name("artifact collection ", name, found.name)
    return found


def list_collection_page(
    home: TypeAddress, per_page: int, after: str | None
) -> Flow[Page[ArtifactCollectionFields | None]]:
    """A page of collections; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: it has no such kind.
    """
    operation = list_artifact_collections(
        entity=home.entity, project=home.project, type_name=home.type_name, first=per_page, after=after
    )
    answer = yield from fetch(operation)
    kind = require_project(answer.project, home.entity, home.project).artifact_type
    found = _required_type(kind, home).artifact_collections
    if found is None:
        return Page[ArtifactCollectionFields | None].empty(after)
    return read_page(found, after)


def _required_type(found: N | None, home: TypeAddress) -> N:
    if found is None:
        raise ArtifactNotFoundError(
            f"project {home.entity}/{home.project} has no artifacts of type {home.type_name}"
        )
    require_name("artifact type ", home.type_name, found.name)
    return found
