"""One artifact version: `Artifact` and its async twin."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runql.bars import reported
from runql.postponed import postponed
from runql.resources.artifacts.editing import EditableArtifact
from runql.resources.artifacts.entry import ArtifactEntry, AsyncArtifactEntry
from runql.resources.artifacts.files import ArtifactFiles, AsyncArtifactFiles
from runql.resources.artifacts.logged_table import LoggedTable
from runql.resources.artifacts.lookup import ResolvedArtifact, list_users, read_creator
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.names import OnUnsafe
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Progress
from runql.transport.flow import MOST_TRANSFERS
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.resources.artifacts.collections.collection import ArtifactCollection, AsyncArtifactCollection
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run
else:
    globals().update(postponed("ArtifactCollection AsyncArtifactCollection AsyncRun Run"))


class Artifact(EditableArtifact):
    """A version of a dataset, model or other bundle of files.

    ```python
    artifact = api.artifact("team/vision/mnist:latest")
    folder = artifact.download()
    ```

    `Api.artifact`, `Api.artifacts`, `Run.logged_artifacts` and `Run.used_artifacts` return artifacts.
    """

    def __init__(self, client: RetryingClient, found: ResolvedArtifact) -> None:
        super().__init__(found, client.settings.app_url)
        self._client = client

    @property
    def collection(self) -> ArtifactCollection:
        """The collection it was found in. Sends one request each time.

        Raises:
            ArtifactNotFoundError: the collection does not exist any more.
        """
        from runql.resources.artifacts.collections.collection import (  # noqa: PLC0415 - as for runs
            ArtifactCollection,
        )

        return ArtifactCollection(self._client, *self._client.run(self._find_collection(self._found.place)))

    @property
    def source_collection(self) -> ArtifactCollection:
        """The collection it was made in. Sends one request each time, as `collection`."""
        from runql.resources.artifacts.collections.collection import (  # noqa: PLC0415 - as for runs
            ArtifactCollection,
        )

        return ArtifactCollection(self._client, *self._client.run(self._find_collection(self._source)))

    @property
    def source_artifact(self) -> Artifact:
        """The version in the collection it was made in. For a link, sends one request each time; else returns itself.

        Raises:
            ArtifactNotFoundError: it does not exist any more, or your API key may not see it.
        """
        return Artifact(self._client, self._client.run(self._find_source())) if self.is_link else self

    @property
    def manifest(self) -> Manifest:
        """The list of its entries. Sends two requests the first time.

        Raises:
            ArtifactPendingError: a client is still writing the artifact.
            ManifestError: this version of runql cannot read the manifest.
        """
        return self._client.run(self._read_manifest())

    @property
    def entries(self) -> Mapping[str, ManifestEntry]:
        """Its files and references, by path. Reads the manifest, as `manifest`."""
        return self._client.run(self._read_entries())

    def get_entry(self, name: str) -> ArtifactEntry:
        """Return one entry by its path. Reads the manifest, as `manifest`.

        Raises:
            EntryNotFoundError: the artifact has no such entry.
        """
        entry = self._client.run(self._read_entry(name))
        return ArtifactEntry(self._client, self.qualified_name, entry, self._download_entry)

    def get(self, name: str) -> LoggedTable:
        """Return a `wandb.Table` of the artifact, as rows or as a frame.

        Sends two requests for the manifest if it was not read yet, and two for the table. Parts and arrays in files of
        their own cost one request for the addresses of each sort, and one for each file.

        Args:
            name: the name that the table was added under, with or without ``.table.json``.

        Raises:
            EntryNotFoundError: the artifact has no entry of that name.
            UnreadableTableError: the entry is not a table, is incomplete, or is a joined table. The JSON of a joined
                table names two tables: read each of them.
            MissingExtraError: the table has columns of arrays, and numpy is not installed.
        """
        return self._client.run(self._read_table(name))

    def get_path(self, name: str) -> ArtifactEntry:
        """Deprecated: `get_entry` under an older name."""
        warnings.warn(
            "Artifact.get_path is deprecated: use Artifact.get_entry", DeprecationWarning, stacklevel=2
        )
        return self.get_entry(name)

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, *, limit: int | None = None
    ) -> ArtifactFiles:
        """Return its files as the server lists them: a lazy sequence that sends one request a page.

        Args:
            names: only files with these paths; None or empty for all.
            per_page: files a page, at least 1.

        Raises:
            ValueError: ``per_page`` is below 1.
            TypeError: ``names`` is a str.
        """
        return ArtifactFiles(self._client, self.id, self.qualified_name, names, per_page, limit=limit)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        path_prefix: str | None = None,
        *,
        skip_cache: bool | None = None,  # noqa: ARG002 - accepted for compatibility
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> Path:
        """Save the files below ``root``, and return that folder.

        Files that are there with the right bytes are kept and cost no request. Each file appears when it is complete
        and its digest is right. References are followed: over HTTP, to local files, into other artifacts, and through
        fsspec where it is installed.

        Sends one request for the addresses of 5,000 files, one for each different file, and one for each reference.
        Sends two more for the manifest if it was not read yet. If storage refuses a signed address, the API is asked
        with the key: one request for the server's features, and at most two for each file. After a failure no further
        transfer starts; a note of the error (``__notes__``) says which files are saved.

        Args:
            root: the folder; by default ``artifacts/<collection>:<version>`` of the collection it was made in, or below
                the folder in `WANDB_ARTIFACT_DIR`. Files there with other bytes are replaced, files with other names
                stay.
            allow_missing_references: warn of references that lead nowhere, instead of failing.
            path_prefix: only files whose path starts with this.
            skip_cache: accepted for compatibility, without effect: runql keeps no cache.
            max_concurrency: transfers at the same time at most, at least 1. They begin with 8, and become more as long as that
                is faster.
            progress: called with the bytes that have arrived and the bytes in all.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.
            on_unsafe: what to do, after the other files have arrived, about paths that lead out of ``root`` or that
                this system cannot store: ``raise`` an error, or ``skip`` them with a `RuntimeWarning`. Both list each
                path with the reason.

        Raises:
            ArtifactPendingError: a client is still writing the artifact.
            UnsafeNameError: paths cannot be used; ``refused`` lists them, ``saved`` the files that have arrived.
            MissingExtraError: a reference needs fsspec, which is not installed; raised before anything is fetched.
            ReferenceUnavailableError: a reference leads nowhere.
            DigestMismatchError: the bytes that arrived are not those of the manifest.
            LocalFileError: the disk cannot store a file.
        """
        with reported(progress, self.name, "bytes") as report:
            return self._client.run(
                self._download(
                    root,
                    path_prefix,
                    max_concurrency=max_concurrency,
                    progress=report,
                    allow_missing_references=allow_missing_references,
                    on_unsafe=on_unsafe,
                )
            )

    def file(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | bool | None = None
    ) -> Path:
        """Save the only file of the artifact, and return its path; as `ArtifactEntry.download`.

        Sends two requests, and two for the manifest if it was not read yet.

        Raises:
            ValueError: the artifact has no file, or more than one.
        """
        with reported(progress, self.name, "bytes") as report:
            return self._client.run(self._download_only_file(root, report))

    def verify(
        self, root: str | os.PathLike[str] | None = None, *, on_unsafe: OnUnsafe = "raise"
    ) -> list[str]:
        """Check that the files below ``root`` are those of the artifact; return the references, which are not checked.

        Reads every file. Sends two requests if the manifest was not read yet.

        Args:
            root: as for `download`.
            on_unsafe: ``raise`` counts paths that this system cannot store as damage, ``skip`` warns of them.

        Raises:
            ArtifactDamagedError: files are missing, have other bytes, or do not belong to the artifact. The error lists
                all of them.
        """
        return self._client.run(self._verify(root, max_concurrency=MOST_TRANSFERS, on_unsafe=on_unsafe))

    def used_by(self) -> list[Run]:
        """Return the runs that read it, in the server's order; one request for 50 runs.

        Raises:
            PaginationError: the server hides a run, or the project of one.
        """
        from runql.resources.runs.run import (  # noqa: PLC0415 - runs have artifacts, and artifacts have runs
            Run,
        )

        found = self._client.run(list_users(self.id))
        return [Run.listed(self._client, each.entity, each.project, each.fields, None) for each in found]

    def logged_by(self) -> Run | None:
        """Return the run that made it, None if a person made it; one request.

        Raises:
            NotFoundError: a run made it, and the server hides the run's project.
        """
        from runql.resources.runs.run import Run  # noqa: PLC0415 - as above

        found = self._client.run(read_creator(self.id))
        if found is None:
            return None
        return Run.listed(self._client, found.entity, found.project, found.fields, None)

    def save(self) -> None:
        """Write the changed description, metadata, tags, ttl and aliases to the server.

        Sends what differs from what was read: one request for all fields but the aliases, one for added aliases, one
        for removed aliases. Sends nothing if nothing differs.

        Raises:
            TypeError, ValueError: a value cannot be stored; raised before anything is sent.
            ArtifactNotFoundError: the artifact does not exist any more.
            IncompleteUpdateError: the server stored a part of the changes.
            AnswerError, ChangeRefusedError: the server refuses.
        """
        self._client.run(self._save())

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version on the server, for a link only the link; one request. This cannot be undone.

        Args:
            delete_aliases: delete a version that has aliases, too.

        Raises:
            ArtifactNotFoundError: the version does not exist any more.
            DeletionUnconfirmedError: the response was lost, and a second request did not show that the version is gone.
            AnswerError: the server refuses, for example because the version has aliases.
        """
        self._client.run(self._delete(with_aliases=delete_aliases))

    def unlink(self) -> None:
        """Remove the link from the collection; one request. The version stays where it was made.

        Raises:
            ValueError: it is not a link; raised before anything is sent.
            ArtifactNotFoundError: the link does not exist any more.
            AnswerError, DeletionRefusedError: the server refuses.
        """
        self._client.run(self._unlink())


class AsyncArtifact(EditableArtifact):
    """The async twin of `Artifact`."""

    def __init__(self, client: AsyncRetryingClient, found: ResolvedArtifact) -> None:
        super().__init__(found, client.settings.app_url)
        self._client = client

    @property
    async def collection(self) -> AsyncArtifactCollection:
        """The collection it was found in. Sends one request each time.

        See `Artifact.collection` for its requests and errors.
        """
        from runql.resources.artifacts.collections.collection import (  # noqa: PLC0415 - as above
            AsyncArtifactCollection,
        )

        found = await self._client.run(self._find_collection(self._found.place))
        return AsyncArtifactCollection(self._client, *found)

    @property
    async def source_collection(self) -> AsyncArtifactCollection:
        """The collection it was made in. Sends one request each time, as `collection`."""
        from runql.resources.artifacts.collections.collection import (  # noqa: PLC0415 - as above
            AsyncArtifactCollection,
        )

        found = await self._client.run(self._find_collection(self._source))
        return AsyncArtifactCollection(self._client, *found)

    @property
    async def source_artifact(self) -> AsyncArtifact:
        """The version in the collection it was made in. For a link, sends one request each time; else returns
        itself.

        See `Artifact.source_artifact` for its requests and errors.
        """
        if not self.is_link:
            return self
        return AsyncArtifact(self._client, await self._client.run(self._find_source()))

    @property
    async def manifest(self) -> Manifest:
        """The list of its entries. Sends two requests the first time.

        See `Artifact.manifest` for its requests and errors.
        """
        return await self._client.run(self._read_manifest())

    @property
    async def entries(self) -> Mapping[str, ManifestEntry]:
        """Its files and references, by path. Reads the manifest, as `manifest`."""
        return await self._client.run(self._read_entries())

    async def get_entry(self, name: str) -> AsyncArtifactEntry:
        """Return one entry by its path. Reads the manifest, as `manifest`.

        See `Artifact.get_entry` for its requests and errors.
        """
        entry = await self._client.run(self._read_entry(name))
        return AsyncArtifactEntry(self._client, self.qualified_name, entry, self._download_entry)

    async def get(self, name: str) -> LoggedTable:
        """Return a `wandb.Table` of the artifact, as rows or as a frame.

        See `Artifact.get` for its requests and errors.
        """
        return await self._client.run(self._read_table(name))

    async def get_path(self, name: str) -> AsyncArtifactEntry:
        """Deprecated: `get_entry` under an older name."""
        warnings.warn(
            "AsyncArtifact.get_path is deprecated: use AsyncArtifact.get_entry",
            DeprecationWarning,
            stacklevel=2,
        )
        return await self.get_entry(name)

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, *, limit: int | None = None
    ) -> AsyncArtifactFiles:
        """Return its files as the server lists them: a lazy sequence that sends one request a page.

        See `Artifact.files` for its requests and errors.
        """
        return AsyncArtifactFiles(self._client, self.id, self.qualified_name, names, per_page, limit=limit)

    async def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        path_prefix: str | None = None,
        *,
        skip_cache: bool | None = None,  # noqa: ARG002 - accepted for compatibility
        max_concurrency: int = MOST_TRANSFERS,
        progress: Progress | bool | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> Path:
        """Save the files below ``root``, and return that folder.

        See `Artifact.download` for its requests and errors.
        """
        with reported(progress, self.name, "bytes") as report:
            return await self._client.run(
                self._download(
                    root,
                    path_prefix,
                    max_concurrency=max_concurrency,
                    progress=report,
                    allow_missing_references=allow_missing_references,
                    on_unsafe=on_unsafe,
                )
            )

    async def file(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | bool | None = None
    ) -> Path:
        """Save the only file of the artifact, and return its path; as `ArtifactEntry.download`.

        See `Artifact.file` for its requests and errors.
        """
        with reported(progress, self.name, "bytes") as report:
            return await self._client.run(self._download_only_file(root, report))

    async def verify(
        self, root: str | os.PathLike[str] | None = None, *, on_unsafe: OnUnsafe = "raise"
    ) -> list[str]:
        """Check that the files below ``root`` are those of the artifact; return the references, which are not
        checked.

        See `Artifact.verify` for its requests and errors.
        """
        return await self._client.run(self._verify(root, max_concurrency=MOST_TRANSFERS, on_unsafe=on_unsafe))

    async def used_by(self) -> list[AsyncRun]:
        """Return the runs that read it, in the server's order; one request for 50 runs.

        Raises:
            PaginationError: the server hides a run, or the project of one.
        """
        from runql.resources.runs.async_run import AsyncRun  # noqa: PLC0415 - as above

        found = await self._client.run(list_users(self.id))
        return [AsyncRun.listed(self._client, each.entity, each.project, each.fields, None) for each in found]

    async def logged_by(self) -> AsyncRun | None:
        """Return the run that made it, None if a person made it; one request.

        Raises:
            NotFoundError: a run made it, and the server hides the run's project.
        """
        from runql.resources.runs.async_run import AsyncRun  # noqa: PLC0415 - as above

        found = await self._client.run(read_creator(self.id))
        if found is None:
            return None
        return AsyncRun.listed(self._client, found.entity, found.project, found.fields, None)

    async def save(self) -> None:
        """Write the changed description, metadata, tags, ttl and aliases to the server.

        See `Artifact.save` for its requests and errors.
        """
        await self._client.run(self._save())

    async def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version on the server, for a link only the link; one request. This cannot be undone.

        See `Artifact.delete` for its requests and errors.
        """
        await self._client.run(self._delete(with_aliases=delete_aliases))

    async def unlink(self) -> None:
        """Remove the link from the collection; one request. The version stays where it was made.

        See `Artifact.unlink` for its requests and errors.
        """
        await self._client.run(self._unlink())
