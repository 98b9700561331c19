"""The part of a run that its history's parquet files hang on: fetching them, with its awaited twin."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runql.arguments import checked_path, positive
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.runs.editing import EditableRun
from runql.transport.flow import DEFAULT_CONCURRENCY, EXPIRED_URL_STATUSES, Flow, gather, save
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.paths import RunAddress
    from runql.resources.history.exports.listing import ExportListing
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.bodies import Progress


@dataclass(frozen=True, slots=True)
class HistoryFiles(SnakeCaseAttributes):
    """A history's parquet files, fetched.

    Attributes:
        paths: where they are; in no particular order of steps, which may overlap.
        live_rows: rows of the history that are in none of them.
    """

    paths: tuple[Path, ...]
    live_rows: int

    @property
    def is_complete(self) -> bool:
        """Whether they hold every row."""
        return self.live_rows == 0

    @property
    def contains_live_data(self) -> bool:
        """Whether the history has rows that are in none of them."""
        return self.live_rows > 0


class RunExports(EditableRun):
    """An `EditableRun` whose exported history can be fetched as it is."""

    _client: RetryingClient

    def download_history(
        self,
        download_dir: str | os.PathLike[str] = ".",
        require_complete: bool = True,
        *,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
    ) -> HistoryFiles:
        """Save the parquet files that the server has exported the history to; one request, and one a file.

        They are named after the run, ``<run id>.0.parquet`` and so on, and replace files of these names, each whole or
        not at all. Addresses that have expired are asked for anew, once. A run without rows has no files.

        Args:
            download_dir: the folder; missing folders are made.
            require_complete: refuse when rows are in no file yet. With False those rows are missing, and counted.
            max_concurrency: downloads under way at the same time, at least 1.
            progress: called with the bytes that are here of all files, and those there are in all as far as is known.

        Raises:
            HistoryNotExportedError: rows are in no file, and ``require_complete``; nothing was fetched.
            RunNotFoundError, ProjectNotFoundError: there is no such run.
            UnsafeNameError: the run's id cannot be a file's name here, so that no file can be saved.
            LocalFileError: the disk did not take them.
        """
        wish = _Wish(
            self._place,
            checked_path("download_dir", download_dir),
            require_complete,
            positive("max_concurrency", max_concurrency),
            progress,
        )
        return self._client.run(wish.fetch())

    def download_history_exports(
        self, download_dir: str | os.PathLike[str], require_complete_history: bool = True
    ) -> HistoryFiles:
        """Save the history's parquet files; `download_history` under the official SDK's name, without its options."""
        return self.download_history(download_dir, require_complete_history)


class AsyncRunExports(EditableRun):
    """As `RunExports`, awaited."""

    _client: AsyncRetryingClient

    async def download_history(
        self,
        download_dir: str | os.PathLike[str] = ".",
        require_complete: bool = True,
        *,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
    ) -> HistoryFiles:
        """As `RunExports.download_history`."""
        wish = _Wish(
            self._place,
            checked_path("download_dir", download_dir),
            require_complete,
            positive("max_concurrency", max_concurrency),
            progress,
        )
        return await self._client.run(wish.fetch())

    async def download_history_exports(
        self, download_dir: str | os.PathLike[str], require_complete_history: bool = True
    ) -> HistoryFiles:
        """As `RunExports.download_history_exports`."""
        return await self.download_history(download_dir, require_complete_history)


@dataclass(frozen=True, slots=True)
class _Wish:
    run: RunAddress
    root: Path
    require_complete: bool
    max_concurrency: int
    progress: Progress | None

    def fetch(self) -> Flow[HistoryFiles]:
        from runql.errors import AnswerError

        listing = yield from self._list()
        try:
            paths = yield from self._save(listing.urls)
        except AnswerError as error:
            if error.status not in EXPIRED_URL_STATUSES:
                raise
            listing = yield from self._list()
            paths = yield from self._save(listing.urls)
        return HistoryFiles(tuple(paths), listing.live_count)

    def _list(self) -> Flow[ExportListing]:
        from runql.errors import HistoryNotExportedError
        from runql.resources.history.exports.listing import ExportListing, list_exports

        run = self.run
        listing = (yield from list_exports(run.entity, run.project, run.run_id)) or ExportListing((), ())
        if listing.live_count and self.require_complete:
            raise HistoryNotExportedError(str(run), listing.live_count)
        return listing

    def _save(self, urls: Sequence[str]) -> Flow[list[Path]]:
        from runql.resources.files.names import target_paths
        from runql.transport.bodies import Sink
        from runql.transport.shared_progress import shared_progress

        # The server promises no order: by their paths, the same files get the same names each time.
        ordered = sorted(urls, key=_path_of)
        paths = target_paths(
            self.root, [f"{self.run.run_id}.{index}.parquet" for index in range(len(ordered))]
        )
        told = shared_progress(self.progress, [0] * len(paths))
        saving = [
            save(url, Sink(path, progress=share))
            for url, path, share in zip(ordered, paths, told, strict=True)
        ]
        yield from gather(saving, limit=self.max_concurrency, release_on_offload=True)
        return paths


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url
