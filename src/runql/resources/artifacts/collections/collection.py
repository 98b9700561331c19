"""Artifact collections: one, and those of a type or of a project, each with its async twin."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TypeVar

from runql.resources.artifacts.collections.lookup import (
    CollectionQuery,
    TypeAddress,
    list_collection_page,
    list_project_collection_page,
)
from runql.resources.artifacts.collections.record import CollectionRecord
from runql.resources.artifacts.versions import PER_PAGE, Artifacts, AsyncArtifacts
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, Listing
from runql.resources.records.tables import described
from runql.transport.aio import AsyncRetryingClient
from runql.transport.sync import RetryingClient
from runql.values import Filters
from runql_graphql.fragments import ArtifactCollectionFields

C = TypeVar("C", bound="CollectionRecord")


class ArtifactCollection(CollectionRecord):
    """The versions under one name, as `Api.artifact_collection` and `ArtifactType` return them."""

    def __init__(self, client: RetryingClient, home: TypeAddress, fields: ArtifactCollectionFields) -> None:
        super().__init__(home, fields)
        self._client = client

    def artifacts(
        self, per_page: int = PER_PAGE, *, tags: Collection[str] | None = None, limit: int | None = None
    ) -> Artifacts:
        """Return its versions in the server's order, most often newest first; see `Artifacts`."""
        home, name = self._home, self._fields.name
        return Artifacts(
            self._client,
            home.entity,
            home.project,
            name,
            home.type_name,
            per_page=per_page,
            tags=tags,
            limit=limit,
        )

    def save(self) -> None:
        """Write the changed name, type, description and tags to the server.

        Sends what differs from what was read: one request for name and description, one for the type, one for added
        tags, one for removed tags. Sends nothing if nothing differs.

        Raises:
            ArtifactNotFoundError: the collection does not exist any more.
            IncompleteUpdateError: the server stored a part of the changes.
            AnswerError, ChangeRefusedError: the server refuses, for example a name that another collection has.
        """
        self._client.run(self._save())

    def delete(self) -> None:
        """Delete the collection and all versions that were made in it; one request. This cannot be undone.

        Deleting a collection of links deletes only the links.

        Raises:
            ArtifactNotFoundError: the collection does not exist any more.
            AnswerError, DeletionRefusedError: the server refuses.
            DeletionUnconfirmedError: the response was lost, and a second request did not show that it is gone.
        """
        self._client.run(self._delete())


class AsyncArtifactCollection(CollectionRecord):
    """The async twin of `ArtifactCollection`."""

    def __init__(
        self, client: AsyncRetryingClient, home: TypeAddress, fields: ArtifactCollectionFields
    ) -> None:
        super().__init__(home, fields)
        self._client = client

    def artifacts(
        self, per_page: int = PER_PAGE, *, tags: Collection[str] | None = None, limit: int | None = None
    ) -> AsyncArtifacts:
        """Return its versions in the server's order, most often newest first; see `Artifacts`."""
        home, name = self._home, self._fields.name
        return AsyncArtifacts(
            self._client,
            home.entity,
            home.project,
            name,
            home.type_name,
            per_page=per_page,
            tags=tags,
            limit=limit,
        )

    async def save(self) -> None:
        """Write the changed name, type, description and tags to the server.

        See `ArtifactCollection.save` for its requests and errors.
        """
        await self._client.run(self._save())

    async def delete(self) -> None:
        """Delete the collection and all versions that were made in it; one request. This cannot be undone.

        See `ArtifactCollection.delete` for its requests and errors.
        """
        await self._client.run(self._delete())


class ArtifactCollections(LazySequence[ArtifactCollectionFields, ArtifactCollection]):
    """The collections of one type in a project, a lazy sequence that sends one request a page."""

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        type_name: str,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        home = TypeAddress(entity, project, type_name)
        self._home = home
        super().__init__(client, _listing(home, per_page, limit, partial(ArtifactCollection, client, home)))

    def __repr__(self) -> str:
        return described("ArtifactCollections", self._home)


class AsyncArtifactCollections(AsyncLazySequence[ArtifactCollectionFields, AsyncArtifactCollection]):
    """The async twin of `ArtifactCollections`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        type_name: str,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        home = TypeAddress(entity, project, type_name)
        self._home = home
        super().__init__(
            client, _listing(home, per_page, limit, partial(AsyncArtifactCollection, client, home))
        )

    def __repr__(self) -> str:
        return described("ArtifactCollections", self._home)


class ProjectArtifactCollections(LazySequence[ArtifactCollectionFields, ArtifactCollection]):
    """The collections of all types in a project, a lazy sequence that sends one request a page."""

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        query = CollectionQuery.checked(entity, project, filters, order, per_page)
        super().__init__(client, _project_listing(query, limit, partial(ArtifactCollection, client)))

    def __repr__(self) -> str:
        return described("ProjectArtifactCollections", self._path)


class AsyncProjectArtifactCollections(AsyncLazySequence[ArtifactCollectionFields, AsyncArtifactCollection]):
    """The async twin of `ProjectArtifactCollections`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        query = CollectionQuery.checked(entity, project, filters, order, per_page)
        super().__init__(client, _project_listing(query, limit, partial(AsyncArtifactCollection, client)))

    def __repr__(self) -> str:
        return described("ProjectArtifactCollections", self._path)


def _listing(
    home: TypeAddress, per_page: int, limit: int | None, make: Callable[[ArtifactCollectionFields], C]
) -> Listing[ArtifactCollectionFields, C]:
    return Listing(
        partial(list_collection_page, home),
        lambda page: [make(fields) for fields in page.nodes],
        lambda collection: collection.id,
        per_page=per_page,
        limit=limit,
    )


def _project_listing(
    query: CollectionQuery, limit: int | None, make: Callable[[TypeAddress, ArtifactCollectionFields], C]
) -> Listing[ArtifactCollectionFields, C]:
    def made(fields: ArtifactCollectionFields) -> C:
        return make(TypeAddress(query.entity, query.project, fields.default_artifact_type.name), fields)

    return Listing(
        lambda size, after: list_project_collection_page(replace(query, per_page=size), after),
        lambda page: [made(fields) for fields in page.nodes],
        lambda collection: collection.id,
        per_page=query.per_page,
        limit=limit,
    )
