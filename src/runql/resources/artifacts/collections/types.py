"""Artifact types: one, and those of a project, each with its async twin."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from runql.resources.artifacts.collections.collection import (
    ArtifactCollection,
    ArtifactCollections,
    AsyncArtifactCollection,
    AsyncArtifactCollections,
)
from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection, list_type_page
from runql.resources.artifacts.versions import PER_PAGE
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, UncountedListing
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Contents, Shown, described
from runql.times import as_time
from runql.transport.aio import AsyncRetryingClient
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import ArtifactTypeFields


class TypeRecord(Shown, SnakeCaseAttributes):
    """What both clients share."""

    def __init__(self, entity: str, project: str, fields: ArtifactTypeFields) -> None:
        self._home = TypeAddress(entity, project, fields.name)
        self._fields = fields

    def __repr__(self) -> str:
        return described("ArtifactType", self._home)

    def _contents(self) -> Contents:
        names = ("name", "entity", "project", "created_at", "description", "id")
        return Contents({name: getattr(self, name) for name in names})

    @property
    def id(self) -> str:
        """The server's id."""
        return self._fields.id

    @property
    def name(self) -> str:
        """Its name, such as ``model``."""
        return self._fields.name

    @property
    def entity(self) -> str:
        """The entity that was requested."""
        return self._home.entity

    @property
    def project(self) -> str:
        """The project that was requested."""
        return self._home.project

    @property
    def description(self) -> str | None:
        """The description."""
        return self._fields.description

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601, in UTC where no zone is given."""
        return self._fields.created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.created_at, f"created_at of artifact type {self._home}")


class ArtifactType(TypeRecord):
    """An artifact type of a project, as `Api.artifact_type` and `Api.artifact_types` return it."""

    def __init__(self, client: RetryingClient, entity: str, project: str, fields: ArtifactTypeFields) -> None:
        super().__init__(entity, project, fields)
        self._client = client

    def collections(self, per_page: int = PER_PAGE, *, limit: int | None = None) -> ArtifactCollections:
        """Return its collections, at most ``limit``, a lazy sequence that sends one request a page."""
        home = self._home
        return ArtifactCollections(
            self._client, home.entity, home.project, home.type_name, per_page, limit=limit
        )

    def collection(self, name: str) -> ArtifactCollection:
        """Return one of its collections; one request.

        Raises:
            ArtifactNotFoundError: there is no collection with this name.
        """
        fields = self._client.run(find_collection(self._home, name))
        return ArtifactCollection(self._client, self._home, fields)


class AsyncArtifactType(TypeRecord):
    """The async twin of `ArtifactType`."""

    def __init__(
        self, client: AsyncRetryingClient, entity: str, project: str, fields: ArtifactTypeFields
    ) -> None:
        super().__init__(entity, project, fields)
        self._client = client

    def collections(self, per_page: int = PER_PAGE, *, limit: int | None = None) -> AsyncArtifactCollections:
        """Return its collections, at most ``limit``, a lazy sequence that sends one request a page."""
        home = self._home
        return AsyncArtifactCollections(
            self._client, home.entity, home.project, home.type_name, per_page, limit=limit
        )

    async def collection(self, name: str) -> AsyncArtifactCollection:
        """Return one of its collections; one request.

        See `ArtifactType.collection` for its requests and errors.
        """
        fields = await self._client.run(find_collection(self._home, name))
        return AsyncArtifactCollection(self._client, self._home, fields)


class ArtifactTypes(LazySequence[ArtifactTypeFields, ArtifactType]):
    """The artifact types of a project, a lazy sequence that sends one request a page; `len` reads all pages."""

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            UncountedListing(
                partial(list_type_page, entity, project),
                lambda page: [ArtifactType(client, entity, project, fields) for fields in page.nodes],
                lambda each: each.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("ArtifactTypes", self._path)


class AsyncArtifactTypes(AsyncLazySequence[ArtifactTypeFields, AsyncArtifactType]):
    """The async twin of `ArtifactTypes`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        per_page: int = PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            UncountedListing(
                partial(list_type_page, entity, project),
                lambda page: [AsyncArtifactType(client, entity, project, fields) for fields in page.nodes],
                lambda each: each.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("ArtifactTypes", self._path)
