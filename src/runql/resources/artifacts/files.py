"""Files of an artifact as the server lists them: one, and a lazy sequence of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from runql.arguments import checked_path, positive
from runql.bars import reported
from runql.errors import AccessDeniedError, EntryNotFoundError
from runql.quick_dataclasses import dataclass
from runql.resources.artifacts.lookup import require_artifact
from runql.resources.files.names import target_path
from runql.resources.files.record import format_size, should_fetch
from runql.resources.pages.listing import (
    AsyncLazySequence,
    LazySequence,
    Page,
    UncountedListing,
    read_edges,
    require_connection,
)
from runql.resources.records.identity import require_name
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Contents, Shown, described
from runql.times import as_time
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Progress, Sink
from runql.transport.flow import Flow, fetch, save
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import ArtifactFileFields
from runql_graphql.operations import list_artifact_files


@dataclass(frozen=True, slots=True)
class ArtifactFileQuery:
    """Checked options for listing files of an artifact."""

    artifact_id: str
    artifact: str
    names: tuple[str, ...]
    per_page: int

    @classmethod
    def checked(
        cls, artifact_id: str, artifact: str, names: Sequence[str] | None, per_page: int
    ) -> ArtifactFileQuery:
        """Check the caller's arguments.

        Raises:
            ValueError: ``per_page`` is below 1.
            TypeError: ``names`` is a str.
        """
        if isinstance(names, str):
            raise TypeError(f"names must be a list of str, not a str: use names=[{names!r}]")
        return cls(artifact_id, artifact, tuple(names or ()), positive("per_page", per_page))


class ArtifactFileRecord(Shown, SnakeCaseAttributes):
    """What both clients share."""

    def __init__(self, query: ArtifactFileQuery, fields: ArtifactFileFields) -> None:
        self._query = query
        self._fields = fields

    def __repr__(self) -> str:
        return described("ArtifactFile", f"{self.name} ({self.mimetype}) {format_size(self.size)}")

    def _contents(self) -> Contents:
        return Contents(
            {
                "name": self.name,
                "size": format_size(self.size),
                "mimetype": self.mimetype,
                "updated_at": self.updated_at,
                "md5": self.md5,
                "artifact": self._query.artifact,
            }
        )

    @property
    def id(self) -> str:
        """The server's id."""
        return self._fields.id

    @property
    def name(self) -> str:
        """The path inside the artifact, with `/` between its parts."""
        return self._fields.name

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._fields.size_bytes

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes in base64."""
        return self._fields.md5

    @property
    def mimetype(self) -> str | None:
        """The media type, as the server guesses it."""
        return self._fields.mimetype

    @property
    def updated_at(self) -> str | None:
        """When it was uploaded, ISO 8601, in UTC where no zone is given."""
        return self._fields.updated_at

    @property
    def updated_time(self) -> datetime | None:
        """`updated_at` as an aware datetime in UTC.

        None where `updated_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.updated_at, f"updated_at of file {self.name} of artifact {self._query.artifact}")

    @property
    def url(self) -> str | None:
        """The URL; below the base URL it needs the API key."""
        return self._fields.url

    @property
    def direct_url(self) -> str:
        """The signed URL, which needs no key and expires."""
        return self._fields.direct_url

    def _save(
        self, root: str | os.PathLike[str], progress: Progress | None, *, replace: bool, exist_ok: bool
    ) -> Flow[Path]:
        target = target_path(checked_path("root", root), self.name)
        if not should_fetch(target, replace=replace, exist_ok=exist_ok):
            return target
        fields = self._fields
        try:
            yield from save(fields.direct_url, _sink(fields, target, progress))
        except AccessDeniedError:
            # Addresses expire: try once more with a new one.
            fields = yield from _find(self._query, self.name)
            yield from save(fields.direct_url, _sink(fields, target, progress))
        return target


class ArtifactFile(ArtifactFileRecord):
    """A file of an artifact, as `Artifact.files` lists it."""

    def __init__(self, client: RetryingClient, query: ArtifactFileQuery, fields: ArtifactFileFields) -> None:
        super().__init__(query, fields)
        self._client = client

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | bool | None = None,
    ) -> Path:
        """Save the file below ``root`` under its own name, and return its path.

        Sends one request, or three if the address has expired. The file appears when it is complete and its MD5 is
        right.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite an existing file.
            exist_ok: keep an existing file, whatever its bytes, and send nothing.
            progress: called with the bytes that have arrived and the bytes in all.
                True draws a bar, False none; by default one comes by itself, see `runql.progress_bar`.

        Raises:
            ValueError: the file exists, and neither ``replace`` nor ``exist_ok`` is set.
            UnsafeNameError: the name leads out of ``root``, or this system cannot store it.
            DigestMismatchError: the bytes that arrived are not those that the server listed.
            LocalFileError: the disk cannot store the file.
        """
        with reported(progress, self.name, "bytes") as report:
            return self._client.run(self._save(root, report, replace=replace, exist_ok=exist_ok))


class AsyncArtifactFile(ArtifactFileRecord):
    """The async twin of `ArtifactFile`."""

    def __init__(
        self, client: AsyncRetryingClient, query: ArtifactFileQuery, fields: ArtifactFileFields
    ) -> None:
        super().__init__(query, fields)
        self._client = client

    async def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | bool | None = None,
    ) -> Path:
        """Save the file below ``root`` under its own name, and return its path.

        See `ArtifactFile.download` for its requests and errors.
        """
        with reported(progress, self.name, "bytes") as report:
            return await self._client.run(self._save(root, report, replace=replace, exist_ok=exist_ok))


class ArtifactFiles(LazySequence[ArtifactFileFields, ArtifactFile]):
    """The files of an artifact, a lazy sequence that sends one request a page; `len` reads all pages."""

    def __init__(
        self,
        client: RetryingClient,
        artifact_id: str,
        artifact: str,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> None:
        query = ArtifactFileQuery.checked(artifact_id, artifact, names, per_page)
        super().__init__(
            client,
            UncountedListing(
                lambda size, after: list_file_page(replace(query, per_page=size), after),
                lambda page: [ArtifactFile(client, query, fields) for fields in page.nodes],
                lambda file: file.name,
                per_page=query.per_page,
                limit=limit,
            ),
        )
        self._query = query

    def __repr__(self) -> str:
        return described("ArtifactFiles", self._query.artifact)


class AsyncArtifactFiles(AsyncLazySequence[ArtifactFileFields, AsyncArtifactFile]):
    """The async twin of `ArtifactFiles`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        artifact_id: str,
        artifact: str,
        names: Sequence[str] | None = None,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> None:
        query = ArtifactFileQuery.checked(artifact_id, artifact, names, per_page)
        super().__init__(
            client,
            UncountedListing(
                lambda size, after: list_file_page(replace(query, per_page=size), after),
                lambda page: [AsyncArtifactFile(client, query, fields) for fields in page.nodes],
                lambda file: file.name,
                per_page=query.per_page,
                limit=limit,
            ),
        )
        self._query = query

    def __repr__(self) -> str:
        return described("ArtifactFiles", self._query.artifact)


def list_file_page(query: ArtifactFileQuery, after: str | None) -> Flow[Page[ArtifactFileFields]]:
    """Read a page of files; one request.

    Raises:
        ArtifactNotFoundError: the artifact does not exist any more.
    """
    if query.names:
        operation = list_artifact_files(
            id=query.artifact_id, names=list(query.names), first=query.per_page, after=after
        )
    else:
        operation = list_artifact_files(id=query.artifact_id, first=query.per_page, after=after)
    response = yield from fetch(operation)
    found = require_artifact(response.artifact, query.artifact_id, query.artifact)
    files = require_connection(found.files, f"the files of artifact {query.artifact}")
    return read_edges(files.page_info, files.edges, after)


def _find(query: ArtifactFileQuery, name: str) -> Flow[ArtifactFileFields]:
    page = yield from list_file_page(ArtifactFileQuery(query.artifact_id, query.artifact, (name,), 1), None)
    if not page.nodes:
        raise EntryNotFoundError(query.artifact, name)
    require_name(f"a file of artifact {query.artifact}, ", name, page.nodes[0].name)
    return page.nodes[0]


def _sink(fields: ArtifactFileFields, target: Path, progress: Progress | None) -> Sink:
    return Sink(target, digest=fields.md5, size=None if fields.md5 else fields.size_bytes, progress=progress)
