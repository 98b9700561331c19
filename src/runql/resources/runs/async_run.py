"""One run, awaited: `AsyncRun`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from runql.arguments import DEFAULT_PAGE_SIZE
from runql.bars import reported
from runql.errors import NotLoadedError
from runql.paths import DEFAULT_PROJECT, RunAddress
from runql.postponed import postponed
from runql.resources.pages.listing import RUN_PER_PAGE
from runql.resources.runs.connections import AsyncApiConnection
from runql.resources.runs.editing import EditableRun
from runql.resources.runs.mutations import FirstState, RequestedState, checked_id, create
from runql.resources.runs.record import ListedPage, RunRecord, fields_of, read_last_step, read_metadata
from runql.resources.runs.summary import AsyncSummary
from runql.transport.files.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY, MOST_TRANSFERS
from runql.values import JSONInput, JSONValue, as_json
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pandas_types as pd
    from runql.projections.checked import OnInvalid
    from runql.resources.artifacts.artifact import AsyncArtifact
    from runql.resources.artifacts.logged_table import LoggedTable
    from runql.resources.artifacts.versions import AsyncRunArtifacts
    from runql.resources.files.files import AsyncFile, AsyncFiles
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.history.scan import AsyncHistoryScan
    from runql.resources.runs.console import AsyncConsoleLogs
    from runql.resources.runs.history_files import HistoryFiles
    from runql.resources.sweeps.page_sweeps import PageSweeps
    from runql.resources.sweeps.sweep import AsyncSweep
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(
        postponed(
            "AsyncArtifact AsyncConsoleLogs AsyncFile AsyncFiles AsyncHistoryScan "
            "AsyncRetryingClient AsyncRunArtifacts AsyncSweep HistoryFiles LoggedTable Match "
            "OnInvalid PageSweeps Row Schema Stream pd"
        )
    )

T = TypeVar("T")


class AsyncRun(EditableRun):
    """The async twin of `Run`.

    Made without ``attrs`` it has no fields until ``await run.load()``. `AsyncApi.run` and lists return loaded runs.
    """

    _sweeps: PageSweeps[AsyncSweep] | None = None

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        run_id: str,
        attrs: Mapping[str, object] | None = None,
        include_sweeps: bool = True,
    ) -> None:
        self._client = client
        self._include_sweeps = include_sweeps
        address = RunAddress(entity, project, run_id)
        super().__init__(address, client.settings.app_url, None if attrs is None else fields_of(attrs))

    @classmethod
    def listed(
        cls,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        fields: RunFields | FullRunFields,
        page: ListedPage | None,
        sweeps: PageSweeps[AsyncSweep] | None = None,
        *,
        include_sweeps: bool = True,
    ) -> AsyncRun:
        """A run from fields that were read already; sends nothing."""
        run = cls.__new__(cls)
        run._client = client
        run._include_sweeps = include_sweeps
        run._sweeps = sweeps
        address = RunAddress(entity, project, fields.name)
        RunRecord.__init__(run, address, client.settings.app_url, fields, page)
        return run

    def _light(self) -> RunFields | FullRunFields:
        if self._fields is None:
            raise NotLoadedError(f"run {self._path} is not loaded: await run.load()")
        return self._fields

    def _full(self) -> FullRunFields:
        if not isinstance(self._fields, FullRunFields):
            raise NotLoadedError(f"run {self._path} was listed in the light shape: await run.load()")
        return self._fields

    async def load(self, force: bool = False) -> None:
        """Read the run's fields; one request.

        See `Run.load` for its requests and errors.
        """
        await self._client.run(self._load(force=force))

    async def load_full_data(self, force: bool = False) -> None:
        """Read config, summary and the rest of a run that was listed with ``lazy=True``; the same as `load`."""
        await self.load(force)

    @property
    async def lastHistoryStep(self) -> int:  # noqa: N802 — documented
        """The highest step that the server reports; -1 when it reports none. Sends one request each time.

        See `Run.lastHistoryStep` for its requests and errors.
        """
        return await self._client.run(read_last_step(self._address))

    @property
    async def metadata(self) -> dict[str, JSONValue] | None:
        """What the SDK recorded of the machine and the program; None when the run has no
        `wandb-metadata.json`.

        See `Run.metadata` for its requests and errors.
        """
        return await self._client.run(read_metadata(self._address))

    @overload
    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: Literal[True] = True,
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame: ...

    @overload
    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        pandas: Literal[False],
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    async def history(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        pandas: Literal[False],
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame | list[Row]: ...

    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame | list[Row]:
        """Return sampled rows of the history, in step order; one request.

        See `Run.history` for its requests and errors.
        """
        return await self._client.run(
            self._sample(samples, keys, x_axis, pandas=pandas, stream=stream, schema=schema)
        )

    @overload
    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "all",
        max_concurrency: int = DEFAULT_CONCURRENCY,
        use_cache: bool = True,
        row: None = None,
    ) -> AsyncHistoryScan[Row]: ...

    @overload
    def scan_history(
        self,
        keys: None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        use_cache: bool = True,
        row: type[T],
        on_invalid: OnInvalid = "raise",
    ) -> AsyncHistoryScan[T]: ...

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "all",
        max_concurrency: int = DEFAULT_CONCURRENCY,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
        row: type[T] | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> AsyncHistoryScan[Row] | AsyncHistoryScan[T]:
        """Return every row of the history as an iterable that reads while you iterate.

        See `Run.scan_history` for its requests and errors.
        """
        from runql.resources.history.scan import AsyncHistoryScan
        from runql.resources.history.typed_rows import plain_rows, typed_plan

        plan = self._scan_plan(keys, page_size, min_step, max_step, match, max_concurrency)
        if row is None:
            return AsyncHistoryScan(self._client, plan, self._known(), plain_rows(on_invalid))
        typed, rows = typed_plan(plan, row, on_invalid)
        return AsyncHistoryScan(self._client, typed, self._known(), rows)

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
    ) -> AsyncHistoryScan[Row]:
        """Deprecated: `scan_history` under an older name."""
        warnings.warn(
            "AsyncRun.beta_scan_history is deprecated: use AsyncRun.scan_history",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.scan_history(keys, page_size, min_step, max_step)

    async def download_history(
        self,
        download_dir: str | os.PathLike[str] = ".",
        require_complete: bool = True,
        *,
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
    ) -> HistoryFiles:
        """Save the parquet files that the server has exported the history to; one request, and one a file.

        See `Run.download_history` for its requests and errors.
        """
        from runql.resources.runs.history_files import HistoryDownload

        with reported(progress, f"history of {self.id}", "bytes") as report:
            download = HistoryDownload.checked(
                self._address, download_dir, require_complete, max_concurrency, report
            )
            return await self._client.run(download.fetch())

    async def download_history_exports(
        self, download_dir: str | os.PathLike[str], require_complete_history: bool = True
    ) -> HistoryFiles:
        """Save the history's parquet files; `download_history` under the official SDK's name, without its
        options.
        """
        return await self.download_history(download_dir, require_complete_history)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> AsyncConsoleLogs:
        """Return what the run's process wrote to its console, oldest line first, as a lazy list.

        See `Run.console_logs` for its requests and errors.
        """
        from runql.resources.runs.console import AsyncConsoleLogs

        return AsyncConsoleLogs(self._client, self._address, per_page, last)

    async def wait_until_finished(self, *, timeout: float | None = None) -> None:
        """Wait until the run's state is terminal; one request every five seconds.

        See `Run.wait_until_finished` for its requests and errors.
        """
        await self._client.run(self._wait(timeout))

    @classmethod
    async def create(
        cls,
        api: AsyncApiConnection,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        *,
        state: FirstState = "running",
    ) -> AsyncRun:
        """Create a run and return it with all its fields; one request, two when the default entity must be
        read.

        See `Run.create` for its requests and errors.
        """
        name = checked_id(run_id)
        home = project or api.client.settings.project or DEFAULT_PROJECT
        with api.client.call():
            address = RunAddress(entity or await api.default_entity or "", home, name)
            fields = await api.client.run(create(address, state))
        return cls.listed(api.client, address.entity, address.project, fields, None)

    @cached_property
    def summary(self) -> AsyncSummary:
        """The summary metrics, a mapping that can be changed. Floats keep their bits; NaN and infinities are
        floats.
        """
        self._full()
        return AsyncSummary(self._client, lambda: self._summary, self._save_summary)

    async def update(self, *, if_unchanged: bool = False) -> None:
        """Write what was changed in memory: name, notes, description, tags, group, job type, config and
        summary.

        See `Run.update` for its requests and errors.
        """
        await self._client.run(self._update(if_unchanged=if_unchanged))

    async def save(self) -> None:
        """Write what was changed in memory; `update` without its option."""
        await self.update()

    async def delete(self, delete_artifacts: bool = False) -> None:
        """Delete the run on the server, for good; one request.

        See `Run.delete` for its requests and errors.
        """
        await self._client.run(self._delete(with_artifacts=delete_artifacts))

    async def stop(self) -> None:
        """Ask the run to stop, as the web app's button does; one request.

        See `Run.stop` for its requests and errors.
        """
        await self._client.run(self._stop())

    async def update_state(self, state: RequestedState) -> bool:
        """Set the run's state on the server, and return whether the server did; one request.

        See `Run.update_state` for its requests and errors.
        """
        return await self._client.run(self._set_state(state))

    @property
    async def sweep(self) -> AsyncSweep | None:
        """The sweep that the run belongs to. None outside sweeps, when it is gone, and with
        ``include_sweeps=False``.

        See `Run.sweep` for its requests and errors.
        """
        if not self._include_sweeps:
            return None
        from runql.resources.sweeps.sweep import AsyncSweep

        make = partial(AsyncSweep.listed, self._client, self.entity, self.project)
        found = self._find_sweep(self._sweeps, make)
        return await self._client.run(found)

    def files(
        self,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
        limit: int | None = None,
    ) -> AsyncFiles:
        """Return the files of the run as a lazy list; one request a page.

        See `Run.files` for its requests and errors.
        """
        from runql.resources.files.files import AsyncFiles

        return AsyncFiles(
            self._client,
            self._address,
            names,
            per_page,
            pattern=pattern,
            limit=limit,
            project_number=self._project_number,
        )

    async def file(self, name: str) -> AsyncFile:
        """Return one file by its path inside the run; one request.

        See `Run.file` for its requests and errors.
        """
        from runql.resources.files.files import AsyncFile
        from runql.resources.files.record import find_file

        return AsyncFile(
            self._client,
            self._address,
            await self._client.run(find_file(self._address, name)),
            self._project_number,
        )

    async def table(self, key: str, logged: Mapping[str, JSONInput] | None = None) -> LoggedTable:
        """Return a `wandb.Table` that the run logged, to be read as rows or as a frame; two requests.

        See `Run.table` for its requests and errors.
        """
        from runql.resources.artifacts.logged_table import read_run_table

        value = self.summary.get(key) if logged is None else as_json(dict(logged))
        return await self._client.run(read_run_table(self._address, key, value))

    async def upload_file(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        *,
        progress: Progress | bool | None = None,
    ) -> AsyncFile:
        """Upload a local file to the run, in place of one of the same name; four or five requests.

        See `Run.upload_file` for its requests and errors.
        """
        from runql.resources.files.files import AsyncFile
        from runql.resources.files.record import upload_file

        with reported(progress, "upload", "bytes") as report:
            uploaded = await self._client.run(upload_file(self._address, path, root, report))
        return AsyncFile(self._client, self._address, uploaded, self._project_number)

    def logged_artifacts(
        self, per_page: int = RUN_PER_PAGE, *, limit: int | None = None
    ) -> AsyncRunArtifacts:
        """Return the artifact versions that the run wrote, as a lazy list; one request a page.

        See `Run.logged_artifacts` for its requests and errors.
        """
        from runql.resources.artifacts.versions import AsyncRunArtifacts

        return AsyncRunArtifacts(self._client, self._address, "logged", per_page, limit=limit)

    def used_artifacts(self, per_page: int = RUN_PER_PAGE, *, limit: int | None = None) -> AsyncRunArtifacts:
        """Return the artifact versions that the run is recorded to read; as `logged_artifacts`."""
        from runql.resources.artifacts.versions import AsyncRunArtifacts

        return AsyncRunArtifacts(self._client, self._address, "used", per_page, limit=limit)

    async def use_artifact(self, artifact: AsyncArtifact, use_as: str | None = None) -> AsyncArtifact:
        """Record that the run reads a version, of any project; one request, on old servers once one more.

        See `Run.use_artifact` for its requests and errors.
        """
        from runql.resources.runs.lineage import record_use

        await self._client.run(record_use(self._address, artifact, use_as))
        return artifact

    async def log_artifact(
        self,
        artifact: AsyncArtifact,
        aliases: Collection[str] | None = None,
        tags: Collection[str] | None = None,
    ) -> AsyncArtifact:
        """Record that the run wrote a version that the server holds, of the run's own project; one request.

        See `Run.log_artifact` for its requests and errors.
        """
        from runql.resources.artifacts.artifact import AsyncArtifact
        from runql.resources.runs.lineage import record_output

        found = await self._client.run(record_output(self._address, artifact, aliases, tags))
        return AsyncArtifact(self._client, found)
