"""The part of `Api` that finds artifacts, and its async twin."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING

from runql.arguments import checked_str
from runql.errors import NotFoundError
from runql.paths import ArtifactAddress, ProjectAddress, parse_artifact_path, parse_project_path
from runql.postponed import postponed
from runql.transport.deadlines.methods import counts_as_one_async_call, counts_as_one_call
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.resources.artifacts.artifact import Artifact, AsyncArtifact
    from runql.resources.artifacts.collections.collection import (
        ArtifactCollection,
        ArtifactCollections,
        AsyncArtifactCollection,
        AsyncArtifactCollections,
    )
    from runql.resources.artifacts.collections.lookup import TypeAddress
    from runql.resources.artifacts.collections.types import (
        ArtifactType,
        ArtifactTypes,
        AsyncArtifactType,
        AsyncArtifactTypes,
    )
    from runql.resources.artifacts.lookup import ResolvedArtifact
    from runql.resources.artifacts.versions import Artifacts, AsyncArtifacts
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(
        postponed(
            "Artifact ArtifactCollection ArtifactCollections Artifacts ArtifactType ArtifactTypes "
            "AsyncArtifact AsyncArtifactCollection AsyncArtifactCollections AsyncArtifacts "
            "AsyncArtifactType AsyncArtifactTypes AsyncRetryingClient"
        )
    )


class ArtifactCatalog(ABC):
    """The members of `Api` that find artifacts, their types and their collections."""

    client: RetryingClient

    @property
    @abstractmethod
    def default_entity(self) -> str | None:
        """The entity of paths without one."""

    @abstractmethod
    def _owner(self, named: str | None) -> str:
        """The entity of a path, or the default one."""

    @counts_as_one_call
    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """Return one artifact version; one request, on older servers one more the first time.

        Args:
            name: ``entity/project/collection:version``, ``project/collection:version``, ``collection:version``, or the
                version's URL. The version is one such as ``v3`` or an alias; without one it is ``latest``.
            type: the type that the artifact must have.

        Raises:
            PathError: the name has none of these forms; raised before anything is sent.
            ArtifactNotFoundError: the project has no such version.
            ProjectNotFoundError: the project is absent or hidden.
            ValueError: the artifact is of another type.
        """
        from runql.resources.artifacts.artifact import Artifact

        return Artifact(self.client, self.client.run(_find_of_type(self._address(name), type)))

    @counts_as_one_call
    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Whether there is such an artifact version, of this type if one is given. Requests are those of `artifact`."""
        return self.client.run(_exists(self._address(name), type))

    def artifacts(
        self,
        type_name: str,
        name: str,
        per_page: int = 50,
        tags: Collection[str] | None = None,
        *,
        order: str | None = None,
        limit: int | None = None,
    ) -> Artifacts:
        """Return the versions of a collection, a lazy sequence that sends one request a page; see `Artifacts`.

        Args:
            type_name: the type of the collection.
            name: ``entity/project/collection``, ``project/collection`` or ``collection``.
            per_page: versions a page, at least 1.
            tags: only versions that have all of these.
            order: ``+`` or ``-`` and a field, such as ``-created_at``; None for the server's order, newest first.
            limit: at most so many versions; None for all.
        """
        from runql.resources.artifacts.versions import Artifacts

        address = self._address(name)
        return Artifacts(
            self.client,
            address.entity,
            address.project,
            address.collection,
            type_name,
            order=order,
            per_page=per_page,
            tags=tags,
            limit=limit,
        )

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:
        """Deprecated: `artifacts` under an older name."""
        warnings.warn(
            "Api.artifact_versions is deprecated: use Api.artifacts", DeprecationWarning, stacklevel=2
        )
        return self.artifacts(type_name, name, per_page)

    @counts_as_one_call
    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Return one artifact type of a project; one request.

        Args:
            type_name: such as ``model``.
            project: the project, as for `Api.runs`.

        Raises:
            ArtifactNotFoundError: the project has no artifacts of this type.
        """
        from runql.resources.artifacts.collections.lookup import TypeAddress, find_type
        from runql.resources.artifacts.collections.types import ArtifactType

        home = self._home(project)
        fields = self.client.run(find_type(TypeAddress(home.entity, home.project, type_name)))
        return ArtifactType(self.client, home.entity, home.project, fields)

    def artifact_types(self, project: str | None = None, *, limit: int | None = None) -> ArtifactTypes:
        """Return the artifact types of a project, a lazy sequence. ``project`` is as for `Api.runs`."""
        from runql.resources.artifacts.collections.types import ArtifactTypes

        home = self._home(project)
        return ArtifactTypes(self.client, home.entity, home.project, limit=limit)

    @counts_as_one_call
    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Return one collection; one request. ``name`` is as for `artifacts`.

        Raises:
            ArtifactNotFoundError: the project has no such collection of this type.
        """
        from runql.resources.artifacts.collections.collection import ArtifactCollection
        from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection

        address = self._address(name)
        home = TypeAddress(address.entity, address.project, type_name)
        return ArtifactCollection(
            self.client, home, self.client.run(find_collection(home, address.collection))
        )

    def artifact_collections(
        self, project_name: str, type_name: str, per_page: int = 50, *, limit: int | None = None
    ) -> ArtifactCollections:
        """Return the collections of one type_name in a project, a lazy sequence. ``project_name`` is as for `Api.runs`."""
        from runql.resources.artifacts.collections.collection import ArtifactCollections

        home = self._home(project_name)
        return ArtifactCollections(self.client, home.entity, home.project, type_name, per_page, limit=limit)

    @counts_as_one_call
    def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Whether there is such a collection of this type; one request."""
        from runql.resources.artifacts.collections.lookup import TypeAddress

        address = self._address(name)
        home = TypeAddress(address.entity, address.project, type)
        return self.client.run(_collection_exists(home, address.collection))

    def _address(self, name: str) -> ArtifactAddress:
        path = parse_artifact_path(name)
        return path.resolve(entity=self._owner(path.entity), project=self.client.settings.project)

    def _home(self, project: str | None) -> ProjectAddress:
        path = parse_project_path(project)
        return path.resolve(entity=self._owner(path.entity), project=self.client.settings.project)


class AsyncArtifactCatalog(ABC):
    """The async twin of `ArtifactCatalog`."""

    client: AsyncRetryingClient

    @property
    @abstractmethod
    async def default_entity(self) -> str | None:
        """The entity of paths without one."""

    @abstractmethod
    async def _owner(self, named: str | None) -> str:
        """The entity of a path, or the default one."""

    @counts_as_one_async_call
    async def artifact(self, name: str, type: str | None = None) -> AsyncArtifact:
        """Return one artifact version; one request, on older servers one more the first time.

        See `ArtifactCatalog.artifact` for its requests and errors.
        """
        from runql.resources.artifacts.artifact import AsyncArtifact

        return AsyncArtifact(
            self.client, await self.client.run(_find_of_type(await self._address(name), type))
        )

    @counts_as_one_async_call
    async def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Whether there is such an artifact version, of this type if one is given. Requests are those of
        `artifact`.
        """
        return await self.client.run(_exists(await self._address(name), type))

    async def artifacts(
        self,
        type_name: str,
        name: str,
        per_page: int = 50,
        tags: Collection[str] | None = None,
        *,
        order: str | None = None,
        limit: int | None = None,
    ) -> AsyncArtifacts:
        """Return the versions of a collection, a lazy sequence that sends one request a page; see
        `Artifacts`.

        See `ArtifactCatalog.artifacts` for its requests and errors.
        """
        from runql.resources.artifacts.versions import AsyncArtifacts

        address = await self._address(name)
        return AsyncArtifacts(
            self.client,
            address.entity,
            address.project,
            address.collection,
            type_name,
            order=order,
            per_page=per_page,
            tags=tags,
            limit=limit,
        )

    async def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> AsyncArtifacts:
        """Deprecated: `artifacts` under an older name."""
        warnings.warn(
            "AsyncApi.artifact_versions is deprecated: use AsyncApi.artifacts",
            DeprecationWarning,
            stacklevel=2,
        )
        return await self.artifacts(type_name, name, per_page)

    @counts_as_one_async_call
    async def artifact_type(self, type_name: str, project: str | None = None) -> AsyncArtifactType:
        """Return one artifact type of a project; one request.

        See `ArtifactCatalog.artifact_type` for its requests and errors.
        """
        from runql.resources.artifacts.collections.lookup import TypeAddress, find_type
        from runql.resources.artifacts.collections.types import AsyncArtifactType

        home = await self._home(project)
        fields = await self.client.run(find_type(TypeAddress(home.entity, home.project, type_name)))
        return AsyncArtifactType(self.client, home.entity, home.project, fields)

    async def artifact_types(
        self, project: str | None = None, *, limit: int | None = None
    ) -> AsyncArtifactTypes:
        """Return the artifact types of a project, a lazy sequence. ``project`` is as for `Api.runs`."""
        from runql.resources.artifacts.collections.types import AsyncArtifactTypes

        home = await self._home(project)
        return AsyncArtifactTypes(self.client, home.entity, home.project, limit=limit)

    @counts_as_one_async_call
    async def artifact_collection(self, type_name: str, name: str) -> AsyncArtifactCollection:
        """Return one collection; one request. ``name`` is as for `artifacts`.

        See `ArtifactCatalog.artifact_collection` for its requests and errors.
        """
        from runql.resources.artifacts.collections.collection import AsyncArtifactCollection
        from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection

        address = await self._address(name)
        home = TypeAddress(address.entity, address.project, type_name)
        fields = await self.client.run(find_collection(home, address.collection))
        return AsyncArtifactCollection(self.client, home, fields)

    async def artifact_collections(
        self, project_name: str, type_name: str, per_page: int = 50, *, limit: int | None = None
    ) -> AsyncArtifactCollections:
        """Return the collections of one type_name in a project, a lazy sequence. ``project_name`` is as for
        `Api.runs`.
        """
        from runql.resources.artifacts.collections.collection import AsyncArtifactCollections

        home = await self._home(project_name)
        return AsyncArtifactCollections(
            self.client, home.entity, home.project, type_name, per_page, limit=limit
        )

    @counts_as_one_async_call
    async def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Whether there is such a collection of this type; one request."""
        from runql.resources.artifacts.collections.lookup import TypeAddress

        address = await self._address(name)
        home = TypeAddress(address.entity, address.project, type)
        return await self.client.run(_collection_exists(home, address.collection))

    async def _address(self, name: str) -> ArtifactAddress:
        path = parse_artifact_path(name)
        return path.resolve(entity=await self._owner(path.entity), project=self.client.settings.project)

    async def _home(self, project: str | None) -> ProjectAddress:
        path = parse_project_path(project)
        return path.resolve(entity=await self._owner(path.entity), project=self.client.settings.project)


def _find_of_type(address: ArtifactAddress, type_name: str | None) -> Flow[ResolvedArtifact]:
    from runql.resources.artifacts.lookup import find_artifact

    if type_name is not None:
        checked_str("type", type_name)
    found = yield from find_artifact(address)
    if type_name not in (None, found.fields.artifact_type.name):
        raise ValueError(
            f"artifact {address.qualified_name} is of type {found.fields.artifact_type.name}, not {type_name}"
        )
    return found


def _exists(address: ArtifactAddress, type_name: str | None) -> Flow[bool]:
    from runql.resources.artifacts.lookup import find_artifact

    if type_name is not None:
        checked_str("type", type_name)
    try:
        found = yield from find_artifact(address)
    except NotFoundError:
        return False
    return type_name in (None, found.fields.artifact_type.name)


def _collection_exists(home: TypeAddress, name: str) -> Flow[bool]:
    from runql.resources.artifacts.collections.lookup import find_collection

    try:
        yield from find_collection(home, name)
    except NotFoundError:
        return False
    return True
