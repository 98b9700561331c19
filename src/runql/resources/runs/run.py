"""One run: the documented `Run`."""

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
from runql.resources.runs.connections import ApiConnection
from runql.resources.runs.editing import EditableRun
from runql.resources.runs.mutations import FirstState, RequestedState, checked_id, create
from runql.resources.runs.record import ListedPage, RunRecord, fields_of, read_last_step, read_metadata
from runql.resources.runs.summary import Summary
from runql.transport.files.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY, MOST_TRANSFERS
from runql.transport.sync import RetryingClient
from runql.values import JSONInput, JSONValue, as_json
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pandas_types as pd
    from runql.projections.checked import OnInvalid
    from runql.resources.artifacts.artifact import Artifact
    from runql.resources.artifacts.logged_table import LoggedTable
    from runql.resources.artifacts.versions import RunArtifacts
    from runql.resources.files.files import File, Files
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.history.scan import HistoryScan
    from runql.resources.runs.console import ConsoleLogs
    from runql.resources.runs.history_files import HistoryFiles
    from runql.resources.sweeps.page_sweeps import PageSweeps
    from runql.resources.sweeps.sweep import Sweep
else:
    globals().update(
        postponed(
            "Artifact ConsoleLogs File Files HistoryFiles HistoryScan LoggedTable Match OnInvalid "
            "PageSweeps Row RunArtifacts Schema Stream Sweep pd"
        )
    )

T = TypeVar("T")


class Run(EditableRun):
    """A run of a project; `Api.run`, `Api.runs` and `Run.create` make them::

        run = runql.Api().run("team/vision/abc123")
        losses = run.scan_history(["loss"]).to_polars()
        run.summary.update(best=losses["loss"].min())

    Assigning to a field changes memory only; `update` writes.

    Requests: none for fields that were read. Made without ``attrs``, a run is loaded at once, by one request.
    """

    _sweeps: PageSweeps[Sweep] | None = None

    def __init__(
        self,
        client: RetryingClient,
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
        if attrs is None:
            self.load()

    @classmethod
    def listed(
        cls,
        client: RetryingClient,
        entity: str,
        project: str,
        fields: RunFields | FullRunFields,
        page: ListedPage | None,
        sweeps: PageSweeps[Sweep] | None = None,
        *,
        include_sweeps: bool = True,
    ) -> Run:
        """A run from fields that were read already; sends nothing."""
        run = cls.__new__(cls)
        run._client = client
        run._include_sweeps = include_sweeps
        run._sweeps = sweeps
        address = RunAddress(entity, project, fields.name)
        RunRecord.__init__(run, address, client.settings.app_url, fields, page)
        return run

    def _light(self) -> RunFields | FullRunFields:
        return self._fields or self._full()

    def _full(self) -> FullRunFields:
        if not isinstance(self._fields, FullRunFields):
            self.load()
        if not isinstance(self._fields, FullRunFields):
            raise NotLoadedError(f"run {self._path} could not be loaded")
        return self._fields

    def load(self, force: bool = False) -> None:
        """Read the run's fields; one request.

        Args:
            force: read them again although they are here: this refreshes the run.

        Raises:
            RunNotFoundError: the project holds no such run.
            ProjectNotFoundError: the project is absent or hidden.
        """
        self._client.run(self._load(force=force))

    def load_full_data(self, force: bool = False) -> None:
        """Read config, summary and the rest of a run that was listed with ``lazy=True``; the same as `load`."""
        self.load(force)

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 — documented
        """The highest step that the server reports; -1 when it reports none. Sends one request each time.

        The server is late with it while a run still logs. `scan_history` reads beyond it.
        """
        return self._client.run(read_last_step(self._address))

    @property
    def metadata(self) -> dict[str, JSONValue] | None:
        """What the SDK recorded of the machine and the program; None when the run has no `wandb-metadata.json`.

        Sends two requests each time. The API key goes along only when the API host serves the file.
        """
        return self._client.run(read_metadata(self._address))

    @overload
    def history(
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
    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        *,
        pandas: Literal[False],
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    def history(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        pandas: Literal[False],
        stream: Stream = "default",
    ) -> list[Row]: ...

    @overload
    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Stream = "default",
        *,
        schema: Schema | None = None,
    ) -> pd.DataFrame | list[Row]: ...

    def history(
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

        The server downsamples a longer history evenly. `scan_history` reads every row.

        Args:
            samples: rows to ask for. Servers return a few more or fewer.
            keys: only rows that have all of these metrics, with the x axis. Metrics that are never logged at the same
                step give no rows (see ``scan_history(match="any")``).
            x_axis: the metric that is returned with ``keys``.
            pandas: return a `pandas.DataFrame`, one column a metric; else a list of dicts.
            stream: ``default`` for metrics, ``system`` for the machine's. ``events`` and ``systemMetrics`` are other
                names for ``system``.
            schema: column to dtype, for a frame; each is a column of exactly this dtype, also where no row has it.

        Raises:
            ValueError: unknown stream, ``samples`` below 1, a column in ``schema`` that the frame does not have.
            TypeError: ``keys`` is no list of str, ``schema`` no mapping of names to dtypes.
            FrameValueError: a value does not fit the schema.
            MissingExtraError: pandas is not installed; raised before anything is sent.
            IncompleteHistoryError: the server sent null instead of rows.
            CorruptHistoryError: a row cannot be read.
        """
        return self._client.run(
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
    ) -> HistoryScan[Row]: ...

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
    ) -> HistoryScan[T]: ...

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
    ) -> HistoryScan[Row] | HistoryScan[T]:
        """Return every row of the history as an iterable that reads while you iterate.

        Args:
            keys: only these metrics and `_step`; an empty list is the same as None, whole rows.
            page_size: steps a request covers, at least 1. Where it is not given, frames take more steps a request by the
                number of rows and their width.
            min_step: the first step; None for the start.
            max_step: the step before which to end; None for the end, also of a run that still logs.
            match: ``all`` for the rows that have every key, as documented; ``any`` for those that have at least one,
                for metrics that are logged at different steps.
            max_concurrency: requests in flight at the same time, at least 1.
            use_cache: no effect, accepted for compatibility: nothing is cached.
            row: a type such as a pydantic model, a dataclass or a TypedDict: rows are instances of it, and its fields are
                the keys. A row must have the keys of its required fields, and at least one key where none is required.
            on_invalid: ``raise`` for a row that does not fit, or ``skip`` it; see `HistoryScan.skipped`.

        Raises:
            ValueError: a bound is negative or the wrong way round, ``page_size`` or ``max_concurrency`` below 1, unknown
                ``match`` or ``on_invalid``, ``row`` with ``keys`` or ``match``, a key of ``row`` is no metric name.
            TypeError: ``keys`` is no list of str, or ``row`` has no fields.
        """
        from runql.resources.history.scan import HistoryScan
        from runql.resources.history.typed_rows import plain_rows, typed_plan

        plan = self._scan_plan(keys, page_size, min_step, max_step, match, max_concurrency)
        if row is None:
            return HistoryScan(self._client, plan, self._known(), plain_rows(on_invalid))
        typed, rows = typed_plan(plan, row, on_invalid)
        return HistoryScan(self._client, typed, self._known(), rows)

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
    ) -> HistoryScan[Row]:
        """Deprecated: `scan_history` under an older name."""
        warnings.warn(
            "Run.beta_scan_history is deprecated: use Run.scan_history", DeprecationWarning, stacklevel=2
        )
        return self.scan_history(keys, page_size, min_step, max_step)

    def download_history(
        self,
        download_dir: str | os.PathLike[str] = ".",
        require_complete: bool = True,
        *,
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
    ) -> HistoryFiles:
        """Save the parquet files that the server has exported the history to; one request, and one a file.

        They are named after the run, ``<run id>.0.parquet`` and so on. Each replaces a file of its name, atomically.
        Addresses that have expired are read again, once. A run without rows has no files. After a failure no further
        download starts; a note of the error (``__notes__``) says which files are saved.

        Args:
            download_dir: the folder; missing folders are made.
            require_complete: refuse when rows are in no file yet. With False those rows are missing, and counted.
            max_concurrency: downloads at the same time at most, at least 1. They begin with 8, and become more as long as that
                is faster.
            progress: called with the bytes that have arrived of all files, and the total as far as it is known.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            HistoryNotExportedError: rows are in no file, and ``require_complete``; nothing was downloaded.
            RunNotFoundError, ProjectNotFoundError: there is no such run.
            UnsafeNameError: the run's id cannot be a file's name here, so that no file can be saved.
            LocalFileError: a file cannot be written.
        """
        from runql.resources.runs.history_files import HistoryDownload

        with reported(progress, f"history of {self.id}", "bytes") as report:
            download = HistoryDownload.checked(
                self._address, download_dir, require_complete, max_concurrency, report
            )
            return self._client.run(download.fetch())

    def download_history_exports(
        self, download_dir: str | os.PathLike[str], require_complete_history: bool = True
    ) -> HistoryFiles:
        """Save the history's parquet files; `download_history` under the official SDK's name, without its options."""
        return self.download_history(download_dir, require_complete_history)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> ConsoleLogs:
        """Return what the run's process wrote to its console, oldest line first, as a lazy list.

        ``for line in run.console_logs(last=100): print(line.content)``. Sends one request a page, and one in all with
        ``last``. Where the server returns fewer of the newest lines than asked for, pages from the start give the rest.

        Args:
            per_page: lines a request asks for, at least 1.
            last: only this many of the newest lines; None for all, which needs a server of version 0.77 or newer.

        Raises:
            ValueError: ``per_page`` or ``last`` below 1.
            PaginationError: while reading: the server returns fewer lines than it counts.
            OutdatedServerError: while reading: the server cannot page through a log; ``last`` works there.
        """
        from runql.resources.runs.console import ConsoleLogs

        return ConsoleLogs(self._client, self._address, per_page, last)

    def wait_until_finished(self, *, timeout: float | None = None) -> None:
        """Wait until the run's state is terminal; one request every five seconds.

        It returns for finished, crashed, failed, killed and preempted alike; read `state` for which.

        Args:
            timeout: seconds after which to give up; None to wait without end.

        Raises:
            RunStillActiveError: ``timeout`` seconds have passed.
        """
        self._client.run(self._wait(timeout))

    @classmethod
    def create(
        cls,
        api: ApiConnection,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        *,
        state: FirstState = "running",
    ) -> Run:
        """Create a run and return it with all its fields; one request, two when the default entity must be read.

        It is idempotent: a run that has the id already is returned unchanged, except that ``state="pending"`` is set.
        A new run stays in its state until something logs to it. The server makes the project when it is missing.

        Args:
            api: the `Api` to create it with.
            run_id: at most 128 characters; eight random lower-case letters and digits by default.
            project: else the one of the settings, else ``uncategorized``.
            entity: else `Api.default_entity`.
            state: ``pending`` for a run that something will resume later.

        Raises:
            ValueError: the id or the state is not valid; raised before anything is sent.
            ConfigurationError: there is no default entity.
            ProjectNotFoundError: the server made no run there.
        """
        name = checked_id(run_id)
        home = project or api.client.settings.project or DEFAULT_PROJECT
        with api.client.call():
            address = RunAddress(entity or api.default_entity or "", home, name)
            fields = api.client.run(create(address, state))
        return cls.listed(api.client, address.entity, address.project, fields, None)

    @cached_property
    def summary(self) -> Summary:
        """The summary metrics, a mapping that can be changed. Floats keep their bits; NaN and infinities are floats."""
        self._full()
        return Summary(self._client, lambda: self._summary, self._save_summary)

    def update(self, *, if_unchanged: bool = False) -> None:
        """Write what was changed in memory: name, notes, description, tags, group, job type, config and summary.

        Sends only fields that differ from what was read: no request when none does, one for all but the summary, one
        more for the summary. Each field is replaced whole: tags, config and summary that others have written since the
        run was read are lost.

        Args:
            if_unchanged: read the run again first, one request more, and refuse when it is not what was read. The
                server has no lock: a change between the two requests is still overwritten.

        Raises:
            TypeError, ValueError: a value cannot be stored; raised before anything is sent.
            RunChangedError: with ``if_unchanged``; nothing was written.
            RunNotFoundError: the run has been deleted.
            IncompleteUpdateError: only a part was written.
            AnswerError: the server refuses.
        """
        self._client.run(self._update(if_unchanged=if_unchanged))

    def save(self) -> None:
        """Write what was changed in memory; `update` without its option."""
        self.update()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Delete the run on the server, for good; one request.

        Args:
            delete_artifacts: delete the artifacts that the run logged, too.

        Raises:
            RunNotFoundError: there is no such run.
            DeletionUnconfirmedError: the response was lost, and one more request did not show that the run is gone.
            AnswerError: the server refuses.
        """
        self._client.run(self._delete(with_artifacts=delete_artifacts))

    def stop(self) -> None:
        """Ask the run to stop, as the web app's button does; one request.

        The server sets a flag, and the run's process sees it with its next heartbeat. Then it ends by itself, which
        `wait_until_finished` waits for. The call is idempotent, and changes nothing for a run that has ended.

        Raises:
            RunNotFoundError: there is no such run.
            ChangeRefusedError: the server did not set the flag.
            AnswerError: the server refuses.
        """
        self._client.run(self._stop())

    def update_state(self, state: RequestedState) -> bool:
        """Set the run's state on the server, and return whether the server did; one request.

        ``pending`` is reached from running, failed, crashed or preempted; ``failed`` from pending or running.

        Raises:
            ValueError: another state is given; raised before anything is sent.
            RunNotFoundError: there is no such run.
            QueryError: the run's present state does not lead there, or the run belongs to a sweep.
        """
        return self._client.run(self._set_state(state))

    @property
    def sweep(self) -> Sweep | None:
        """The sweep that the run belongs to. None outside sweeps, when it is gone, and with ``include_sweeps=False``.

        Sends at most one request: it reads the sweeps of all runs of the run's page, each sweep once for a list.
        """
        if not self._include_sweeps:
            return None
        from runql.resources.sweeps.sweep import Sweep

        make = partial(Sweep.listed, self._client, self.entity, self.project)
        found = self._find_sweep(self._sweeps, make)
        return self._client.run(found)

    def files(
        self,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
        limit: int | None = None,
    ) -> Files:
        """Return the files of the run as a lazy list; one request a page.

        Args:
            names: only these, as far as they were uploaded; all when empty.
            per_page: files a request asks for, at least 1.
            pattern: only names that match: `%` matches any characters, `_` one character.
            limit: at most so many files; None for all.

        Raises:
            ValueError: ``names`` and ``pattern`` together, ``per_page`` below 1.
            TypeError: ``names`` is a str.
        """
        from runql.resources.files.files import Files

        return Files(
            self._client,
            self._address,
            names,
            per_page,
            pattern=pattern,
            limit=limit,
            project_number=self._project_number,
        )

    def file(self, name: str) -> File:
        """Return one file by its path inside the run; one request.

        Raises:
            FileNotFoundInRunError: the run has no such file.
        """
        from runql.resources.files.files import File
        from runql.resources.files.record import find_file

        return File(
            self._client,
            self._address,
            self._client.run(find_file(self._address, name)),
            self._project_number,
        )

    def table(self, key: str, logged: Mapping[str, JSONInput] | None = None) -> LoggedTable:
        """Return a `wandb.Table` that the run logged, to be read as rows or as a frame; two requests.

        A run's file holds less than the artifact ``run-<id>-<key>``, which `Artifact.get` reads: the SDK writes at most
        10,000 rows, no column types, and the class name in place of media.

        Args:
            key: the name it was logged under.
            logged: what a row of the history holds under that name, for the table of that step; by default what the
                summary holds, the last one.

        Raises:
            UnreadableTableError: no table was logged under that name, or its file holds fewer rows than were logged.
            FileNotFoundInRunError: the run has no such file.
        """
        from runql.resources.artifacts.logged_table import read_run_table

        with self._client.call():
            value = self.summary.get(key) if logged is None else as_json(dict(logged))
            return self._client.run(read_run_table(self._address, key, value))

    def upload_file(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        *,
        progress: Progress | bool | None = None,
    ) -> File:
        """Upload a local file to the run, in place of one of the same name; four or five requests.

        Its name in the run is its path relative to ``root``; dots of parts that are `.` or `..` become `_`.

        Args:
            path: the file.
            root: the folder that its name in the run starts from.
            progress: called with the bytes that were given to the connection, and the total.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            LocalFileError: it cannot be read; nothing was sent.
            UnsafeNameError: its name has no UTF-8 form; nothing was sent.
            UploadRefusedError: the server names no upload address, wants a header that no request can carry, or did
                not record the upload.
        """
        from runql.resources.files.files import File
        from runql.resources.files.record import upload_file

        with reported(progress, "upload", "bytes") as report:
            uploaded = self._client.run(upload_file(self._address, path, root, report))
        return File(self._client, self._address, uploaded, self._project_number)

    def logged_artifacts(self, per_page: int = RUN_PER_PAGE, *, limit: int | None = None) -> RunArtifacts:
        """Return the artifact versions that the run wrote, as a lazy list; one request a page.

        Args:
            per_page: versions a request asks for, at least 1.
            limit: at most so many versions; None for all.
        """
        from runql.resources.artifacts.versions import RunArtifacts

        return RunArtifacts(self._client, self._address, "logged", per_page, limit=limit)

    def used_artifacts(self, per_page: int = RUN_PER_PAGE, *, limit: int | None = None) -> RunArtifacts:
        """Return the artifact versions that the run is recorded to read; as `logged_artifacts`."""
        from runql.resources.artifacts.versions import RunArtifacts

        return RunArtifacts(self._client, self._address, "used", per_page, limit=limit)

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Record that the run reads a version, of any project; one request, on old servers once one more.

        Args:
            artifact: such as `Api.artifact` returns.
            use_as: a name for its role in the run; by default the artifact's own.

        Returns:
            The artifact that was given.

        Raises:
            TypeError: it is no artifact.
            ArtifactPendingError: it is still being written. Both are raised before anything is sent.
            RunNotFoundError, ArtifactNotFoundError: one of them has been deleted.
            AnswerError: the server refuses.
        """
        from runql.resources.runs.lineage import record_use

        self._client.run(record_use(self._address, artifact, use_as))
        return artifact

    def log_artifact(
        self,
        artifact: Artifact,
        aliases: Collection[str] | None = None,
        tags: Collection[str] | None = None,
    ) -> Artifact:
        """Record that the run wrote a version that the server holds, of the run's own project; one request.

        Args:
            artifact: such as `Api.artifact` returns.
            aliases: added to those that it has.
            tags: added to those that it has.

        Returns:
            The artifact as it is now, where it was made.

        Raises:
            TypeError: it is no artifact, or aliases or tags are no list of str.
            ValueError: it is of another project, or an alias or tag is not valid.
            ArtifactPendingError: it is still being written. All are raised before anything is sent.
            RunNotFoundError, ArtifactNotFoundError: one of them has been deleted.
            AnswerError: the server refuses.
        """
        from runql.resources.artifacts.artifact import Artifact
        from runql.resources.runs.lineage import record_output

        found = self._client.run(record_output(self._address, artifact, aliases, tags))
        return Artifact(self._client, found)
