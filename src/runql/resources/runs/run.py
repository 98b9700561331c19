"""One run: the documented `Run`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, overload

from runql.errors import NotLoadedError
from runql.paths import DEFAULT_PROJECT, RunAddress
from runql.resources.connected import Connected
from runql.resources.records.run_fields import project_number
from runql.resources.runs.lineage import RunLineage
from runql.resources.runs.mutations import FirstState, RequestedState, checked_id, create
from runql.resources.runs.record import ListedPage, RunRecord, fields_of, read_last_step
from runql.resources.runs.summary import Summary
from runql.transport.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY
from runql.transport.sync import RetryingClient
from runql.values import JSONValue
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    import pandas as pd

    from runql.resources.artifacts.logged_table import LoggedTable
    from runql.resources.files.files import File, Files
    from runql.resources.files.record import FileOwner
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.history.scan import HistoryScan
    from runql.resources.runs.console import ConsoleLogs
    from runql.resources.sweeps.lookup import PageSweeps
    from runql.resources.sweeps.sweep import Sweep


class Run(RunLineage):
    """A single run of a project; `Api.run` and `Api.runs` make them.

    Made without ``attrs`` it is loaded at once, by one request.
    """

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
        self._sweeps: PageSweeps[Sweep] | None = None
        fields = None if attrs is None else fields_of(attrs)
        super().__init__(entity, project, run_id, client.settings.app_url, fields)
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
        RunRecord.__init__(run, entity, project, fields.name, client.settings.app_url, fields, page)
        return run

    def _light(self) -> RunFields | FullRunFields:
        return self._fields or self._full()

    def _full(self) -> FullRunFields:
        if not isinstance(self._fields, FullRunFields):
            self.load()
        if not isinstance(self._fields, FullRunFields):
            raise NotLoadedError(f"run {self._entity}/{self._project}/{self._run_id} could not be loaded")
        return self._fields

    def load(self, force: bool = False) -> None:
        """Read the run's fields; one request.

        Args:
            force: read them again although they are here: this is how a run is refreshed.

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
        """The highest step that the server tells of; -1 when it tells of none. Sends one request each time.

        It lags behind in a run that still logs; `scan_history` reads beyond it.
        """
        return self._client.run(read_last_step(self._entity, self._project, self._run_id))

    @property
    def metadata(self) -> dict[str, JSONValue] | None:
        """What the SDK noted of the machine and the program (`wandb-metadata.json`); None when the run has no such file.

        Sends two requests each time; the file is fetched with the key only from the API host.
        """
        from runql.resources.runs.metadata import read_metadata

        return self._client.run(read_metadata(self._entity, self._project, self._run_id))

    @overload
    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: Literal[True] = True,
        stream: Stream = "default",
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
    ) -> pd.DataFrame | list[Row]: ...

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Stream = "default",
    ) -> pd.DataFrame | list[Row]:
        """Return sampled rows of the history, in step order.

        The server thins a longer history evenly, so this is an excerpt; `scan_history` reads every row. Sends one
        request.

        Args:
            samples: rows at most, give or take a few: servers keep to it roughly.
            keys: only rows that have all of these metrics, with the x axis; metrics that are never logged at the same
                step give no rows (see ``scan_history(match="any")``).
            x_axis: the metric that goes along with ``keys``.
            pandas: a `pandas.DataFrame`, one column a metric; else a list of dicts.
            stream: ``default`` for metrics, ``system`` for the machine's; ``events`` and ``systemMetrics`` are other
                names for ``system``.

        Raises:
            ValueError: unknown stream, ``samples`` below 1.
            TypeError: ``keys`` is no list of texts.
            MissingExtraError: pandas is not installed; raised before anything is sent.
            IncompleteHistoryError: the server sent null instead of rows.
            CorruptHistoryError: a row cannot be read.
        """
        from runql.frames.extras import require
        from runql.frames.table import Table
        from runql.frames.to_pandas import to_pandas
        from runql.resources.history.sampled import HistorySample, sample_run

        wish = HistorySample.checked(samples, keys, x_axis, stream)
        if pandas:
            require("pandas", needed_for="Run.history(pandas=True)")
        rows = self._client.run(sample_run(self._entity, self._project, self._run_id, wish))
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
    ) -> HistoryScan:
        """Return every row of the history, never thinned, as an iterable that is read while you go through it.

        Args:
            keys: only these metrics and `_step`; an empty list is the same as None, whole rows.
            page_size: steps a request covers, at least 1.
            min_step: the first step; None for the start.
            max_step: the step before which to end; None for the end, also of a run that still logs.
            match: ``all`` for the rows that have every key, as documented; ``any`` for those that have at least one,
                for metrics that are logged at different steps.
            max_concurrency: requests under way at the same time, at least 1.
            use_cache: no effect, accepted for compatibility: nothing is cached.

        Raises:
            ValueError: a bound is negative or the wrong way round, ``page_size`` or ``max_concurrency`` below 1, unknown
                ``match``.
            TypeError: ``keys`` is no list of texts.
        """
        from runql.resources.history.plan import ScanPlan
        from runql.resources.history.scan import HistoryScan

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
        return HistoryScan(self._client, plan, self._known())

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 - accepted for compatibility
    ) -> HistoryScan:
        """Deprecated: `scan_history` under an older name."""
        warnings.warn(
            "Run.beta_scan_history is deprecated: use Run.scan_history", DeprecationWarning, stacklevel=2
        )
        return self.scan_history(keys, page_size, min_step, max_step)

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> ConsoleLogs:
        """Return what the run's process wrote to its console, oldest line first, read page by page as you look at it.

        ``for line in run.console_logs(last=100): print(line.content)``. Sends one request a page, and one in all with
        ``last``. Some servers return fewer of the newest lines than asked for; the others are then read from the beginning.

        Args:
            per_page: lines a request asks for, at least 1.
            last: only this many of the newest lines; None for all, which needs a server of version 0.77 or newer.

        Raises:
            ValueError: ``per_page`` or ``last`` below 1.
            PaginationError: while reading: the server returns fewer lines than it counts.
            OutdatedServerError: while reading: the server cannot page through a log; ``last`` works there.
        """
        from runql.resources.runs.console import ConsoleLogs

        return ConsoleLogs(self._client, self._place, per_page, last)

    def wait_until_finished(self, *, timeout: float | None = None) -> None:
        """Wait until the run's state is terminal; one request every five seconds.

        Ends for finished, crashed, failed, killed and preempted alike; `state` tells which.

        Args:
            timeout: seconds after which to give up; None to wait for as long as it takes.

        Raises:
            RunStillActiveError: the time is over.
        """
        self._client.run(self._wait(timeout))

    @classmethod
    def create(
        cls,
        api: Connected,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        *,
        state: FirstState = "running",
    ) -> Run:
        """Create a run and return it with all its fields; one request, two when the default entity must be asked for.

        Repeating it is safe: a run that has the id already is returned as it is, but for ``state="pending"``, which it
        takes. A new run stays in its state until something logs to it; the project is made when it is missing.

        Args:
            api: the `Api` to create it with.
            run_id: at most 128 characters; eight random lower-case letters and digits by default.
            project: else the one of the settings, else ``uncategorized``.
            entity: else `Api.default_entity`.
            state: ``pending`` for a run that something will resume later.

        Raises:
            ValueError: the id or the state cannot be one; raised before anything is sent.
            ConfigurationError: there is no default entity.
            ProjectNotFoundError: the server made no run there.
        """
        name = checked_id(run_id)
        home = project or api.client.settings.project or DEFAULT_PROJECT
        place = RunAddress(entity or api.default_entity or "", home, name)
        return cls.listed(api.client, place.entity, place.project, api.client.run(create(place, state)), None)

    @cached_property
    def summary(self) -> Summary:
        """The summary metrics, a mapping that can be changed; floats keep their bits, NaN and infinities are floats."""
        self._full()
        return Summary(self._client, lambda: self._summary, self._save_summary)

    def update(self, *, if_unchanged: bool = False) -> None:
        """Write what was changed in memory: name, notes, description, tags, group, job type, config and summary.

        Sends only what differs from what was read: nothing when nothing does, one request for all but the summary,
        one more for the summary. Within a field the server replaces: the whole tags, the whole config, the whole
        summary become what they are here, whatever others have put there since the run was read.

        Args:
            if_unchanged: read the run again first, one request more, and refuse when it is not what was read. A change
                that arrives in the moment between is still overwritten: the server offers no lock.

        Raises:
            TypeError, ValueError: a value cannot be stored; raised before anything is sent.
            RunChangedError: with ``if_unchanged``; nothing was written.
            RunNotFoundError: the run was deleted meanwhile.
            IncompleteUpdateError: all but the summary was written.
            AnswerError: the server refuses.
        """
        self._client.run(self._update(if_unchanged=if_unchanged))

    def save(self) -> None:
        """The same as `update`, without its option."""
        self.update()

    def delete(self, delete_artifacts: bool = False) -> None:
        """Delete the run on the server, for good; one request.

        Args:
            delete_artifacts: delete the artifacts that the run logged, too.

        Raises:
            RunNotFoundError: there is no such run (any more).
            DeletionUnconfirmedError: the response was lost, and one request more did not find that the run is gone.
            AnswerError: the server refuses.
        """
        self._client.run(self._delete(with_artifacts=delete_artifacts))

    def stop(self) -> None:
        """Ask the run to stop, as the web app's button does; one request.

        Sets a flag that the run's process sees with its next sign of life: the run ends later, by itself
        (`wait_until_finished` waits for that). Calling it again, or for a run that has ended, changes nothing.

        Raises:
            RunNotFoundError: there is no such run (any more).
            ChangeRefusedError: the server did not set the flag.
            AnswerError: the server refuses.
        """
        self._client.run(self._stop())

    def update_state(self, state: RequestedState) -> bool:
        """Put the run in another state on the server, and return whether the server did; one request.

        A run can become ``pending`` from running, failed, crashed or preempted, and ``failed`` from pending or running.

        Raises:
            ValueError: ``state`` is neither; raised before anything is sent.
            RunNotFoundError: there is no such run (any more).
            QueryError: the run's present state does not lead there, or the run belongs to a sweep.
        """
        return self._client.run(self._set_state(state))

    @property
    def sweep(self) -> Sweep | None:
        """The sweep that the run belongs to; None outside sweeps, when it is gone, and with ``include_sweeps=False``.

        Sends at most one request: it reads the sweeps of all runs of the run's page, each once for a list.
        """
        if not self._include_sweeps:
            return None
        if self._sweeps is None:
            from runql.resources.sweeps.lookup import PageSweeps, SweepShelf
            from runql.resources.sweeps.sweep import Sweep

            make = partial(Sweep.listed, self._client, self._entity, self._project)
            made = PageSweeps(SweepShelf(self._entity, self._project, make))
            # All threads that come here at the same time use one, and share what it reads.
            own: PageSweeps[Sweep] = vars(self).setdefault("_own_sweeps", made)
            self._sweeps = own
        return self._client.run(self._sweeps.of_run(self.sweep_name))

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, *, pattern: str | None = None
    ) -> Files:
        """Return the files of the run, as a sequence that is read page by page as you look at it.

        Args:
            names: only these, as far as they were uploaded; all when empty.
            per_page: files a request asks for, at least 1.
            pattern: only names like this: `%` is any text, `_` one character.

        Raises:
            ValueError: ``names`` and ``pattern`` together, ``per_page`` below 1.
            TypeError: ``names`` is a text.
        """
        from runql.resources.files.files import Files

        return Files(self._client, self._files_owner(), names, per_page, pattern=pattern)

    def file(self, name: str) -> File:
        """Return one file by its path inside the run; one request.

        Raises:
            FileNotFoundInRunError: the run has no such file.
        """
        from runql.resources.files.files import File
        from runql.resources.files.record import find_file

        owner = self._files_owner()
        return File(self._client, owner, self._client.run(find_file(owner, name)))

    def table(self, key: str, logged: Mapping[str, JSONValue] | None = None) -> LoggedTable:
        """Return a `wandb.Table` that the run logged, to be read as rows or as a frame; two requests.

        The SDK writes less into a run's file than into the artifact ``run-<id>-<key>``, which `Artifact.get` reads:
        10,000 rows at most, no types of columns, and instead of media the name of their class.

        Args:
            key: the name it was logged under.
            logged: what a row of the history holds under that name, for a table of that step; by default what the
                summary holds, the last one.

        Raises:
            UnreadableTableError: no table was logged under that name, or its file holds fewer rows than were logged.
            FileNotFoundInRunError: the file is not there (any more).
        """
        from runql.resources.artifacts.logged_table import read_run_table

        value = self.summary.get(key) if logged is None else dict(logged)
        return self._client.run(read_run_table(self._files_owner(), key, value))

    def upload_file(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        *,
        progress: Progress | None = None,
    ) -> File:
        """Put a local file into the run, in place of one of the same name; four or five requests.

        Its name in the run is its path as seen from ``root``; dots of parts that are `.` or `..` become `_`.

        Args:
            path: the file.
            root: the folder that its name in the run starts from.
            progress: called with the bytes that were handed to the connection, and those there are in all.

        Raises:
            LocalFileError: it cannot be read; nothing was sent.
            UnsafeNameError: its name has no UTF-8 form; nothing was sent.
            UploadRefusedError: the server gives no place for it, wants a header that no request can carry, or did not
                take note of it.
        """
        from runql.resources.files.files import File
        from runql.resources.files.record import upload_file

        owner = self._files_owner()
        return File(self._client, owner, self._client.run(upload_file(owner, path, root, progress)))

    def _files_owner(self) -> FileOwner:
        from runql.resources.files.record import FileOwner

        number = project_number(self._fields) if self._fields else None
        return FileOwner(self._entity, self._project, self._run_id, number)
