"""Finding artifact types and collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from runql.arguments import checked_str, positive
from runql.errors import ArtifactNotFoundError
from runql.filters import refuse_run_fields
from runql.quick_dataclasses import dataclass
from runql.resources.pages.listing import Page, read_edges, read_page, require_connection
from runql.resources.records.identity import Named, require_name, require_project
from runql.transport.flow import Flow, fetch
from runql.values import Filters, checked_json, plain_container
from runql_graphql.fragments import ArtifactCollectionFields, ArtifactTypeFields
from runql_graphql.operations import (
    get_artifact_collection,
    get_artifact_type,
    list_artifact_collections,
    list_artifact_types,
    list_filtered_project_collections,
    list_project_collections,
)

N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class TypeAddress:
    """An artifact type in a project."""

    entity: str
    project: str
    type_name: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project} ({self.type_name})"


def find_type(home: TypeAddress) -> Flow[ArtifactTypeFields]:
    """Find an artifact type; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: the project has no such type.
    """
    operation = get_artifact_type(entity=home.entity, project=home.project, type_name=home.type_name)
    response = yield from fetch(operation)
    return _require_type(require_project(response.project, home.entity, home.project).artifact_type, home)


def list_type_page(
    entity: str, project: str, per_page: int, after: str | None
) -> Flow[Page[ArtifactTypeFields]]:
    """Read a page of artifact types; one request."""
    response = yield from fetch(
        list_artifact_types(entity=entity, project=project, first=per_page, after=after)
    )
    types = require_project(response.project, entity, project).artifact_types
    return read_edges(types.page_info, types.edges, after)


def find_collection(home: TypeAddress, name: str) -> Flow[ArtifactCollectionFields]:
    """Find a collection; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: the project has no such type or collection.
    """
    operation = get_artifact_collection(
        entity=home.entity, project=home.project, type_name=home.type_name, collection=name
    )
    response = yield from fetch(operation)
    kind = require_project(response.project, home.entity, home.project).artifact_type
    found = _require_type(kind, home).artifact_collection
    if found is None:
        raise ArtifactNotFoundError(
            f"project {home.entity}/{home.project} has no collection {name} of type {home.type_name}"
        )
    require_name("artifact collection ", name, found.name)
    return found


def list_collection_page(
    home: TypeAddress, per_page: int, after: str | None
) -> Flow[Page[ArtifactCollectionFields]]:
    """Read a page of the collections of one type; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: the project has no such type.
    """
    operation = list_artifact_collections(
        entity=home.entity, project=home.project, type_name=home.type_name, first=per_page, after=after
    )
    response = yield from fetch(operation)
    kind = require_project(response.project, home.entity, home.project).artifact_type
    found = _require_type(kind, home).artifact_collections
    return read_page(require_connection(found, f"the collections of type {home.type_name}"), after)


@dataclass(frozen=True, slots=True)
class CollectionQuery:
    """The collections to list: the project, the filter, the order and the page size."""

    entity: str
    project: str
    filters: str | None
    order: str | None
    per_page: int

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}"

    @classmethod
    def checked(
        cls,
        entity: str,
        project: str,
        filters: Filters | None,
        order: str | None,
        per_page: int,
    ) -> CollectionQuery:
        """Check the caller's arguments.

        Raises:
            ValueError: the filter has no JSON form, or ``per_page`` is below 1.
            TypeError: an argument has the wrong type.
        """
        if filters is not None and not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(
                f"filters must be a dict such as {{'name': 'mnist'}}, not {type(filters).__name__}"
            )
        refuse_run_fields(filters, "collections")
        filter_json = (
            checked_json(dict(filters), "filters", default=plain_container)
            if filters is not None and len(filters)
            else None
        )
        checked_order = checked_str("order", order) if order is not None else None
        return cls(entity, project, filter_json, checked_order or None, positive("per_page", per_page))


def list_project_collection_page(
    query: CollectionQuery, after: str | None
) -> Flow[Page[ArtifactCollectionFields]]:
    """Read a page of the collections of all types; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        OutdatedServerError: the query has a filter or an order, and the server supports neither.
    """
    if query.filters is None and query.order is None:
        response = yield from fetch(
            list_project_collections(
                entity=query.entity, project=query.project, first=query.per_page, after=after
            )
        )
        found = require_project(response.project, query.entity, query.project).artifact_collections
        return read_page(require_connection(found, f"the collections of {query}"), after)
    filtered = yield from fetch(
        list_filtered_project_collections(
            entity=query.entity,
            project=query.project,
            filters=query.filters,
            order=query.order,
            first=query.per_page,
            after=after,
        )
    )
    matching = require_project(filtered.project, query.entity, query.project).artifact_collections
    return read_page(require_connection(matching, f"the collections of {query}"), after)


def _require_type(found: N | None, home: TypeAddress) -> N:
    if found is None:
        raise ArtifactNotFoundError(
            f"project {home.entity}/{home.project} has no artifacts of type {home.type_name}"
        )
    require_name("artifact type ", home.type_name, found.name)
    return found
