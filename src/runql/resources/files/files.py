"""Files of a run: one, and a lazy list of them."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from runql.arguments import positive
from runql.resources.files.listing import FileListing, FileQuery, save_all
from runql.resources.files.names import OnUnsafe, checked_on_unsafe
from runql.resources.files.record import (
    FileOwner,
    FileRecord,
    delete_file,
    download_path,
    opened,
    save_file,
)
from runql.resources.pages.listing import AsyncLazySequence, LazySequence
from runql.transport.aio import AsyncRetryingClient
from runql.transport.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import FileFields


class File(FileRecord):
    """A file of a run; `Run.file` and `Run.files` make them."""

    def __init__(self, client: RetryingClient, owner: FileOwner, fields: FileFields) -> None:
        super().__init__(owner, fields)
        self._client = client

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | None = None,
    ) -> io.TextIOWrapper:
        """Save the file below ``root`` under its own name, and return it opened for reading as UTF-8 text.

        Close what is returned; its ``name`` is the path, and ``buffer`` gives bytes. The file appears when it is whole
        and its MD5 is right; a broken download is resumed, and if it fails in the end, what was there before stays.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite a file that is there.
            exist_ok: return a file that is there, whatever it holds, without a request.
            progress: called with the bytes that are here, and those there are in all.

        Raises:
            ValueError: there is a file already, and neither flag was given.
            UnsafeNameError: the name leads out of ``root``, or this system cannot store it.
            DigestMismatchError: other bytes arrived than the server listed.
            LocalFileError: the disk did not take them.
        """
        path, missing = download_path(self.fields, root, replace=replace, exist_ok=exist_ok)
        if missing:
            self._client.run(save_file(self._owner, self.fields, path, progress))
        return opened(path)

    def delete(self) -> None:
        """Delete the file from the run; one request, and one before when the run was not loaded.

        Raises:
            DeletionRefusedError: the server says that it did not.
            DeletionUnconfirmedError: the response was lost, and one request more did not find that the file is gone.
            OutdatedServerError: the server does not know the project's number, without which it takes no deletion.
        """
        self._client.run(delete_file(self._owner, self.fields))


class AsyncFile(FileRecord):
    """As `File`, awaited."""

    def __init__(self, client: AsyncRetryingClient, owner: FileOwner, fields: FileFields) -> None:
        super().__init__(owner, fields)
        self._client = client

    async def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | None = None,
    ) -> io.TextIOWrapper:
        """As `File.download`."""
        path, missing = download_path(self.fields, root, replace=replace, exist_ok=exist_ok)
        if missing:
            await self._client.run(save_file(self._owner, self.fields, path, progress))
        return opened(path)

    async def delete(self) -> None:
        """As `File.delete`."""
        await self._client.run(delete_file(self._owner, self.fields))


class Files(LazySequence[FileFields | None, File]):
    """The files of a run, read page by page; names that were announced and never uploaded are left out.

    `len` reads to the end: the server's own count is of all names, whatever was asked for.
    """

    def __init__(
        self,
        client: RetryingClient,
        owner: FileOwner,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
    ) -> None:
        query = FileQuery.checked(owner, names, per_page, pattern)
        super().__init__(client, FileListing(query, lambda fields: File(client, owner, fields)))
        self._owner = owner

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> list[Path]:
        """Save all files below ``root``, and return where they are, in list order.

        Reads the list to its end, then sends one request a file. Names and existing files are checked before anything
        is written. At the first failure no further download is begun, and the error is raised; files that were
        complete by then stay. A name that cannot be used does not stop the others.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite files that are there.
            exist_ok: keep files that are there, without a request.
            max_concurrency: downloads under way at the same time, at least 1.
            progress: called with the bytes that are here of all files that are fetched, and those there are in all.
                Calls come one at a time, from the threads that fetch; bytes that are fetched again count once.
            on_unsafe: what to do, after the other files have arrived, about names that lead out of ``root`` or that
                this system cannot store: ``raise`` an error, or ``skip`` them with a `RuntimeWarning`. Both list each
                name with the reason.

        Raises:
            ValueError: one of them is there already, and neither flag was given; ``max_concurrency`` below 1.
            UnsafeNameError: names cannot be used; ``refused`` lists them, ``saved`` the files that have arrived.
        """
        positive("max_concurrency", max_concurrency)
        checked_on_unsafe(on_unsafe)
        wanted = self[:]
        fetching = save_all(
            self._owner,
            wanted,
            root,
            replace=replace,
            exist_ok=exist_ok,
            max_concurrency=max_concurrency,
            progress=progress,
            on_unsafe=on_unsafe,
        )
        return self._client.run(fetching)


class AsyncFiles(AsyncLazySequence[FileFields | None, AsyncFile]):
    """As `Files`, awaited."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        owner: FileOwner,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        pattern: str | None = None,
    ) -> None:
        query = FileQuery.checked(owner, names, per_page, pattern)
        super().__init__(client, FileListing(query, lambda fields: AsyncFile(client, owner, fields)))
        self._owner = owner

    async def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> list[Path]:
        """As `Files.download`."""
        positive("max_concurrency", max_concurrency)
        checked_on_unsafe(on_unsafe)
        wanted = await self[:]
        fetching = save_all(
            self._owner,
            wanted,
            root,
            replace=replace,
            exist_ok=exist_ok,
            max_concurrency=max_concurrency,
            progress=progress,
            on_unsafe=on_unsafe,
        )
        return await self._client.run(fetching)
