"""Files of a run: one, and a lazy sequence of them, each with its async twin."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from runql.arguments import positive
from runql.bars import reported
from runql.paths import RunAddress
from runql.resources.files.listing import FileListing, FileQuery, save_all
from runql.resources.files.names import OnUnsafe, checked_on_unsafe
from runql.resources.files.record import (
    FileRecord,
    delete_file,
    download_path,
    open_text,
    save_file,
)
from runql.resources.pages.listing import AsyncLazySequence, LazySequence
from runql.resources.records.tables import described
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Progress
from runql.transport.flow import MOST_TRANSFERS
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import FileFields


class File(FileRecord):
    """A file of a run, as `Run.file` and `Run.files` return it."""

    def __init__(
        self, client: RetryingClient, run: RunAddress, fields: FileFields, project_number: int | None = None
    ) -> None:
        super().__init__(run, fields, project_number)
        self._client = client

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | bool | None = None,
    ) -> io.TextIOWrapper:
        """Save the file below ``root`` under its own name, and return it opened for reading as UTF-8.

        The caller closes the returned file; its ``name`` is the path, and its ``buffer`` reads bytes. The file appears
        when it is complete and its MD5 is right. A broken download is resumed; if it fails, an existing file stays.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite an existing file.
            exist_ok: return an existing file, whatever its bytes, and send nothing.
            progress: called with the bytes that have arrived and the bytes in all.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            ValueError: the file exists, and neither ``replace`` nor ``exist_ok`` is set.
            UnsafeNameError: the name leads out of ``root``, or this system cannot store it.
            DigestMismatchError: the bytes that arrived are not those that the server listed.
            LocalFileError: the disk cannot store the file.
        """
        path, missing = download_path(self.fields, root, replace=replace, exist_ok=exist_ok)
        if missing:
            with reported(progress, self.name, "bytes") as report:
                self._client.run(save_file(self._run, self.fields, path, report))
        return open_text(path)

    def delete(self) -> None:
        """Delete the file from the run; one request, and one before if the run is not loaded.

        Raises:
            DeletionRefusedError: the server refuses.
            DeletionUnconfirmedError: the response was lost, and a second request did not show that the file is gone.
            OutdatedServerError: the server does not know the project's number, which the deletion needs.
        """
        self._client.run(delete_file(self._run, self.fields, self._project_number))


class AsyncFile(FileRecord):
    """The async twin of `File`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        run: RunAddress,
        fields: FileFields,
        project_number: int | None = None,
    ) -> None:
        super().__init__(run, fields, project_number)
        self._client = client

    async def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | bool | None = None,
    ) -> io.TextIOWrapper:
        """Save the file below ``root`` under its own name, and return it opened for reading as UTF-8.

        See `File.download` for its requests and errors.
        """
        path, missing = download_path(self.fields, root, replace=replace, exist_ok=exist_ok)
        if missing:
            with reported(progress, self.name, "bytes") as report:
                await self._client.run(save_file(self._run, self.fields, path, report))
        return open_text(path)

    async def delete(self) -> None:
        """Delete the file from the run; one request, and one before if the run is not loaded.

        See `File.delete` for its requests and errors.
        """
        await self._client.run(delete_file(self._run, self.fields, self._project_number))


class Files(LazySequence[FileFields, File]):
    """The files of a run, a lazy sequence that sends one request a page; files never uploaded are left out.

    `len` reads all pages, because the server counts all names of the run.
    """

    def __init__(
        self,
        client: RetryingClient,
        run: RunAddress,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
        limit: int | None = None,
        project_number: int | None = None,
    ) -> None:
        query = FileQuery.checked(run, names, per_page, pattern)
        super().__init__(
            client, FileListing(query, lambda fields: File(client, run, fields, project_number), limit=limit)
        )
        self._run = run

    def __repr__(self) -> str:
        return described("Files", self._run)

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> list[Path]:
        """Save all files below ``root``, and return their paths in list order.

        Reads all pages, then sends one request a file. Names and existing files are checked before anything is
        written. After a failure no further download starts, and complete files stay: a note of the error
        (``__notes__``) says which. A name that cannot be used does not stop the others.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite existing files.
            exist_ok: keep existing files, and send nothing for them.
            max_concurrency: downloads at the same time at most, at least 1. They begin with 8, and become more as long as that
                is faster.
            progress: called with the bytes that have arrived and the bytes in all, of all files that are fetched. Calls
                come one at a time, from the threads that fetch. Bytes that are fetched again count once.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.
            on_unsafe: what to do, after the other files have arrived, about names that lead out of ``root`` or that
                this system cannot store: ``raise`` an error, or ``skip`` them with a `RuntimeWarning`. Both list each
                name with the reason.

        Raises:
            ValueError: a file exists, and neither ``replace`` nor ``exist_ok`` is set; or ``max_concurrency`` is below
                1.
            UnsafeNameError: names cannot be used; ``refused`` lists them, ``saved`` the files that have arrived.
        """
        positive("max_concurrency", max_concurrency)
        checked_on_unsafe(on_unsafe)
        with reported(progress, "files", "bytes") as report, self._client.call():
            wanted = self[:]
            fetching = save_all(
                self._run,
                wanted,
                root,
                replace=replace,
                exist_ok=exist_ok,
                max_concurrency=max_concurrency,
                progress=report,
                on_unsafe=on_unsafe,
            )
            return self._client.run(fetching)


class AsyncFiles(AsyncLazySequence[FileFields, AsyncFile]):
    """The async twin of `Files`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        run: RunAddress,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
        limit: int | None = None,
        project_number: int | None = None,
    ) -> None:
        query = FileQuery.checked(run, names, per_page, pattern)
        super().__init__(
            client,
            FileListing(query, lambda fields: AsyncFile(client, run, fields, project_number), limit=limit),
        )
        self._run = run

    def __repr__(self) -> str:
        return described("AsyncFiles", self._run)

    async def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> list[Path]:
        """Save all files below ``root``, and return their paths in list order.

        See `Files.download` for its requests and errors.
        """
        positive("max_concurrency", max_concurrency)
        checked_on_unsafe(on_unsafe)
        with reported(progress, "files", "bytes") as report, self._client.call():
            wanted = await self[:]
            fetching = save_all(
                self._run,
                wanted,
                root,
                replace=replace,
                exist_ok=exist_ok,
                max_concurrency=max_concurrency,
                progress=report,
                on_unsafe=on_unsafe,
            )
            return await self._client.run(fetching)
