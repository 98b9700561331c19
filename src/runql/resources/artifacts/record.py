"""What was read of an artifact version, and the flows that read its entries."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from runql.arguments import checked_path, checked_str, positive
from runql.errors import ArtifactPendingError, EntryNotFoundError
from runql.paths import ArtifactAddress, artifact_url
from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection
from runql.resources.artifacts.download.entries import DownloadOptions, default_root, download_entries
from runql.resources.artifacts.download.resolve import ArtifactSource
from runql.resources.artifacts.download.verify import check_folder
from runql.resources.artifacts.logged_table import LoggedTable, read_artifact_table
from runql.resources.artifacts.lookup import ResolvedArtifact, find_artifact, source_of
from runql.resources.artifacts.manifest import Manifest, ManifestEntry, read_manifest
from runql.resources.files.names import OnUnsafe, checked_on_unsafe
from runql.resources.records.absent_fields import require_field
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Shown, described
from runql.resources.records.travelling import Travelling
from runql.times import as_time
from runql.transport.files.bodies import Progress
from runql.transport.files.local_files import make_folder
from runql.transport.flow import MOST_TRANSFERS, Flow, ReadOnce, offload
from runql_graphql.enums import ArtifactState
from runql_graphql.fragments import ArtifactCollectionFields

COMMITTED: Final = ArtifactState.COMMITTED


class ArtifactRecord(Travelling, Shown, SnakeCaseAttributes):
    """What both clients share: the fields that were read, and the flows that read entries.

    An artifact is found in one collection, as a link or where it was made. ``name``, ``version`` and ``aliases`` belong
    to that collection; ``source_name`` and the like belong to the collection where it was made.
    """

    def __init__(self, found: ResolvedArtifact, app_url: str) -> None:
        self._found = found
        self._app_url = app_url
        self._manifest = ReadOnce(self._request_manifest)

    _STAYS = frozenset({"_manifest"})

    def _settle(self) -> None:
        self._manifest = ReadOnce(self._request_manifest)

    def _token(self) -> tuple[object, ...]:
        return self.qualified_name, self.id, self._found.fields.digest

    def __repr__(self) -> str:
        return described("Artifact", f"{self.qualified_name} ({self.type})")

    # -- who and where ------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The server's id."""
        return self._found.fields.id

    @property
    def entity(self) -> str:
        """The entity of the collection it was found in."""
        return self._found.place.entity

    @property
    def project(self) -> str:
        """The project of the collection it was found in."""
        return self._found.place.project

    @property
    def collection_name(self) -> str:
        """The collection it was found in."""
        return self._found.place.collection

    @property
    def name(self) -> str:
        """Collection and version, such as ``mnist:v3``."""
        return self._found.place.name

    @property
    def qualified_name(self) -> str:
        """Entity, project, collection and version, such as ``team/vision/mnist:v3``."""
        return self._found.place.qualified_name

    @property
    def version(self) -> str:
        """Its version in the collection it was found in, such as ``v3``."""
        return self._found.place.version

    @property
    def type(self) -> str:
        """Its type, such as ``dataset`` or ``model``."""
        return self._found.fields.artifact_type.name

    @property
    def url(self) -> str:
        """The URL of its page in the web app."""
        return artifact_url(self._app_url, self._found.place, self.type)

    @property
    def source_entity(self) -> str:
        """The entity of the collection it was made in."""
        return self._source.entity

    @property
    def source_project(self) -> str:
        """The project of the collection it was made in."""
        return self._source.project

    @property
    def source_name(self) -> str:
        """Collection and version where it was made."""
        return self._source.name

    @property
    def source_qualified_name(self) -> str:
        """Entity, project, collection and version where it was made."""
        return self._source.qualified_name

    @property
    def source_version(self) -> str:
        """Its version in the collection it was made in."""
        return self._source.version

    @property
    def is_link(self) -> bool:
        """Whether it was found in another collection than the one it was made in."""
        here, source = self._found.place, self._source
        return (here.entity, here.project, here.collection) != (
            source.entity,
            source.project,
            source.collection,
        )

    @property
    def _source(self) -> ArtifactAddress:
        # Where the server hides the project, the place where it was found is the only one known.
        return source_of(self._found.fields) or self._found.place

    # -- what is stored -----------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """PENDING while a client writes it, then COMMITTED, or DELETED; as of the last read."""
        return self._found.fields.state.value

    def is_draft(self) -> bool:
        """Whether a client is still writing it."""
        return self._found.fields.state is ArtifactState.PENDING

    @property
    def digest(self) -> str:
        """The digest of its manifest, in hex. Versions with equal digests have equal entries."""
        return self._found.fields.digest

    @property
    def size(self) -> int:
        """The size of all entries in bytes, references included."""
        return self._found.fields.size

    @property
    def file_count(self) -> int:
        """The number of entries, references included."""
        return self._found.fields.file_count

    @property
    def ttl_is_inherited(self) -> bool:
        """Whether its time to live comes from the collection or the team.

        Raises:
            OutdatedServerError: the server does not know the field.
        """
        return require_field(self._found.fields.ttl_is_inherited, "Artifact.ttlIsInherited")

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601, in UTC where no zone is given."""
        return self._found.fields.created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.created_at, f"created_at of artifact {self.qualified_name}")

    @property
    def updated_at(self) -> str:
        """When it was last changed, ISO 8601; equal to `created_at` if it never was."""
        return self._found.fields.updated_at or self.created_at

    @property
    def updated_time(self) -> datetime:
        """`updated_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.updated_at, f"updated_at of artifact {self.qualified_name}")

    @property
    def commit_hash(self) -> str | None:
        """The server's name for it in the collection it was made in."""
        return self._found.fields.commit_hash

    @property
    def history_step(self) -> int | None:
        """The last step that the run had logged before it logged the artifact; None if the server returns none."""
        step = self._found.fields.history_step
        return None if step is None else max(0, step - 1)

    @property
    def _stored_ttl(self) -> timedelta | None:
        seconds = require_field(self._found.fields.ttl_duration_seconds, "Artifact.ttlDurationSeconds")
        return timedelta(seconds=seconds) if seconds > 0 else None

    # -- its entries --------------------------------------------------------------------------------------------

    def _find_collection(self, place: ArtifactAddress) -> Flow[tuple[TypeAddress, ArtifactCollectionFields]]:
        home = TypeAddress(place.entity, place.project, self.type)
        return home, (yield from find_collection(home, place.collection))

    def _find_source(self) -> Flow[ResolvedArtifact]:
        return (yield from find_artifact(self._source))

    def _read_manifest(self) -> Flow[Manifest]:
        return (yield from self._manifest.get())

    def _request_manifest(self) -> Flow[Manifest]:
        if self._found.fields.state is not COMMITTED:
            raise ArtifactPendingError(self.qualified_name, self.state)
        return (yield from read_manifest(self.id, self.qualified_name))

    def _read_entries(self) -> Flow[Mapping[str, ManifestEntry]]:
        return (yield from self._read_manifest()).entries

    def _read_entry(self, name: str) -> Flow[ManifestEntry]:
        entry = (yield from self._read_entries()).get(checked_str("name", name))
        if entry is None:
            raise EntryNotFoundError(self.qualified_name, name)
        return entry

    def _download(
        self,
        root: str | os.PathLike[str] | None,
        path_prefix: str | None,
        *,
        max_concurrency: int,
        progress: Progress | None,
        allow_missing_references: bool,
        on_unsafe: OnUnsafe,
    ) -> Flow[Path]:
        options = DownloadOptions(max_concurrency, progress, allow_missing_references, on_unsafe)
        folder = self._folder(root)
        if path_prefix is not None:
            checked_str("path_prefix", path_prefix)
        manifest = yield from self._read_manifest()
        entries = [entry for path, entry in manifest.entries.items() if path.startswith(path_prefix or "")]
        yield from download_entries(self._source_of(manifest), entries, folder, options)
        make_folder(folder)
        return folder

    def _download_only_file(
        self, root: str | os.PathLike[str] | None, progress: Progress | None
    ) -> Flow[Path]:
        entries = [*(yield from self._read_entries()).values()]
        if len(entries) != 1:
            raise ValueError(
                f"{self.qualified_name} has {len(entries)} files: use download(), or get_entry(path).download()"
            )
        return (yield from self._download_entry(entries[0], root, progress))

    def _download_entry(
        self, entry: ManifestEntry, root: str | os.PathLike[str] | None, progress: Progress | None
    ) -> Flow[Path]:
        manifest = yield from self._read_manifest()
        saved = yield from download_entries(
            self._source_of(manifest), [entry], self._folder(root), DownloadOptions(1, progress)
        )
        return saved[entry.path]

    def _read_table(self, name: str) -> Flow[LoggedTable]:
        manifest = yield from self._read_manifest()
        return (yield from read_artifact_table(self.qualified_name, manifest, name, self._read_contents))

    def _read_contents(self, entries: Sequence[ManifestEntry]) -> Flow[list[bytes]]:
        with TemporaryDirectory(prefix="runql-") as folder:
            targets = yield from self._download_entries(entries, Path(folder))
            return (yield from offload(lambda: [target.read_bytes() for target in targets]))

    def _download_entries(self, entries: Sequence[ManifestEntry], folder: Path) -> Flow[list[Path]]:
        manifest = yield from self._read_manifest()
        saved = yield from download_entries(
            self._source_of(manifest), entries, folder, DownloadOptions(MOST_TRANSFERS)
        )
        return [saved[entry.path] for entry in entries]

    def _verify(
        self, root: str | os.PathLike[str] | None, *, max_concurrency: int, on_unsafe: OnUnsafe
    ) -> Flow[list[str]]:
        checked_on_unsafe(on_unsafe)
        folder, limit = self._folder(root), positive("max_concurrency", max_concurrency)
        manifest = yield from self._read_manifest()
        return (
            yield from check_folder(
                self.qualified_name, manifest, folder, max_concurrency=limit, on_unsafe=on_unsafe
            )
        )

    def _folder(self, root: str | os.PathLike[str] | None) -> Path:
        return default_root(self._source) if root is None else checked_path("root", root)

    def _source_of(self, manifest: Manifest) -> ArtifactSource:
        return ArtifactSource(self.id, self.qualified_name, manifest, self._found.place)
