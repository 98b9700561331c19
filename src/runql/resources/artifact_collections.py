"""Kinds of artifacts and their collections: one, and those of a project, each with its awaited twin."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

from runql.resources.absent import present
from runql.resources.artifact_collection_lookup import (
    TypeAddress,
    find_collection,
    list_collection_page,
    list_type_page,
)
from runql.resources.artifacts import PER_PAGE, Artifacts, AsyncArtifacts
from runql.resources.connections import UncountedListing
from runql.resources.pages import AsyncLazySequence, LazySequence, Listing
from runql.resources.run_query import positive
from runql.transport.aio import AsyncRetryingClient
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import ArtifactCollectionFields, ArtifactTypeFields

C = TypeVar("C", bound="CollectionRecord")
SEQUENCE = "ArtifactSequence"


class CollectionRecord:
    """The part of `ArtifactCollection` and `AsyncArtifactCollection` that needs no request."""

    def __init__(self, home: TypeAddress, fields: ArtifactCollectionFields) -> None:
        self._home = home
        self._fields = fields

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.entity}/{self.project}/{self.name} ({self.type})>"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self._fields.id

    @property
    def entity(self) -> str:
        """The entity it was asked for with."""
        return self._home.entity

    @property
    def project(self) -> str:
        """The project it was asked for with."""
        return self._home.project

    @property
    def name(self) -> str:
        """Its name, which stands before the colon of an artifact's."""
        return self._fields.name

    @property
    def type(self) -> str:
        """What kind of artifacts it holds."""
        return self._fields.default_artifact_type.name

    @property
    def description(self) -> str | None:
        """What somebody wrote about it."""
        return self._fields.description

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601; without a zone it is UTC."""
        return self._fields.created_at

    @property
    def updated_at(self) -> str | None:
        """When it was last changed, ISO 8601; without a zone it is UTC."""
        return self._fields.updated_at

    @property
    def tags(self) -> list[str]:
        """Its tags, in the server's order.

        Raises:
            OutdatedServerError: the server does not know tags.
        """
        tags = present(self._fields.tags, "ArtifactCollection.tags")
        return [edge.node.name for edge in tags.edges]

    @property
    def aliases(self) -> list[str]:
        """The aliases of all its versions, at most 1,000, in the server's order."""
        return [edge.node.alias for edge in self._fields.aliases.edges if edge.node is not None]

    def is_sequence(self) -> bool:
        """Whether versions are made in it; False for one of links to versions that are made elsewhere."""
        return self._fields.typename__ == SEQUENCE


class ArtifactCollection(CollectionRecord):
    """A line of versions under one name; `Api.artifact_collection` and `ArtifactType` make them."""

    def __init__(self, client: RetryingClient, home: TypeAddress, fields: ArtifactCollectionFields) -> None:
        super().__init__(home, fields)
        self._client = client

    def artifacts(self, per_page: int = PER_PAGE, *, tags: Collection[str] | None = None) -> Artifacts:
        """Return its versions, newest first where the server does so; see `Artifacts`."""
        home = self._home
        return Artifacts(
            self._client, home.entity, home.project, self.name, home.type_name, per_page=per_page, tags=tags
        )


class AsyncArtifactCollection(CollectionRecord):
    """As `ArtifactCollection`, awaited."""

    def __init__(
        self, client: AsyncRetryingClient, home: TypeAddress, fields: ArtifactCollectionFields
    ) -> None:
        super().__init__(home, fields)
        self._client = client

    def artifacts(self, per_page: int = PER_PAGE, *, tags: Collection[str] | None = None) -> AsyncArtifacts:
        """As `ArtifactCollection.artifacts`."""
        home = self._home
        return AsyncArtifacts(
            self._client, home.entity, home.project, self.name, home.type_name, per_page=per_page, tags=tags
        )


class ArtifactCollections(LazySequence[ArtifactCollectionFields | None, ArtifactCollection]):
    """The collections of one kind in a project, read page by page as they are looked at; one request a page."""

    def __init__(
        self, client: RetryingClient, entity: str, project: str, type_name: str, per_page: int = PER_PAGE
    ) -> None:
        home = TypeAddress(entity, project, type_name)
        self._home = home
        super().__init__(client, _listing(home, per_page, partial(ArtifactCollection, client, home)))

    def __repr__(self) -> str:
        return f"<ArtifactCollections {self._home}>"


class AsyncArtifactCollections(AsyncLazySequence[ArtifactCollectionFields | None, AsyncArtifactCollection]):
    """As `ArtifactCollections`, awaited."""

    def __init__(
        self, client: AsyncRetryingClient, entity: str, project: str, type_name: str, per_page: int = PER_PAGE
    ) -> None:
        home = TypeAddress(entity, project, type_name)
        self._home = home
        super().__init__(client, _listing(home, per_page, partial(AsyncArtifactCollection, client, home)))

    def __repr__(self) -> str:
        return f"<ArtifactCollections {self._home}>"


class TypeRecord:
    """The part of `ArtifactType` and `AsyncArtifactType` that needs no request."""

    def __init__(self, entity: str, project: str, fields: ArtifactTypeFields) -> None:
        self._home = TypeAddress(entity, project, fields.name)
        self._fields = fields

    def __repr__(self) -> str:
        return f"<ArtifactType {self._home}>"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self._fields.id

    @property
    def name(self) -> str:
        """Its name, such as ``model``."""
        return self._fields.name

    @property
    def entity(self) -> str:
        """The entity it was asked for with."""
        return self._home.entity

    @property
    def project(self) -> str:
        """The project it was asked for with."""
        return self._home.project

    @property
    def description(self) -> str | None:
        """What somebody wrote about it."""
        return self._fields.description

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601; without a zone it is UTC."""
        return self._fields.created_at


class ArtifactType(TypeRecord):
    """A kind of artifacts in a project; `Api.artifact_type` and `Api.artifact_types` make them."""

    def __init__(self, client: RetryingClient, entity: str, project: str, fields: ArtifactTypeFields) -> None:
        super().__init__(entity, project, fields)
        self._client = client

    def collections(self, per_page: int = PER_PAGE) -> ArtifactCollections:
        """Return its collections, read page by page as they are looked at."""
        home = self._home
        return ArtifactCollections(self._client, home.entity, home.project, home.type_name, per_page)

    def collection(self, name: str) -> ArtifactCollection:
        """Return one of its collections; one request.

        Raises:
            ArtifactNotFoundError: there is none of this name.
        """
        fields = self._client.run(find_collection(self._home, name))
        return ArtifactCollection(self._client, self._home, fields)


class AsyncArtifactType(TypeRecord):
    """As `ArtifactType`, awaited."""

    def __init__(
        self, client: AsyncRetryingClient, entity: str, project: str, fields: ArtifactTypeFields
    ) -> None:
        super().__init__(entity, project, fields)
        self._client = client

    def collections(self, per_page: int = PER_PAGE) -> AsyncArtifactCollections:
        """As `ArtifactType.collections`."""
        home = self._home
        return AsyncArtifactCollections(self._client, home.entity, home.project, home.type_name, per_page)

    async def collection(self, name: str) -> AsyncArtifactCollection:
        """As `ArtifactType.collection`."""
        fields = await self._client.run(find_collection(self._home, name))
        return AsyncArtifactCollection(self._client, self._home, fields)


class ArtifactTypes(LazySequence[ArtifactTypeFields, ArtifactType]):
    """The kinds of artifacts in a project, read page by page as they are looked at; `len` reads to the end."""

    def __init__(self, client: RetryingClient, entity: str, project: str, per_page: int = PER_PAGE) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            UncountedListing(
                partial(list_type_page, entity, project, positive("per_page", per_page)),
                lambda page: [ArtifactType(client, entity, project, fields) for fields in page.nodes],
                lambda kind: kind.id,
            ),
        )

    def __repr__(self) -> str:
        return f"<ArtifactTypes {self._path}>"


class AsyncArtifactTypes(AsyncLazySequence[ArtifactTypeFields, AsyncArtifactType]):
    """As `ArtifactTypes`, awaited."""

    def __init__(
        self, client: AsyncRetryingClient, entity: str, project: str, per_page: int = PER_PAGE
    ) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            UncountedListing(
                partial(list_type_page, entity, project, positive("per_page", per_page)),
                lambda page: [AsyncArtifactType(client, entity, project, fields) for fields in page.nodes],
                lambda kind: kind.id,
            ),
        )

    def __repr__(self) -> str:
        return f"<ArtifactTypes {self._path}>"


def _listing(
    home: TypeAddress, per_page: int, make: Callable[[ArtifactCollectionFields], C]
) -> Listing[ArtifactCollectionFields | None, C]:
    return Listing(
        partial(list_collection_page, home, positive("per_page", per_page)),
        lambda page: [make(fields) for fields in page.nodes if fields is not None],
        lambda collection: collection.id,
    )
