"""The parquet files that a server has exported a run's history to, saved as they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runql.arguments import checked_path, positive
from runql.errors import AnswerError, DigestMismatchError, HistoryNotExportedError
from runql.paths import RunAddress
from runql.resources.files.names import target_paths
from runql.resources.files.saved import SavedFiles
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.files.bodies import Progress, Sink
from runql.transport.files.shared_progress import shared_progress
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, gather, save

_PARQUET: Final = b"PAR1"
"""Begins and ends each parquet file."""


@dataclass(frozen=True, slots=True)
class HistoryFiles(SnakeCaseAttributes):
    """The parquet files of a history, as `Run.download_history` saved them.

    Attributes:
        paths: of the files. They have no order, and the steps of two files may overlap.
        live_rows: rows of the history that no file holds.
    """

    paths: tuple[Path, ...]
    live_rows: int

    @property
    def is_complete(self) -> bool:
        """Whether the files hold every row."""
        return self.live_rows == 0

    @property
    def contains_live_data(self) -> bool:
        """Whether the history has rows that no file holds."""
        return self.live_rows > 0


@dataclass(frozen=True, slots=True)
class HistoryDownload:
    """The options of `Run.download_history`, checked."""

    run: RunAddress
    folder: Path
    require_complete: bool
    max_concurrency: int
    progress: Progress | None

    @classmethod
    def checked(
        cls,
        run: RunAddress,
        folder: str | os.PathLike[str],
        require_complete: bool,
        max_concurrency: int,
        progress: Progress | None,
    ) -> HistoryDownload:
        """Check what a caller gave; see `Run.download_history`."""
        return cls(
            run,
            checked_path("download_dir", folder),
            require_complete,
            positive("max_concurrency", max_concurrency),
            progress,
        )

    def fetch(self) -> Flow[HistoryFiles]:
        """Save all files; one request for their addresses, and one a file. Addresses that expired are read again once."""
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
        run = self.run
        listing = (yield from list_exports(run)) or ExportListing((), ())
        if listing.live_count and self.require_complete:
            raise HistoryNotExportedError(str(run), listing.live_count)
        return listing

    def _save(self, urls: Sequence[str]) -> Flow[list[Path]]:
        # The server promises no order: sorted by path, the same files get the same names each time.
        ordered = sorted(urls, key=_path_of)
        names = [f"{self.run.run_id}.{index}.parquet" for index in range(len(ordered))]
        paths = target_paths(self.folder, names)
        reports = shared_progress(self.progress, [0] * len(paths))
        saved = SavedFiles(names)
        saving = [
            saved.noting(save(url, _ParquetSink(path, progress=report)), path.name)
            for url, path, report in zip(ordered, paths, reports, strict=True)
        ]
        yield from saved.explaining(gather(saving, limit=self.max_concurrency, release_on_offload=True))
        return paths


class _ParquetSink(Sink):
    """A sink that refuses what is no parquet file: a storage may send a page with status 200, and no digest is known."""

    _start: bytes = b""
    _end: bytes = b""

    def restart(self) -> None:
        """As `Sink.restart`."""
        self._start = self._end = b""
        super().restart()

    def take(self, chunk: bytes) -> None:
        """As `Sink.take`."""
        size = len(_PARQUET)
        self._start = (self._start + chunk[:size])[:size]
        self._end = (self._end + chunk[-size:])[-size:]
        super().take(chunk)

    def finish(self) -> None:
        """As `Sink.finish`.

        Raises:
            DigestMismatchError: the bytes are no parquet file.
        """
        if (self._start, self._end) != (_PARQUET, _PARQUET):
            raise DigestMismatchError(
                f"the bytes received for {self.target.name} are no parquet file: "
                "the storage sent something else, such as an error page; repeat the download"
            )
        super().finish()


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url
