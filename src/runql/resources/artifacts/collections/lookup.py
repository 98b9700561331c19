"""Finding kinds of artifacts and their collections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from runql.arguments import checked_str, positive
from runql.errors import ArtifactNotFoundError
from runql.resources.pages.listing import Page, read_page
from runql.resources.pages.uncounted import read_sparse_page
from runql.resources.records.identity import Named, require_name, require_project
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, checked_json
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


@dataclass(frozen=True, slots=True)
class CollectionQuery:
    """Which collections of a project, in which order, how many a page."""

    entity: str
    project: str
    filters: str | None
    order: str | None
    per_page: int

    @classmethod
    def checked(
        cls,
        entity: str,
        project: str,
        filters: Mapping[str, JSONValue] | None,
        order: str | None,
        per_page: int,
    ) -> CollectionQuery:
        """Check what a caller gave.

        Raises:
            ValueError: the filter is no JSON, or ``per_page`` is below 1.
            TypeError: an argument has the wrong type.
        """
        if filters is not None and not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(
                f"filters must be a dict such as {{'name': 'mnist'}}, not {type(filters).__name__}"
            )
        text = checked_json(dict(filters), "filters") if filters else None
        wanted = checked_str("order", order) if order is not None else None
        return cls(entity, project, text, wanted or None, positive("per_page", per_page))


def list_project_collection_page(
    query: CollectionQuery, after: str | None
) -> Flow[Page[ArtifactCollectionFields | None]]:
    """A page of the collections of all types; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        OutdatedServerError: there is a filter or an order, and the server takes none.
    """
    if query.filters is None and query.order is None:
        plain = yield from fetch(
            list_project_collections(
                entity=query.entity, project=query.project, first=query.per_page, after=after
            )
        )
        found = require_project(plain.project, query.entity, query.project).artifact_collections
        return (
            Page[ArtifactCollectionFields | None].empty(after) if found is None else read_page(found, after)
        )
    answer = yield from fetch(
        list_filtered_project_collections(
            entity=query.entity,
            project=query.project,
            filters=query.filters,
            order=query.order,
            first=query.per_page,
            after=after,
        )
    )
    fitting = require_project(answer.project, query.entity, query.project).artifact_collections
    return (
        Page[ArtifactCollectionFields | None].empty(after) if fitting is None else read_page(fitting, after)
    )


def _required_type(found: N | None, home: TypeAddress) -> N:
    if found is None:
        raise ArtifactNotFoundError(
            f"project {home.entity}/{home.project} has no artifacts of type {home.type_name}"
        )
    require_name("artifact type ", home.type_name, found.name)
    return found
