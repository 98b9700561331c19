"""One entry of an artifact: `ArtifactEntry` and its async twin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from runql.bars import reported
from runql.resources.artifacts.manifest import ManifestEntry
from runql.resources.files.record import format_size
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Contents, Shown, described
from runql.transport.aio import AsyncRetryingClient
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient
from runql.values import JSONValue

SaveEntry: TypeAlias = Callable[[ManifestEntry, str | os.PathLike[str] | None, Progress | None], Flow[Path]]


class EntryRecord(Shown, SnakeCaseAttributes):
    """What both clients share."""

    def __init__(self, artifact: str, entry: ManifestEntry, save: SaveEntry) -> None:
        self._artifact = artifact
        self._entry = entry
        self._save = save

    def __repr__(self) -> str:
        return described("ArtifactEntry", self._artifact, self.path)

    def _contents(self) -> Contents:
        return Contents(
            {
                "path": self.path,
                "size": None if self.size is None else format_size(self.size),
                "digest": self.digest,
                "ref": self.ref,
                "artifact": self._artifact,
            }
        )

    @property
    def path(self) -> str:
        """The path inside the artifact, with `/` between its parts."""
        return self._entry.path

    @property
    def digest(self) -> str:
        """The MD5 of the bytes in base64; for a reference another identifier of its content, such as an ETag."""
        return self._entry.digest

    @property
    def size(self) -> int | None:
        """The size in bytes; None where the manifest lists none."""
        return self._entry.size

    @property
    def ref(self) -> str | None:
        """The address that a reference points to; None for a file in the artifact."""
        return self._entry.ref

    @property
    def extra(self) -> Mapping[str, JSONValue]:
        """More fields of a reference, such as ``etag`` or ``versionID``."""
        return self._entry.extra

    @property
    def birth_artifact_id(self) -> str | None:
        """The id of the version that the bytes were first uploaded with."""
        return self._entry.birth_artifact_id

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference, not a file in the artifact."""
        return self._entry.is_reference

    def _download(self, root: str | os.PathLike[str] | None, progress: Progress | None) -> Flow[Path]:
        return self._save(self._entry, root, progress)


class ArtifactEntry(EntryRecord):
    """One entry of an artifact, as `Artifact.get_entry` returns it."""

    def __init__(self, client: RetryingClient, artifact: str, entry: ManifestEntry, save: SaveEntry) -> None:
        super().__init__(artifact, entry, save)
        self._client = client

    def download(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | bool | None = None
    ) -> Path:
        """Save the entry below ``root`` under its own path, and return the path of the file.

        Sends two requests, for the address and the bytes; none if the file is there with the right bytes. Arguments and
        errors are those of `Artifact.download`.
        """
        with reported(progress, self.path, "bytes") as report:
            return self._client.run(self._download(root, report))


class AsyncArtifactEntry(EntryRecord):
    """The async twin of `ArtifactEntry`."""

    def __init__(
        self, client: AsyncRetryingClient, artifact: str, entry: ManifestEntry, save: SaveEntry
    ) -> None:
        super().__init__(artifact, entry, save)
        self._client = client

    async def download(
        self, root: str | os.PathLike[str] | None = None, *, progress: Progress | bool | None = None
    ) -> Path:
        """Save the entry below ``root`` under its own path, and return the path of the file.

        See `ArtifactEntry.download` for its requests and errors.
        """
        with reported(progress, self.path, "bytes") as report:
            return await self._client.run(self._download(root, report))
