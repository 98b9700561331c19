"""One run, awaited: the twin of `Run`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, overload

from runql.errors import NotLoadedError
from runql.paths import DEFAULT_PROJECT, RunAddress
from runql.resources.connected import AsyncConnected
from runql.resources.records.run_fields import project_number
from runql.resources.runs.lineage import AsyncRunLineage
from runql.resources.runs.mutations import FirstState, RequestedState, checked_id, create
from runql.resources.runs.record import ListedPage, RunRecord, fields_of, read_last_step
from runql.resources.runs.summary import AsyncSummary
from runql.transport.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY
from runql.values import JSONValue
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    import pandas as pd

    from runql.resources.artifacts.logged_table import LoggedTable
    from runql.resources.files.files import AsyncFile, AsyncFiles
    from runql.resources.files.record import FileOwner
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.history.scan import AsyncHistoryScan
    from runql.resources.runs.console import AsyncConsoleLogs
    from runql.resources.sweeps.lookup import PageSweeps
    from runql.resources.sweeps.sweep import AsyncSweep
    from runql.transport.aio import AsyncRetryingClient


class AsyncRun(AsyncRunLineage):
    """As `Run`, awaited.

    Made without ``attrs`` it holds nothing until ``await run.load()``: `Api.run` and lists give loaded ones.
    """

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
        self._sweeps: PageSweeps[AsyncSweep] | None = None
        fields = None if attrs is None else fields_of(attrs)
        super().__init__(entity, project, run_id, client.settings.app_url, fields)

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
        RunRecord.__init__(run, entity, project, fields.name, client.settings.app_url, fields, page)
        return run

    def _light(self) -> RunFields | FullRunFields:
        if self._fields is None:
            raise NotLoadedError(
                f"run {self._entity}/{self._project}/{self._run_id} is not loaded: await run.load()"
            )
        return self._fields

    def _full(self) -> FullRunFields:
        if not isinstance(self._fields, FullRunFields):
            raise NotLoadedError(
                f"run {self._entity}/{self._project}/{self._run_id} was listed in the light shape: await run.load()"
            )
        return self._fields

    async def load(self, force: bool = False) -> None:
        """As `Run.load`."""
        await self._client.run(self._load(force=force))

    async def load_full_data(self, force: bool = False) -> None:
        """As `Run.load_full_data`."""
        await self.load(force)

    @property
    async def lastHistoryStep(self) -> int:  # noqa: N802 — documented
        """As `Run.lastHistoryStep`."""
        return await self._client.run(read_last_step(self._entity, self._project, self._run_id))

    @property
    async def metadata(self) -> dict[str, JSONValue] | None:
        """As `Run.metadata`."""
        from runql.resources.runs.metadata import read_metadata

        return await self._client.run(read_metadata(self._entity, self._project, self._run_id))

    @overload
    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: Literal[True] = True,
        stream: Stream = "default",
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
    ) -> pd.DataFrame | list[Row]: ...

    async def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Stream = "default",
    ) -> pd.DataFrame | list[Row]:
        """As `Run.history`."""
        from runql.frames.extras import require
        from runql.frames.table import Table
        from runql.frames.to_pandas import to_pandas
        from runql.resources.history.sampled import HistorySample, sample_run

        wish = HistorySample.checked(samples, keys, x_axis, stream)
        if pandas:
            require("pandas", needed_for="Run.history(pandas=True)")
        rows = await self._client.run(sample_run(self._entity, self._project, self._run_id, wish))
        return to_pandas(Table.from_rows(rows, requested=wish.columns)) if pandas else rows

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "all",
        max_concurrency: int = DEFAULT_CONCURRENCY,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
    ) -> AsyncHistoryScan:
        """As `Run.scan_history`."""
        from runql.resources.history.plan import ScanPlan
        from runql.resources.history.scan import AsyncHistoryScan

        plan = ScanPlan.checked(
            self._entity,
            self._project,
            self._run_id,
            keys=keys,
            match=match,
            page_size=page_size,
            min_step=min_step,
            max_step=max_step,
            max_concurrency=max_concurrency,
        )
        return AsyncHistoryScan(self._client, plan, self._known())

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
    ) -> AsyncHistoryScan:
        """As `Run.beta_scan_history`."""
        warnings.warn(
            "AsyncRun.beta_scan_history is deprecated: use AsyncRun.scan_history",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.scan_history(keys, page_size, min_step, max_step)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> AsyncConsoleLogs:
        """As `Run.console_logs`."""
        from runql.resources.runs.console import AsyncConsoleLogs

        return AsyncConsoleLogs(self._client, self._place, per_page, last)

    async def wait_until_finished(self, *, timeout: float | None = None) -> None:
        """As `Run.wait_until_finished`."""
        await self._client.run(self._wait(timeout))

    @classmethod
    async def create(
        cls,
        api: AsyncConnected,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        *,
        state: FirstState = "running",
    ) -> AsyncRun:
        """As `Run.create`."""
        name = checked_id(run_id)
        home = project or api.client.settings.project or DEFAULT_PROJECT
        place = RunAddress(entity or await api.default_entity or "", home, name)
        return cls.listed(
            api.client, place.entity, place.project, await api.client.run(create(place, state)), None
        )

    @cached_property
    def summary(self) -> AsyncSummary:
        """As `Run.summary`."""
        self._full()
        return AsyncSummary(self._client, lambda: self._summary, self._save_summary)

    async def update(self, *, if_unchanged: bool = False) -> None:
        """As `Run.update`."""
        await self._client.run(self._update(if_unchanged=if_unchanged))

    async def save(self) -> None:
        """As `Run.save`."""
        await self.update()

    async def delete(self, delete_artifacts: bool = False) -> None:
        """As `Run.delete`."""
        await self._client.run(self._delete(with_artifacts=delete_artifacts))

    async def stop(self) -> None:
        """As `Run.stop`."""
        await self._client.run(self._stop())

    async def update_state(self, state: RequestedState) -> bool:
        """As `Run.update_state`."""
        return await self._client.run(self._set_state(state))

    @property
    async def sweep(self) -> AsyncSweep | None:
        """As `Run.sweep`."""
        if not self._include_sweeps:
            return None
        if self._sweeps is None:
            from runql.resources.sweeps.lookup import PageSweeps, SweepShelf
            from runql.resources.sweeps.sweep import AsyncSweep

            make = partial(AsyncSweep.listed, self._client, self._entity, self._project)
            made = PageSweeps(SweepShelf(self._entity, self._project, make))
            # All threads that come here at the same time use one, and share what it reads.
            own: PageSweeps[AsyncSweep] = vars(self).setdefault("_own_sweeps", made)
            self._sweeps = own
        return await self._client.run(self._sweeps.of_run(self.sweep_name))

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, *, pattern: str | None = None
    ) -> AsyncFiles:
        """As `Run.files`."""
        from runql.resources.files.files import AsyncFiles

        return AsyncFiles(self._client, self._files_owner(), names, per_page, pattern=pattern)

    async def file(self, name: str) -> AsyncFile:
        """As `Run.file`."""
        from runql.resources.files.files import AsyncFile
        from runql.resources.files.record import find_file

        owner = self._files_owner()
        return AsyncFile(self._client, owner, await self._client.run(find_file(owner, name)))

    async def table(self, key: str, logged: Mapping[str, JSONValue] | None = None) -> LoggedTable:
        """As `Run.table`."""
        from runql.resources.artifacts.logged_table import read_run_table

        value = self.summary.get(key) if logged is None else dict(logged)
        return await self._client.run(read_run_table(self._files_owner(), key, value))

    async def upload_file(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        *,
        progress: Progress | None = None,
    ) -> AsyncFile:
        """As `Run.upload_file`."""
        from runql.resources.files.files import AsyncFile
        from runql.resources.files.record import upload_file

        owner = self._files_owner()
        return AsyncFile(
            self._client, owner, await self._client.run(upload_file(owner, path, root, progress))
        )

    def _files_owner(self) -> FileOwner:
        from runql.resources.files.record import FileOwner

        number = project_number(self._fields) if self._fields else None
        return FileOwner(self._entity, self._project, self._run_id, number)
