"""One artifact version, and one of its entries: `Artifact`, `ArtifactEntry` and their awaited twins."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runql.resources.artifacts.contents import ArtifactContents, EntryRecord, SaveEntry
from runql.resources.artifacts.files import ArtifactFiles, AsyncArtifactFiles
from runql.resources.artifacts.lineage import list_users, read_creator
from runql.resources.artifacts.logged_table import LoggedTable
from runql.resources.artifacts.lookup import Found
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.names import OnUnsafe
from runql.transport.aio import AsyncRetryingClient
from runql.transport.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.resources.artifacts.collections.collections import ArtifactCollection, AsyncArtifactCollection
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run


class ArtifactEntry(EntryRecord):
    """One entry of an artifact; `Artifact.get_entry` makes them."""

    def __init__(self, client: RetryingClient, artifact: str, entry: ManifestEntry, save: SaveEntry) -> None:
        super().__init__(artifact, entry, save)
        self._client = client

    def download(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | None = None
    ) -> Path:
        """Save the entry below ``root`` under its own path, and return where it is; as `Artifact.download`.

        Two requests: its address, and its bytes. One that is there with the right bytes costs none.
        """
        return self._client.run(self._download(root, progress))


class Artifact(ArtifactContents):
    """A version of a dataset, model or other bundle of files.

    `Api.artifact`, `Api.artifacts`, `Run.logged_artifacts` and `Run.used_artifacts` make them.
    """

    def __init__(self, client: RetryingClient, found: Found) -> None:
        super().__init__(found, client.settings.app_url)
        self._client = client

    @property
    def collection(self) -> ArtifactCollection:
        """The collection it was found in. Sends one request each time.

        Raises:
            ArtifactNotFoundError: it is gone.
        """
        from runql.resources.artifacts.collections.collections import (  # noqa: PLC0415 - as for runs
            ArtifactCollection,
        )

        return ArtifactCollection(self._client, *self._client.run(self._find_collection(self._found.place)))

    @property
    def source_collection(self) -> ArtifactCollection:
        """The collection it was made in; as `collection`."""
        from runql.resources.artifacts.collections.collections import (  # noqa: PLC0415 - as for runs
            ArtifactCollection,
        )

        return ArtifactCollection(self._client, *self._client.run(self._find_collection(self._source)))

    @property
    def source_artifact(self) -> Artifact:
        """The version where it was made: itself, or what it is a link to. Sends one request each time for a link, else none.

        Raises:
            ArtifactNotFoundError: it is gone, or your API key may not see it.
        """
        return Artifact(self._client, self._client.run(self._find_source())) if self.is_link else self

    @property
    def manifest(self) -> Manifest:
        """The list of its files. Sends two requests when it is first looked at.

        Raises:
            ArtifactPendingError: it is still being written.
            ManifestError: it has a form that this version of runql does not know.
        """
        return self._client.run(self._read_manifest())

    @property
    def entries(self) -> Mapping[str, ManifestEntry]:
        """Its files and references by path; as `manifest`."""
        return self._client.run(self._read_entries())

    def get_entry(self, name: str) -> ArtifactEntry:
        """Return one entry by its path; as `manifest`.

        Raises:
            EntryNotFoundError: it has no such entry.
        """
        entry = self._client.run(self._read_entry(name))
        return ArtifactEntry(self._client, self.qualified_name, entry, self._save_entry)

    def get(self, name: str) -> LoggedTable:
        """Return a `wandb.Table` that was added to the artifact, to be read as rows or as a frame.

        Sends two requests for the manifest when it was not looked at, and two for the table. Parts and arrays that
        the SDK stored beside it are fetched, too: one request for the addresses of each kind, and one a file.

        Args:
            name: that it was added under, with or without ``.table.json``.

        Raises:
            EntryNotFoundError: the artifact has no entry of that name.
            UnreadableTableError: the entry is no table, or not all of it is there. A joined table is refused: its
                JSON names the two tables, which can be read one by one.
            MissingExtraError: it has columns of arrays, and numpy is not installed.
        """
        return self._client.run(self._read_table(name))

    def get_path(self, name: str) -> ArtifactEntry:
        """Deprecated: `get_entry` under an older name."""
        warnings.warn(
            "Artifact.get_path is deprecated: use Artifact.get_entry", DeprecationWarning, stacklevel=2
        )
        return self.get_entry(name)

    def files(self, names: Sequence[str] | None = None, per_page: int = 50) -> ArtifactFiles:
        """Return its files as the server lists them, as a sequence that is read page by page as you look at it.

        Args:
            names: only these paths; all when empty.
            per_page: files a request asks for, at least 1.

        Raises:
            ValueError: ``per_page`` below 1.
            TypeError: ``names`` is a text.
        """
        return ArtifactFiles(self._client, self.id, self.qualified_name, names, per_page)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        path_prefix: str | None = None,
        *,
        skip_cache: bool | None = None,  # noqa: ARG002 - accepted for compatibility
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> Path:
        """Save the files below ``root``, and return it.

        Files that are there with the right bytes stay and cost no request; those that are there with others are
        replaced; those of other names stay. Equal files are fetched once. Each appears when it is whole and its digest
        is right. Sends one request for the addresses of 5,000 files, one a different file and one a reference, and two
        for the manifest when it was not looked at. Where a signed address is refused the API is asked instead, with
        the key: at most one request for what the server can do, and two a file.

        References are followed: over HTTP, to files of this machine, into other artifacts, and with fsspec installed
        wherever that goes.

        Args:
            root: the folder; by default ``artifacts/<collection>:<version>`` of the collection it was made in, or below
                the folder that `WANDB_ARTIFACT_DIR` names.
            allow_missing_references: warn of references that lead nowhere, instead of failing.
            path_prefix: only files whose path begins so.
            skip_cache: no effect, accepted for compatibility: there is no cache beside ``root``.
            max_concurrency: transfers under way at the same time, at least 1.
            progress: called with the bytes that are here, and those there are in all.
            on_unsafe: what to do, after the other files have arrived, about paths that lead out of ``root`` or that
                this system cannot store: ``raise`` an error, or ``skip`` them with a `RuntimeWarning`. Both list each
                path with the reason.

        Raises:
            ArtifactPendingError: it is still being written.
            UnsafeNameError: paths cannot be used; ``refused`` lists them, ``saved`` the files that have arrived.
            MissingExtraError: it refers to what only fsspec may fetch; raised before anything is fetched.
            ReferenceUnavailableError: a reference leads nowhere.
            DigestMismatchError: other bytes arrived than the manifest tells of.
            LocalFileError: the disk did not take them.
        """
        return self._client.run(
            self._save_below(
                root,
                path_prefix,
                max_concurrency=max_concurrency,
                progress=progress,
                allow_missing_references=allow_missing_references,
                on_unsafe=on_unsafe,
            )
        )

    def file(self, root: str | os.PathLike[str] | None = None, *, progress: Progress | None = None) -> Path:
        """Save the only file of the artifact, and return where it is; as `ArtifactEntry.download`.

        Two requests, and two for the manifest when it was not looked at.

        Raises:
            ValueError: it holds another number of files than one.
        """
        return self._client.run(self._save_only_file(root, progress))

    def verify(
        self, root: str | os.PathLike[str] | None = None, *, on_unsafe: OnUnsafe = "raise"
    ) -> list[str]:
        """Check that the files below ``root`` are those of the artifact; return the paths of references, which are not checked.

        Reads every file. Sends two requests when the manifest was not looked at, else none.

        Args:
            root: as for `download`.
            on_unsafe: ``skip`` warns of paths that no file here can have, instead of counting them as damage.

        Raises:
            ArtifactDamagedError: files are missing, hold something else, or are not the artifact's, or cannot be stored
                here; all are listed.
        """
        return self._client.run(self._verify(root, max_concurrency=DEFAULT_CONCURRENCY, on_unsafe=on_unsafe))

    def used_by(self) -> list[Run]:
        """Return the runs that read it, in the server's order, with all their fields; one request for 50 runs."""
        from runql.resources.runs.run import (  # noqa: PLC0415 - runs have artifacts, and artifacts have runs
            Run,
        )

        found = self._client.run(list_users(self.id))
        return [Run.listed(self._client, each.entity, each.project, each.fields, None) for each in found]

    def logged_by(self) -> Run | None:
        """Return the run that made it, with all its fields; one request. None when it was made by a person."""
        from runql.resources.runs.run import Run  # noqa: PLC0415 - as above

        found = self._client.run(read_creator(self.id))
        if found is None:
            return None
        return Run.listed(self._client, found.entity, found.project, found.fields, None)

    def save(self) -> None:
        """Write what was changed in memory: description, metadata, tags, ttl and aliases.

        Sends only what differs from what was read: nothing when nothing does, one request for all but the aliases,
        one for aliases that were added, one for aliases that were taken away.

        Raises:
            TypeError, ValueError: a value cannot be stored; raised before anything is sent.
            ArtifactNotFoundError: it was deleted meanwhile.
            IncompleteUpdateError: some of it was written.
            AnswerError, ChangeRefusedError: the server refuses.
        """
        self._client.run(self._save())

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version on the server, for good; of a link only the link. One request.

        Args:
            delete_aliases: delete it although it has aliases.

        Raises:
            ArtifactNotFoundError: there is no such version (any more).
            DeletionUnconfirmedError: the response was lost, and one request more did not find that the version is gone.
            AnswerError: the server refuses, as it does for a version that has aliases.
        """
        self._client.run(self._delete(with_aliases=delete_aliases))

    def unlink(self) -> None:
        """Take the version out of the collection that links to it; one request. Where it was made it stays.

        Raises:
            ValueError: it is no link; raised before anything is sent.
            ArtifactNotFoundError: there is no such version (any more).
            AnswerError, DeletionRefusedError: the server refuses.
        """
        self._client.run(self._unlink())


class AsyncArtifactEntry(EntryRecord):
    """As `ArtifactEntry`, awaited."""

    def __init__(
        self, client: AsyncRetryingClient, artifact: str, entry: ManifestEntry, save: SaveEntry
    ) -> None:
        super().__init__(artifact, entry, save)
        self._client = client

    async def download(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | None = None
    ) -> Path:
        """As `ArtifactEntry.download`."""
        return await self._client.run(self._download(root, progress))


class AsyncArtifact(ArtifactContents):
    """As `Artifact`, awaited."""

    def __init__(self, client: AsyncRetryingClient, found: Found) -> None:
        super().__init__(found, client.settings.app_url)
        self._client = client

    @property
    async def collection(self) -> AsyncArtifactCollection:
        """As `Artifact.collection`."""
        from runql.resources.artifacts.collections.collections import (  # noqa: PLC0415 - as above
            AsyncArtifactCollection,
        )

        found = await self._client.run(self._find_collection(self._found.place))
        return AsyncArtifactCollection(self._client, *found)

    @property
    async def source_collection(self) -> AsyncArtifactCollection:
        """As `Artifact.source_collection`."""
        from runql.resources.artifacts.collections.collections import (  # noqa: PLC0415 - as above
            AsyncArtifactCollection,
        )

        found = await self._client.run(self._find_collection(self._source))
        return AsyncArtifactCollection(self._client, *found)

    @property
    async def source_artifact(self) -> AsyncArtifact:
        """As `Artifact.source_artifact`."""
        if not self.is_link:
            return self
        return AsyncArtifact(self._client, await self._client.run(self._find_source()))

    @property
    async def manifest(self) -> Manifest:
        """As `Artifact.manifest`."""
        return await self._client.run(self._read_manifest())

    @property
    async def entries(self) -> Mapping[str, ManifestEntry]:
        """As `Artifact.entries`."""
        return await self._client.run(self._read_entries())

    async def get_entry(self, name: str) -> AsyncArtifactEntry:
        """As `Artifact.get_entry`."""
        entry = await self._client.run(self._read_entry(name))
        return AsyncArtifactEntry(self._client, self.qualified_name, entry, self._save_entry)

    async def get(self, name: str) -> LoggedTable:
        """As `Artifact.get`."""
        return await self._client.run(self._read_table(name))

    async def get_path(self, name: str) -> AsyncArtifactEntry:
        """As `Artifact.get_path`."""
        warnings.warn(
            "AsyncArtifact.get_path is deprecated: use AsyncArtifact.get_entry",
            DeprecationWarning,
            stacklevel=2,
        )
        return await self.get_entry(name)

    def files(self, names: Sequence[str] | None = None, per_page: int = 50) -> AsyncArtifactFiles:
        """As `Artifact.files`."""
        return AsyncArtifactFiles(self._client, self.id, self.qualified_name, names, per_page)

    async def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        path_prefix: str | None = None,
        *,
        skip_cache: bool | None = None,  # noqa: ARG002 - accepted for compatibility
        max_concurrency: int = DEFAULT_CONCURRENCY,
        progress: Progress | None = None,
        on_unsafe: OnUnsafe = "raise",
    ) -> Path:
        """As `Artifact.download`."""
        return await self._client.run(
            self._save_below(
                root,
                path_prefix,
                max_concurrency=max_concurrency,
                progress=progress,
                allow_missing_references=allow_missing_references,
                on_unsafe=on_unsafe,
            )
        )

    async def file(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | None = None
    ) -> Path:
        """As `Artifact.file`."""
        return await self._client.run(self._save_only_file(root, progress))

    async def verify(
        self, root: str | os.PathLike[str] | None = None, *, on_unsafe: OnUnsafe = "raise"
    ) -> list[str]:
        """As `Artifact.verify`."""
        return await self._client.run(
            self._verify(root, max_concurrency=DEFAULT_CONCURRENCY, on_unsafe=on_unsafe)
        )

    async def used_by(self) -> list[AsyncRun]:
        """As `Artifact.used_by`."""
        from runql.resources.runs.async_run import AsyncRun  # noqa: PLC0415 - as above

        found = await self._client.run(list_users(self.id))
        return [AsyncRun.listed(self._client, each.entity, each.project, each.fields, None) for each in found]

    async def logged_by(self) -> AsyncRun | None:
        """As `Artifact.logged_by`."""
        from runql.resources.runs.async_run import AsyncRun  # noqa: PLC0415 - as above

        found = await self._client.run(read_creator(self.id))
        if found is None:
            return None
        return AsyncRun.listed(self._client, found.entity, found.project, found.fields, None)

    async def save(self) -> None:
        """As `Artifact.save`."""
        await self._client.run(self._save())

    async def delete(self, delete_aliases: bool = False) -> None:
        """As `Artifact.delete`."""
        await self._client.run(self._delete(with_aliases=delete_aliases))

    async def unlink(self) -> None:
        """As `Artifact.unlink`."""
        await self._client.run(self._unlink())
