"""One run: the documented `Run`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

from runql.errors import NotLoadedError
from runql.frames.extras import require
from runql.frames.table import Table
from runql.frames.to_pandas import to_pandas
from runql.resources.file_record import FileOwner, find_file, upload_file
from runql.resources.files import File, Files
from runql.resources.history import HistorySample, Row, Stream, sample_run
from runql.resources.history_scan import HistoryScan
from runql.resources.run_files import read_metadata
from runql.resources.run_record import ListedPage, RunRecord, fields_of, read_last_step
from runql.resources.scan import Match, ScanPlan
from runql.transport.bodies import Progress
from runql.transport.sync import RetryingClient
from runql.values import JSONValue
from runql_graphql.fragments import FullRunFields, RunFields

if TYPE_CHECKING:
    import pandas as pd


class Run(RunRecord):
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
    ) -> Run:
        """A run from fields that were read already; sends nothing."""
        run = cls.__new__(cls)
        run._client = client
        run._include_sweeps = True
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
            samples: rows at most.
            keys: only rows that have all of these metrics, with the x axis; metrics that are never logged at the same
                step give no rows (see ``scan_history(match="any")``).
            x_axis: the metric that goes along with ``keys``.
            pandas: a `pandas.DataFrame`, one column a metric; else a list of dicts.
            stream: ``default`` for metrics, ``system`` for the machine's.

        Raises:
            ValueError: unknown stream, ``samples`` below 1.
            TypeError: ``keys`` is no list of texts.
            MissingExtraError: pandas is not installed; raised before anything is sent.
        """
        wish = HistorySample.checked(samples, keys, x_axis, stream)
        if pandas:
            require("pandas", needed_for="Run.history(pandas=True)")
        rows = self._client.run(sample_run(self._entity, self._project, self._run_id, wish))
        return to_pandas(Table.from_rows(rows)) if pandas else rows

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "all",
    ) -> HistoryScan:
        """Return every row of the history, never thinned, as an iterable that is read while you go through it.

        Args:
            keys: only these metrics and `_step`; an empty list is the same as None, whole rows.
            page_size: steps a request covers, at least 1.
            min_step: the first step; None for the start.
            max_step: the step before which to end; None for the end, also of a run that still logs.
            match: ``all`` for the rows that have every key, as documented; ``any`` for those that have at least one,
                for metrics that are logged at different steps.

        Raises:
            ValueError: a bound is negative or the wrong way round, ``page_size`` below 1, unknown ``match``.
            TypeError: ``keys`` is no list of texts.
        """
        plan = ScanPlan.checked(
            self._entity,
            self._project,
            self._run_id,
            keys=keys,
            match=match,
            page_size=page_size,
            min_step=min_step,
            max_step=max_step,
        )
        return HistoryScan(self._client, plan, self._known())

    def wait_until_finished(self, *, timeout: float | None = None) -> None:
        """Wait until the run's state is terminal; one request every five seconds.

        Ends for finished, crashed, failed, killed and preempted alike; `state` tells which.

        Args:
            timeout: seconds after which to give up; None to wait for as long as it takes.

        Raises:
            RunStillActiveError: the time is over.
        """
        self._client.run(self._wait(timeout))

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
        return Files(self._client, self._files_owner(), names, per_page, pattern=pattern)

    def file(self, name: str) -> File:
        """Return one file by its path inside the run; one request.

        Raises:
            FileNotFoundInRunError: the run has no such file.
        """
        owner = self._files_owner()
        return File(self._client, owner, self._client.run(find_file(owner, name)))

    def upload_file(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        *,
        progress: Progress | None = None,
    ) -> File:
        """Put a local file into the run, in place of one of the same name; four or five requests.

        Its name in the run is its path as seen from ``root``; parts that are `.` or `..` become `_`.

        Args:
            path: the file.
            root: the folder that its name in the run starts from.
            progress: called with the bytes that were handed to the connection, and those there are in all.

        Raises:
            LocalFileError: it cannot be read; nothing was sent.
            UploadRefusedError: the server gives no place for it, or did not take note of it.
        """
        owner = self._files_owner()
        return File(self._client, owner, self._client.run(upload_file(owner, path, root, progress)))

    def _files_owner(self) -> FileOwner:
        number = int(self._fields.project_id) if self._fields else None
        return FileOwner(self._entity, self._project, self._run_id, number)
