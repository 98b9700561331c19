"""The entry point: the documented `Api`, and `AsyncApi` for the async client."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runql.api_key import given_key
from runql.config import resolve_settings
from runql.limits import Limits
from runql.partial_results import OnPartial
from runql.paths import checked_project_name, parse_project_path, parse_run_path, path_kind
from runql.postponed import postponed
from runql.resources.artifacts.catalog import ArtifactCatalog, AsyncArtifactCatalog
from runql.resources.records.entry_point import EntryPoint, known_entity
from runql.resources.records.imports import AsyncProjectImports, ProjectImports
from runql.resources.records.run_fields import UNEDITED, read_run
from runql.resources.records.strict_reading import response_reader
from runql.transport.deadlines.methods import counts_as_one_async_call, counts_as_one_call
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, ReadOnce
from runql.transport.http_library import httpx
from runql.transport.observation.schema_drift import OnSchemaDrift
from runql.transport.sync import RetryingClient
from runql.values import Filters, Missing

if TYPE_CHECKING:
    from runql.resources.capabilities import Capabilities
    from runql.resources.project import AsyncProject, AsyncProjects, Project, Projects
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run
    from runql.resources.runs.runs import AsyncRuns, Runs
    from runql.resources.sweeps.sweep import AsyncSweep, Sweep
    from runql.resources.user import User
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.retry import RetryPolicy
else:
    globals().update(
        postponed(
            "AsyncProject AsyncProjects AsyncRetryingClient AsyncRun AsyncRuns AsyncSweep Capabilities Project "
            "Projects RetryPolicy Run Runs Sweep User"
        )
    )


class Api(EntryPoint[RetryingClient], ArtifactCatalog, ProjectImports):
    """The entry point: one server, one API key, and the runs, sweeps, projects and artifacts that it may read::

        with runql.Api() as api:
            for run in api.runs("team/vision", order="-created_at"):
                print(run.name, run.state)

    Threads may share it, and so may forked processes. A pickle of it, or of what it returned, holds the address and the
    options, never the API key: a process takes its own from `WANDB_API_KEY` or netrc, or gets one by `with_key`. What one
    process unpickles shares connections and the rate limit. With ``transport=`` nothing is pickled (`UnshareableError`).

    Requests: none to make one; one for the default entity, once, where a path and the settings name no entity.
    """

    def __init__(
        self,
        overrides: Mapping[str, str | None] | None = None,
        timeout: float | None = None,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        deadline: float | None = None,
        retries: int | RetryPolicy | None = None,
        allow_insecure: bool = False,
        limits: Limits | None = None,
        partial: OnPartial = "raise",
        share: float = 1.0,
        strict: OnSchemaDrift | None = None,
        sample: float = 0.01,
    ) -> None:
        """Resolve the settings: arguments, then `WANDB_*` variables, then settings files, then netrc.

        Args:
            overrides: defaults by name: base_url, app_url, entity, project, organization.
            timeout: seconds to wait for a connection, and for each further piece of a response.
            api_key: sent to the API host only.
            base_url: the API's URL.
            transport: an httpx transport to send through, such as one that responds in the same process. One that holds
                connections is for one process and one event loop; elsewhere calls raise `UnshareableError`.
            deadline: seconds that each call may take in all, with its requests, waits, pages and slow responses; None
                for no limit. In an iteration each step is a call. A call that takes longer raises
                `DeadlineExceededError`.
            retries: how often to send a failed request again, or a `RetryPolicy`; None for its defaults.
            allow_insecure: send the key to other machines over plain HTTP, too, as RUNQL_ALLOW_INSECURE=1 does.
            limits: what to accept from the server at most; None for the defaults of `Limits`.
            partial: ``"allow"`` lets reads of many runs return without the runs that cannot be read, and reads of runs
                without fields for which the server sends errors. They warn with `PartialResultWarning`. By default
                they raise `IncompleteHistoriesError` and `QueryError`.
            share: the part of the server's rate limit for this client, above 0: 0.25 in each of four processes that
                read at the same time. The client leaves the rest to the others.
            strict: read a sample of the responses strictly, as `runql drift responses` does (extra `drift`). A departure
                from the schema is a `SchemaDriftWarning` once for each kind (``"warn"``), a `SchemaDriftError`
                (``"raise"``), or goes to a function as `SchemaDrift`; none of them holds values of runs. What
                `drift-approvals.toml` in the working directory approves is left out. Pickles leave it behind.
            sample: the share of the responses that ``strict`` reads, the first one included.

        Raises:
            ConfigurationError: a setting is not valid.
            MissingCredentialsError: no API key was found.
            ValueError, TypeError: an option is not valid.
            MissingExtraError: ``strict`` needs graphql-core.
        """
        key = given_key(api_key)
        del api_key  # tracebacks of errors show this frame's variables
        settings = resolve_settings(
            base_url, api_key=key, timeout=timeout, overrides=overrides, allow_insecure=allow_insecure
        )
        self.client: RetryingClient = RetryingClient(
            settings,
            retry=retries,
            deadline=deadline,
            transport=transport,
            limits=limits,
            partial=partial,
            share=share,
            reader=response_reader(strict, sample),
        )
        self._settle()

    def _settle(self) -> None:
        self._viewer = ReadOnce(_read_viewer)

    def __repr__(self) -> str:
        return f"<Api {self.settings.base_url}>" if "client" in vars(self) else "<Api, not made>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections after the requests of other threads. Further requests raise `ClientClosedError`."""
        self.client.close()

    @property
    def viewer(self) -> User:
        """The user that the API key belongs to. Sends one request, once.

        Raises:
            AuthenticationError: the server knows no user for this key.
        """
        return self.client.run(self._viewer.get())

    @property
    def default_entity(self) -> str | None:
        """The entity for paths that name none: the setting, else the viewer's own (see `viewer`)."""
        return self.settings.entity or self.viewer.entity

    def _owner(self, named: str | None) -> str:
        return named or known_entity(self.default_entity)

    def capabilities(self) -> Capabilities:
        """Return the features of the server, and the operations that it limits; one request each time."""
        from runql.resources.capabilities import read_capabilities

        return self.client.run(read_capabilities())

    @counts_as_one_call
    def run(self, path: str = "") -> Run:
        """Return one run with all its fields; one request.

        Args:
            path: ``entity/project/id``, ``project/id``, ``id``, ``entity/project:id`` or the run's URL. Three parts
                are always entity, project and id.

        Raises:
            PathError: the path has none of these forms; raised before anything is sent.
            RunNotFoundError: the project holds no such run.
            ProjectNotFoundError: the project is absent or hidden.
        """
        from runql.resources.runs.run import Run

        asked = parse_run_path(path)
        entity = self._owner(asked.entity)
        run = asked.resolve(entity=entity, project=self.settings.project)
        fields = self.client.run(read_run(run, may_lack=UNEDITED))
        return Run.listed(self.client, run.entity, run.project, fields, None)

    @counts_as_one_call
    def create_run(
        self, *, run_id: str | None = None, project: str | None = None, entity: str | None = None
    ) -> Run:
        """Create a run and return it with all its fields; as `Run.create`, which can also create it as pending."""
        from runql.resources.runs.run import Run

        return Run.create(self, run_id, project, entity)

    def runs(
        self,
        path: str | None = None,
        filters: Filters | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
        progress: Progress | bool | None = None,
        prefetch: bool = False,
    ) -> Runs:
        """Return the runs of a project as a lazy list; see `Runs`.

        Args:
            path: ``entity/project``, ``project``, or None for the defaults.
            filters: in the server's language (MongoDB's), such as ``{"summary_metrics.loss": {"$lt": 0.1}}``. Config
                values are ``config.<key>``, the run's id is ``name``. A filter that matches no run, such as
                ``{"tags": ["x"]}``, is refused.
            order: ``+`` or ``-`` and ``created_at``, another column, ``config.<key>.value`` or
                ``summary_metrics.<key>``; oldest first by default. The server decides whether runs without the value
                come first or last. `UnorderedWarning` says that no run of the first page has it, in the full shape only.
            per_page: runs a request.
            include_sweeps: let `Run.sweep` read sweeps: one request for all runs of a page, and each sweep once.
                Without it `Run.sweep` is None; `Run.sweep_name` is always there.
            lazy: list without config, summary, system metrics and history keys; the first look at one of them reads
                the run's whole page, by one request.
            limit: at most so many runs, of which pages, ``len`` and histories know; None for all. The last page asks
                for no more than are missing.
            missing: ``"raise"`` makes an `UnorderedError` of that warning, when the first page is listed. A server that
                lists runs without the value first can fill that page with them. Not with ``lazy=True``.
            progress: called after each page that a ``for`` or a slice reads, with the runs that were read and their total.
                True draws a bar, False none; by default one comes by itself for a slice, see `runql.progress_bar`.
            prefetch: a ``for`` requests the next page while you work on this one, one page ahead at most. A page that
                fails is requested again when it is reached, and raises there. Leaving the loop early waits for the
                request under way. The async client does so in asyncio, not in trio, and cancels the request.

        Raises:
            PathError, ValueError, TypeError: an argument is not valid; raised before anything is sent.
            ProjectNotFoundError: the project is absent or hidden; raised when the first page is read.
            UnorderedError: see ``missing``.
        """
        from runql.resources.runs.runs import Runs

        asked = parse_project_path(path)
        entity = self._owner(asked.entity)
        project = asked.resolve(entity=entity, project=self.settings.project)
        return Runs(
            self.client,
            project.entity,
            project.project,
            filters,
            order,
            per_page,
            include_sweeps,
            lazy=lazy,
            limit=limit,
            missing=missing,
            progress=progress,
            prefetch=prefetch,
        )

    @counts_as_one_call
    def sweep(self, path: str = "") -> Sweep:
        """Return one sweep; one request.

        Args:
            path: as for `run`, with the sweep's id in place of the run's; ``sweeps/`` may precede it.

        Raises:
            PathError: the path has none of these forms; raised before anything is sent.
            SweepNotFoundError: the project holds no such sweep.
            ProjectNotFoundError: the project is absent or hidden.
        """
        from runql.resources.sweeps.lookup import read_sweep
        from runql.resources.sweeps.sweep import Sweep

        asked = parse_run_path(path)
        entity = self._owner(asked.entity)
        sweep = asked.resolve(entity=entity, project=self.settings.project)
        fields = self.client.run(read_sweep(sweep.entity, sweep.project, sweep.run_id))
        return Sweep.listed(self.client, sweep.entity, sweep.project, fields)

    @counts_as_one_call
    def project(self, name: str, entity: str | None = None) -> Project:
        """Return one project; one request.

        Args:
            name: the project, or ``entity/project``.
            entity: its owner; None for the entity in ``name``, else the default entity.

        Raises:
            PathError: no project can have this name; raised before anything is sent.
            ProjectNotFoundError: the project is absent or hidden.
        """
        from runql.resources.project import Project, read_project

        asked = parse_project_path(name)
        owner = self._owner(entity or asked.entity)
        project = asked.resolve(entity=owner, project=self.settings.project)
        return Project(self.client, self.client.run(read_project(owner, project.project)))

    @counts_as_one_call
    def create_project(self, name: str, entity: str | None = None) -> Project:
        """Create a project and return it; one request, two when the default entity must be read.

        It is idempotent: a project that has the name already is returned unchanged.

        Args:
            name: the project.
            entity: its owner; None for the default entity.

        Raises:
            PathError: no project can have this name; raised before anything is sent.
            NotFoundError: the server made no project: the entity is absent or hidden.
            QueryError: the server refuses.
        """
        from runql.resources.project import Project, create_project

        checked_project_name(name)
        return Project(self.client, self.client.run(create_project(self._owner(entity), name)))

    @counts_as_one_call
    def from_path(self, path: str) -> Project | Run | Sweep:
        """Return the project, run or sweep at a path; one request.

        Args:
            path: ``project``, ``entity/project``, ``entity/project/id`` (a run), ``entity/project/runs/id``,
                ``entity/project/sweeps/id``, or the URL of one of them.

        Raises:
            PathError: the path has none of these forms, or names a report; raised before anything is sent.
            NotFoundError: it does not exist.
        """
        match path_kind(path):
            case "project":
                return self.project(path)
            case "sweep":
                return self.sweep(path)
            case "run":
                return self.run(path)

    def projects(
        self, entity: str | None = None, per_page: int = 200, *, limit: int | None = None
    ) -> Projects:
        """Return the projects of an entity as a lazy list; see `Projects`.

        Args:
            entity: None for the default entity.
            per_page: projects a request.
            limit: at most so many projects; None for all.
        """
        from runql.resources.project import Projects

        return Projects(self.client, self._owner(entity), per_page, limit=limit)

    def user(self, username_or_email: str) -> User | None:
        """Return the user with this username or e-mail address, else the first match of the server, else None.

        Sends one request for every 200 users that the server finds. It finds other people for admins only.
        """
        from runql.resources.user import best_match

        return best_match(self.users(username_or_email), username_or_email)

    def users(self, username_or_email: str) -> list[User]:
        """Return the users whose username or e-mail address contains this, in the server's order; see `user`."""
        from runql.resources.user import list_matching_users

        return self.client.run(list_matching_users(username_or_email))


class AsyncApi(EntryPoint["AsyncRetryingClient"], AsyncArtifactCatalog, AsyncProjectImports):
    """The async twin of `Api`: ``await api.run(path)``, ``async for run in await api.runs(path)``.

    Several event loops may share it. Each has connections of its own, which are closed when the loop ends.
    """

    def __init__(
        self,
        overrides: Mapping[str, str | None] | None = None,
        timeout: float | None = None,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float | None = None,
        retries: int | RetryPolicy | None = None,
        allow_insecure: bool = False,
        limits: Limits | None = None,
        partial: OnPartial = "raise",
        share: float = 1.0,
        strict: OnSchemaDrift | None = None,
        sample: float = 0.01,
    ) -> None:
        """Resolve the settings: arguments, then `WANDB_*` variables, then settings files, then netrc.

        See `Api.__init__` for its requests and errors.
        """
        from runql.transport.aio import AsyncRetryingClient

        key = given_key(api_key)
        del api_key  # tracebacks of errors show this frame's variables
        settings = resolve_settings(
            base_url, api_key=key, timeout=timeout, overrides=overrides, allow_insecure=allow_insecure
        )
        self.client: AsyncRetryingClient = AsyncRetryingClient(
            settings,
            retry=retries,
            deadline=deadline,
            transport=transport,
            limits=limits,
            partial=partial,
            share=share,
            reader=response_reader(strict, sample),
        )
        self._settle()

    def _settle(self) -> None:
        self._viewer = ReadOnce(_read_viewer)

    def __repr__(self) -> str:
        return f"<AsyncApi {self.settings.base_url}>" if "client" in vars(self) else "<AsyncApi, not made>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections after the requests of other threads. Further requests raise
        `ClientClosedError`.
        """
        await self.client.close()

    @property
    async def viewer(self) -> User:
        """The user that the API key belongs to. Sends one request, once.

        See `Api.viewer` for its requests and errors.
        """
        return await self.client.run(self._viewer.get())

    @property
    async def default_entity(self) -> str | None:
        """The entity for paths that name none: the setting, else the viewer's own (see `viewer`)."""
        return self.settings.entity or (await self.viewer).entity

    async def _owner(self, named: str | None) -> str:
        return named or known_entity(await self.default_entity)

    async def capabilities(self) -> Capabilities:
        """Return the features of the server, and the operations that it limits; one request each time."""
        from runql.resources.capabilities import read_capabilities

        return await self.client.run(read_capabilities())

    @counts_as_one_async_call
    async def run(self, path: str = "") -> AsyncRun:
        """Return one run with all its fields; one request.

        See `Api.run` for its requests and errors.
        """
        from runql.resources.runs.async_run import AsyncRun

        asked = parse_run_path(path)
        entity = await self._owner(asked.entity)
        run = asked.resolve(entity=entity, project=self.settings.project)
        fields = await self.client.run(read_run(run, may_lack=UNEDITED))
        return AsyncRun.listed(self.client, run.entity, run.project, fields, None)

    @counts_as_one_async_call
    async def create_run(
        self, *, run_id: str | None = None, project: str | None = None, entity: str | None = None
    ) -> AsyncRun:
        """Create a run and return it with all its fields; as `Run.create`, which can also create it as
        pending.
        """
        from runql.resources.runs.async_run import AsyncRun

        return await AsyncRun.create(self, run_id, project, entity)

    async def runs(
        self,
        path: str | None = None,
        filters: Filters | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = True,
        *,
        lazy: bool = False,
        limit: int | None = None,
        missing: Missing = "last",
        progress: Progress | bool | None = None,
        prefetch: bool = False,
    ) -> AsyncRuns:
        """Return the runs of a project as a lazy list; see `Runs`.

        See `Api.runs` for its requests and errors.
        """
        from runql.resources.runs.runs import AsyncRuns

        asked = parse_project_path(path)
        entity = await self._owner(asked.entity)
        project = asked.resolve(entity=entity, project=self.settings.project)
        return AsyncRuns(
            self.client,
            project.entity,
            project.project,
            filters,
            order,
            per_page,
            include_sweeps,
            lazy=lazy,
            limit=limit,
            missing=missing,
            progress=progress,
            prefetch=prefetch,
        )

    @counts_as_one_async_call
    async def sweep(self, path: str = "") -> AsyncSweep:
        """Return one sweep; one request.

        See `Api.sweep` for its requests and errors.
        """
        from runql.resources.sweeps.lookup import read_sweep
        from runql.resources.sweeps.sweep import AsyncSweep

        asked = parse_run_path(path)
        entity = await self._owner(asked.entity)
        sweep = asked.resolve(entity=entity, project=self.settings.project)
        fields = await self.client.run(read_sweep(sweep.entity, sweep.project, sweep.run_id))
        return AsyncSweep.listed(self.client, sweep.entity, sweep.project, fields)

    @counts_as_one_async_call
    async def project(self, name: str, entity: str | None = None) -> AsyncProject:
        """Return one project; one request.

        See `Api.project` for its requests and errors.
        """
        from runql.resources.project import AsyncProject, read_project

        asked = parse_project_path(name)
        owner = await self._owner(entity or asked.entity)
        project = asked.resolve(entity=owner, project=self.settings.project)
        return AsyncProject(self.client, await self.client.run(read_project(owner, project.project)))

    @counts_as_one_async_call
    async def create_project(self, name: str, entity: str | None = None) -> AsyncProject:
        """Create a project and return it; one request, two when the default entity must be read.

        See `Api.create_project` for its requests and errors.
        """
        from runql.resources.project import AsyncProject, create_project

        checked_project_name(name)
        fields = await self.client.run(create_project(await self._owner(entity), name))
        return AsyncProject(self.client, fields)

    @counts_as_one_async_call
    async def from_path(self, path: str) -> AsyncProject | AsyncRun | AsyncSweep:
        """Return the project, run or sweep at a path; one request.

        See `Api.from_path` for its requests and errors.
        """
        match path_kind(path):
            case "project":
                return await self.project(path)
            case "sweep":
                return await self.sweep(path)
            case "run":
                return await self.run(path)

    async def projects(
        self, entity: str | None = None, per_page: int = 200, *, limit: int | None = None
    ) -> AsyncProjects:
        """Return the projects of an entity as a lazy list; see `Projects`.

        See `Api.projects` for its requests and errors.
        """
        from runql.resources.project import AsyncProjects

        return AsyncProjects(self.client, await self._owner(entity), per_page, limit=limit)

    async def user(self, username_or_email: str) -> User | None:
        """Return the user with this username or e-mail address, else the first match of the server, else
        None.

        See `Api.user` for its requests and errors.
        """
        from runql.resources.user import best_match

        return best_match(await self.users(username_or_email), username_or_email)

    async def users(self, username_or_email: str) -> list[User]:
        """Return the users whose username or e-mail address contains this, in the server's order; see `user`."""
        from runql.resources.user import list_matching_users

        return await self.client.run(list_matching_users(username_or_email))


def _read_viewer() -> Flow[User]:
    from runql.resources.user import read_viewer

    return (yield from read_viewer())
