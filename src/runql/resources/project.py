"""Projects: one, and those of an entity, for both clients."""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from runql.errors import NotFoundError
from runql.paths import project_url
from runql.postponed import postponed
from runql.resources.artifacts.collections.collection import (
    AsyncProjectArtifactCollections,
    ProjectArtifactCollections,
)
from runql.resources.artifacts.collections.types import ArtifactTypes, AsyncArtifactTypes
from runql.resources.pages.listing import (
    AsyncLazySequence,
    LazySequence,
    Page,
    UncountedListing,
    read_edges,
)
from runql.resources.records.absent_fields import require_field
from runql.resources.records.identity import require_name, require_project
from runql.resources.records.iframe import page_html
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Contents, Shown, described
from runql.resources.records.travelling import Travelling
from runql.resources.runs.runs import AsyncRuns, Runs
from runql.resources.sweeps.sweeps import AsyncSweeps, Sweeps
from runql.resources.user import User
from runql.times import as_time
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, fetch
from runql.transport.sync import RetryingClient
from runql.values import Filters, Missing
from runql_graphql.fragments import ProjectFields
from runql_graphql.input_types import UpsertModelInput
from runql_graphql.operations import create_project as create
from runql_graphql.operations import get_project, list_projects

if TYPE_CHECKING:
    from runql.archive.archive import Archive
else:
    globals().update(postponed("Archive"))


class ProjectRecord(Travelling, Shown, SnakeCaseAttributes):
    """The fields of a project; none of its members sends a request."""

    def __init__(self, app_url: str, fields: ProjectFields) -> None:
        self._app_url = app_url
        self._fields = fields

    def __repr__(self) -> str:
        return described("Project", f"{self.entity}/{self.name}")

    @property
    def id(self) -> str:
        """The server's own id."""
        return self._fields.id

    @property
    def name(self) -> str:
        """The name in URLs."""
        return self._fields.name

    @property
    def entity(self) -> str:
        """The entity that owns it."""
        return self._fields.entity_name

    @property
    def entity_name(self) -> str:
        """The same as `entity`, under the server's word."""
        return self.entity

    @property
    def path(self) -> list[str]:
        """Entity and project."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """The project's page in the web app; made from the settings."""
        return project_url(self._app_url, self.entity, self.name)

    @property
    def created_at(self) -> str:
        """When it was created, ISO 8601; without a zone it is UTC."""
        return self._fields.created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.created_at, f"created_at of project {self.entity}/{self.name}")

    @property
    def updated_at(self) -> str | None:
        """When it was last changed, ISO 8601; without a zone it is UTC."""
        return self._fields.updated_at

    @property
    def updated_time(self) -> datetime | None:
        """`updated_at` as an aware datetime in UTC.

        None where `updated_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.updated_at, f"updated_at of project {self.entity}/{self.name}")

    @property
    def description(self) -> str | None:
        """A description by a user."""
        return self._fields.description

    @property
    def access(self) -> str | None:
        """Who may see it, such as PRIVATE; a plain str, because servers may add values. None where they return none."""
        return self._fields.access

    @property
    def is_benchmark(self) -> bool:
        """Whether it is a benchmark.

        Raises:
            OutdatedServerError: the server does not know the field.
        """
        return require_field(self._fields.is_benchmark, "Project.isBenchmark")

    @property
    def owner(self) -> User | None:
        """The user who created it; as a str it is their name. None where the server returns none."""
        user = self._fields.user
        return User(name=user.name, username=user.username) if user else None

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return the HTML of an iframe that shows the project's page.

        Args:
            height: of the iframe, in pixels.
            hidden: hide it behind a button.
        """
        return page_html(self.url, "project", height=height, hidden=hidden)

    def _contents(self) -> Contents:
        names = ("name", "entity", "created_at", "updated_at", "access", "description", "id")
        return Contents({name: getattr(self, name) for name in names}, url=self.url)


class Project(ProjectRecord):
    """A project; `Api.project` and `Api.projects` make them::

        project = runql.Api().project("team/vision")
        for sweep in project.sweeps():
            print(sweep.name, sweep.best_loss)

    Requests: none for its fields; its lists send one a page.
    """

    def __init__(self, client: RetryingClient, fields: ProjectFields) -> None:
        self._client = client
        super().__init__(client.settings.app_url, fields)

    def runs(
        self,
        filters: Filters | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
    ) -> Runs:
        """Return its runs; see `Api.runs`."""
        return Runs(
            self._client,
            self.entity,
            self.name,
            filters,
            order,
            per_page,
            include_sweeps,
            lazy=lazy,
            limit=limit,
            missing=missing,
        )

    def export(
        self,
        folder: str | os.PathLike[str],
        *,
        files: bool = False,
        artifacts: bool = False,
        progress: Progress | bool | None = None,
    ) -> Archive:
        """Write the project into a folder, or go on where an interrupted call stopped; return the archive.

        It holds all runs, every row of their histories, system metrics, console lines and sweeps; see docs/archives.md.
        Needs pyarrow. Memory holds a few responses.

        Args:
            folder: for this archive alone; created if missing.
            files: take the files of runs along.
            artifacts: take the artifacts along.
            progress: called with the runs that were read and their total. True draws a bar, False none; by default one
                comes by itself, see `runql.progress_bar`.

        Raises:
            ArchiveError: the folder holds something else.
            LocalFileError: the folder cannot be written.
            MissingExtraError: pyarrow is not installed; raised before anything is sent.

        What is about one run and cannot be read is left out, and named in `Archive.problems`: another call tries it again.

        Requests: three for up to 50 runs, one for each 1,000 rows of a longer run, one a file, three an artifact version.
        """
        from runql.archive.calls import export_flow
        from runql.bars import reported

        with reported(progress, "export", "runs") as report:
            return self._client.run(
                export_flow(self._client, self.entity, self.name, folder, files, artifacts, report)
            )

    def sweeps(self, per_page: int = 50, *, limit: int | None = None) -> Sweeps:
        """Return its sweeps, at most ``limit``, as a lazy list; one request a page."""
        return Sweeps(self._client, self.entity, self.name, per_page, limit=limit)

    def artifacts_types(self, per_page: int = 50, *, limit: int | None = None) -> ArtifactTypes:
        """Return its types of artifacts, at most ``limit``, as a lazy list; one request a page."""
        return ArtifactTypes(self._client, self.entity, self.name, per_page, limit=limit)

    def collections(
        self,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> ProjectArtifactCollections:
        """Return its artifact collections of all types as a lazy list; one request a page.

        Args:
            filters: in the server's language, such as ``{"name": {"$regex": "^mnist"}}``. It needs the server feature
                ARTIFACT_COLLECTIONS_FILTERING_SORTING, as ``order`` does.
            order: ``+`` or ``-`` and a field, such as ``-created_at``.
            per_page: collections a request.
            limit: at most so many collections; None for all.

        Raises:
            ValueError, TypeError: an argument is not valid; raised before anything is sent.
            OutdatedServerError: while reading: the server supports no filter or order.
        """
        return ProjectArtifactCollections(
            self._client, self.entity, self.name, filters, order, per_page, limit=limit
        )


class AsyncProject(ProjectRecord):
    """The async twin of `Project`; its lists are read with ``async for``."""

    def __init__(self, client: AsyncRetryingClient, fields: ProjectFields) -> None:
        self._client = client
        super().__init__(client.settings.app_url, fields)

    def runs(
        self,
        filters: Filters | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
    ) -> AsyncRuns:
        """Return its runs; see `Api.runs`."""
        return AsyncRuns(
            self._client,
            self.entity,
            self.name,
            filters,
            order,
            per_page,
            include_sweeps,
            lazy=lazy,
            limit=limit,
            missing=missing,
        )

    async def export(
        self,
        folder: str | os.PathLike[str],
        *,
        files: bool = False,
        artifacts: bool = False,
        progress: Progress | bool | None = None,
    ) -> Archive:
        """Write the project into a folder, or go on where an interrupted call stopped; return the archive.

        See `Project.export` for its requests and errors.
        """
        from runql.archive.calls import export_flow
        from runql.bars import reported

        with reported(progress, "export", "runs") as report:
            return await self._client.run(
                export_flow(self._client, self.entity, self.name, folder, files, artifacts, report)
            )

    def sweeps(self, per_page: int = 50, *, limit: int | None = None) -> AsyncSweeps:
        """Return its sweeps, at most ``limit``, as a lazy list; one request a page."""
        return AsyncSweeps(self._client, self.entity, self.name, per_page, limit=limit)

    def artifacts_types(self, per_page: int = 50, *, limit: int | None = None) -> AsyncArtifactTypes:
        """Return its types of artifacts, at most ``limit``, as a lazy list; one request a page."""
        return AsyncArtifactTypes(self._client, self.entity, self.name, per_page, limit=limit)

    def collections(
        self,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> AsyncProjectArtifactCollections:
        """Return its artifact collections of all types as a lazy list; one request a page.

        See `Project.collections` for its requests and errors.
        """
        return AsyncProjectArtifactCollections(
            self._client, self.entity, self.name, filters, order, per_page, limit=limit
        )


class Projects(LazySequence[ProjectFields, Project]):
    """The projects of an entity in the server's order, as a lazy list; one request a page.

    The server does not count them: ``len`` and `length` read all pages.
    """

    def __init__(
        self, client: RetryingClient, entity: str, per_page: int = 200, *, limit: int | None = None
    ) -> None:
        self._entity = entity
        super().__init__(
            client,
            UncountedListing(
                partial(list_project_page, entity),
                lambda page: [Project(client, fields) for fields in page.nodes],
                lambda project: project.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("Projects", self._entity)


class AsyncProjects(AsyncLazySequence[ProjectFields, AsyncProject]):
    """The async twin of `Projects`."""

    def __init__(
        self, client: AsyncRetryingClient, entity: str, per_page: int = 200, *, limit: int | None = None
    ) -> None:
        self._entity = entity
        super().__init__(
            client,
            UncountedListing(
                partial(list_project_page, entity),
                lambda page: [AsyncProject(client, fields) for fields in page.nodes],
                lambda project: project.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("AsyncProjects", self._entity)


def read_project(entity: str, project: str) -> Flow[ProjectFields]:
    """One project; one request.

    Raises:
        ProjectNotFoundError: it is absent or hidden.
    """
    response = yield from fetch(get_project(entity=entity, project=project))
    return require_project(response.project, entity, project)


def create_project(entity: str, name: str) -> Flow[ProjectFields]:
    """Create a project, or return the one of that name; one request, idempotent.

    Raises:
        NotFoundError: the server made no project: the entity is absent or hidden.
    """
    wanted = UpsertModelInput(name=name, entityName=entity)
    response = yield from fetch(create(input=wanted), repeatable=True)
    if response.upsert_model is None or response.upsert_model.project is None:
        raise NotFoundError(
            f"the server made no project {entity}/{name}: does the entity exist, and may your API key write there?"
        )
    return require_project(response.upsert_model.project, entity, name)


def list_project_page(entity: str, per_page: int, after: str | None) -> Flow[Page[ProjectFields]]:
    """A page of projects; one request.

    Raises:
        NotFoundError: the server returns null: the entity is absent or hidden.
    """
    response = yield from fetch(list_projects(entity=entity, first=per_page, after=after))
    if response.models is None:
        raise NotFoundError(f"entity {entity} does not exist, or your API key may not see its projects")
    page = read_edges(response.models.page_info, response.models.edges, after)
    for fields in page.nodes:
        require_name("projects of ", entity, fields.entity_name)
    return page
