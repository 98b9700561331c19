"""Files of an artifact as the server lists them: one, and a lazy list of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runql.arguments import checked_path, positive
from runql.errors import AccessDeniedError, ArtifactNotFoundError, EntryNotFoundError
from runql.resources.files.names import target_path
from runql.resources.files.record import format_size, is_wanted
from runql.resources.pages.listing import (
    AsyncLazySequence,
    LazySequence,
    Page,
    UncountedListing,
    read_sparse_page,
)
from runql.resources.records.identity import require_id, require_name
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.aio import AsyncRetryingClient
from runql.transport.bodies import Progress, Sink
from runql.transport.flow import Flow, fetch, save
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import ArtifactFileFields
from runql_graphql.operations import list_artifact_files


@dataclass(frozen=True, slots=True)
class ArtifactFileQuery:
    """A checked question for files of an artifact."""

    artifact_id: str
    artifact: str
    names: tuple[str, ...]
    per_page: int

    @classmethod
    def checked(
        cls, artifact_id: str, artifact: str, names: Sequence[str] | None, per_page: int
    ) -> ArtifactFileQuery:
        """Check what a caller gave.

        Raises:
            ValueError: ``per_page`` below 1.
            TypeError: ``names`` is one text, not a list of them.
        """
        if isinstance(names, str):
            raise TypeError(f"names must be a list of texts, not a text: names=[{names!r}]")
        return cls(artifact_id, artifact, tuple(names or ()), positive("per_page", per_page))


class ArtifactFileRecord(SnakeCaseAttributes):
    """The part of `ArtifactFile` and `AsyncArtifactFile` that needs no request."""

    def __init__(self, query: ArtifactFileQuery, fields: ArtifactFileFields) -> None:
        self._query = query
        self._fields = fields

    def __repr__(self) -> str:
        return f"<ArtifactFile {self.name} ({self.mimetype}) {format_size(self.size)}>"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self._fields.id

    @property
    def name(self) -> str:
        """The path inside the artifact, with `/` between its parts."""
        return self._fields.name

    @property
    def size(self) -> int:
        """Bytes."""
        return self._fields.size_bytes

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes in base64."""
        return self._fields.md5

    @property
    def mimetype(self) -> str | None:
        """The media type that the server guesses."""
        return self._fields.mimetype

    @property
    def updated_at(self) -> str | None:
        """When the bytes arrived, ISO 8601; without a zone it is UTC."""
        return self._fields.updated_at

    @property
    def url(self) -> str | None:
        """Where to get it, with the API key when it lies below the base URL."""
        return self._fields.url

    @property
    def direct_url(self) -> str:
        """Where to get it without a key; expires."""
        return self._fields.direct_url

    def _save(
        self, root: str | os.PathLike[str], progress: Progress | None, *, replace: bool, exist_ok: bool
    ) -> Flow[Path]:
        target = target_path(checked_path("root", root), self.name)
        if not is_wanted(target, replace=replace, exist_ok=exist_ok):
            return target
        fields = self._fields
        try:
            yield from save(fields.direct_url, _sink(fields, target, progress))
        except AccessDeniedError:
            # Addresses expire: once more with a new one.
            fields = yield from _find(self._query, self.name)
            yield from save(fields.direct_url, _sink(fields, target, progress))
        return target


class ArtifactFile(ArtifactFileRecord):
    """A file of an artifact; `Artifact.files` makes them."""

    def __init__(self, client: RetryingClient, query: ArtifactFileQuery, fields: ArtifactFileFields) -> None:
        super().__init__(query, fields)
        self._client = client

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        *,
        progress: Progress | None = None,
    ) -> Path:
        """Save the file below ``root`` under its own name, and return where it is; one request, three when its address expired.

        It appears when it is whole and its MD5 is right.

        Args:
            root: the folder; missing folders are made.
            replace: overwrite a file that is there.
            exist_ok: keep a file that is there, whatever it holds, without a request.
            progress: called with the bytes that are here, and those there are in all.

        Raises:
            ValueError: there is a file already, and neither flag was given.
            UnsafeNameError: the name leads out of ``root``, or this system cannot store it.
            DigestMismatchError: other bytes arrived than the server listed.
            LocalFileError: the disk did not take them.
        """
        return self._client.run(self._save(root, progress, replace=replace, exist_ok=exist_ok))


class AsyncArtifactFile(ArtifactFileRecord):
    """As `ArtifactFile`, awaited."""

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
        progress: Progress | None = None,
    ) -> Path:
        """As `ArtifactFile.download`."""
        return await self._client.run(self._save(root, progress, replace=replace, exist_ok=exist_ok))


class ArtifactFiles(LazySequence[ArtifactFileFields, ArtifactFile]):
    """The files of an artifact, read page by page; `len` reads to the end."""

    def __init__(
        self,
        client: RetryingClient,
        artifact_id: str,
        artifact: str,
        names: Sequence[str] | None = None,
        per_page: int = 50,
    ) -> None:
        query = ArtifactFileQuery.checked(artifact_id, artifact, names, per_page)
        super().__init__(
            client,
            UncountedListing(
                partial(list_file_page, query),
                lambda page: [ArtifactFile(client, query, fields) for fields in page.nodes],
                lambda file: file.name,
            ),
        )
        self._query = query

    def __repr__(self) -> str:
        return f"<ArtifactFiles {self._query.artifact}>"


class AsyncArtifactFiles(AsyncLazySequence[ArtifactFileFields, AsyncArtifactFile]):
    """As `ArtifactFiles`, awaited."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        artifact_id: str,
        artifact: str,
        names: Sequence[str] | None = None,
        per_page: int = 50,
    ) -> None:
        query = ArtifactFileQuery.checked(artifact_id, artifact, names, per_page)
        super().__init__(
            client,
            UncountedListing(
                partial(list_file_page, query),
                lambda page: [AsyncArtifactFile(client, query, fields) for fields in page.nodes],
                lambda file: file.name,
            ),
        )
        self._query = query

    def __repr__(self) -> str:
        return f"<ArtifactFiles {self._query.artifact}>"


def list_file_page(query: ArtifactFileQuery, after: str | None) -> Flow[Page[ArtifactFileFields]]:
    """A page of files; one request.

    Raises:
        ArtifactNotFoundError: the artifact is not there any more.
    """
    if query.names:
        operation = list_artifact_files(
            id=query.artifact_id, names=list(query.names), first=query.per_page, after=after
        )
    else:
        operation = list_artifact_files(id=query.artifact_id, first=query.per_page, after=after)
    answer = yield from fetch(operation)
    if answer.artifact is None:
        raise ArtifactNotFoundError(f"artifact {query.artifact} does not exist any more")
    require_id("artifact", query.artifact_id, answer.artifact.id)
    files = answer.artifact.files
    if files is None:
        return Page[ArtifactFileFields].empty(after)
    return read_sparse_page(files.page_info, files.edges, after)


def _find(query: ArtifactFileQuery, name: str) -> Flow[ArtifactFileFields]:
    page = yield from list_file_page(ArtifactFileQuery(query.artifact_id, query.artifact, (name,), 1), None)
    if not page.nodes:
        raise EntryNotFoundError(query.artifact, name)
    require_name(f"a file of artifact {query.artifact}, ", name, page.nodes[0].name)
    return page.nodes[0]


def _sink(fields: ArtifactFileFields, target: Path, progress: Progress | None) -> Sink:
    return Sink(target, digest=fields.md5, size=None if fields.md5 else fields.size_bytes, progress=progress)
