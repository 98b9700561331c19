"""What is known of an artifact version, read where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from runql.arguments import checked_str
from runql.errors import ArtifactPendingError, EntryNotFoundError, ManifestError
from runql.paths import ArtifactAddress, artifact_url
from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection
from runql.resources.artifacts.lookup import Found, find_artifact, source_of
from runql.resources.artifacts.manifest import Manifest, ManifestEntry, parse_manifest
from runql.resources.records.absent_fields import present
from runql.resources.records.identity import require_id
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.flow import Flow, ReadOnce, download, fetch
from runql_graphql.enums import ArtifactState
from runql_graphql.fragments import ArtifactCollectionFields
from runql_graphql.operations import get_artifact_manifest

COMMITTED: Final = ArtifactState.COMMITTED


class ArtifactRecord(SnakeCaseAttributes):
    """The part of `Artifact` and `AsyncArtifact` that needs no request.

    An artifact is found in one collection, as a link or where it was made; name, version and aliases are those of that
    collection, the ``source_…`` ones those of the place where it was made.
    """

    def __init__(self, found: Found, app_url: str) -> None:
        self._found = found
        self._app_url = app_url
        self._manifest = ReadOnce(self._ask_for_manifest)

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name} ({self.type})>"

    # -- who and where ------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The server's own id."""
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
        """Its number in the collection it was found in, such as ``v3``."""
        return self._found.place.version

    @property
    def type(self) -> str:
        """What kind of artifact it is, such as ``dataset`` or ``model``."""
        return self._found.fields.artifact_type.name

    @property
    def url(self) -> str:
        """Its page in the web app; made from the settings, without a request."""
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
        """Its number in the collection it was made in."""
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
        # A project that the server hides leaves the place where it was found as the only one there is.
        return source_of(self._found.fields) or self._found.place

    # -- what is stored -----------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """PENDING while it is written, then COMMITTED, at the end DELETED; when it was read."""
        return self._found.fields.state.value

    def is_draft(self) -> bool:
        """Whether it is still being written."""
        return self._found.fields.state is ArtifactState.PENDING

    @property
    def digest(self) -> str:
        """The digest of its manifest in hex: two versions with the same one hold the same."""
        return self._found.fields.digest

    @property
    def size(self) -> int:
        """Bytes of all entries, references included."""
        return self._found.fields.size

    @property
    def file_count(self) -> int:
        """How many entries it has, references included."""
        return self._found.fields.file_count

    @property
    def ttl_is_inherited(self) -> bool:
        """Whether its time to live comes from the collection or the team.

        Raises:
            OutdatedServerError: the server does not know it.
        """
        return present(self._found.fields.ttl_is_inherited, "Artifact.ttlIsInherited")

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601; without a zone it is UTC."""
        return self._found.fields.created_at

    @property
    def updated_at(self) -> str:
        """When it was last changed, ISO 8601; `created_at` when it never was."""
        return self._found.fields.updated_at or self.created_at

    @property
    def commit_hash(self) -> str | None:
        """What the server calls it in the collection it was made in."""
        return self._found.fields.commit_hash

    @property
    def history_step(self) -> int | None:
        """The last step that the run had logged when it logged this; None when the server does not say."""
        step = self._found.fields.history_step
        return None if step is None else max(0, step - 1)

    @property
    def _stored_ttl(self) -> timedelta | None:
        seconds = present(self._found.fields.ttl_duration_seconds, "Artifact.ttlDurationSeconds")
        return timedelta(seconds=seconds) if seconds > 0 else None

    # -- its files ----------------------------------------------------------------------------------------------

    def _find_collection(self, place: ArtifactAddress) -> Flow[tuple[TypeAddress, ArtifactCollectionFields]]:
        home = TypeAddress(place.entity, place.project, self.type)
        return home, (yield from find_collection(home, place.collection))

    def _find_source(self) -> Flow[Found]:
        return (yield from find_artifact(self._source))

    def _read_manifest(self) -> Flow[Manifest]:
        return (yield from self._manifest.get())

    def _ask_for_manifest(self) -> Flow[Manifest]:
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


def read_manifest(artifact_id: str, name: str) -> Flow[Manifest]:
    """The manifest of a version; two requests, the second without our key as the address is signed.

    Raises:
        ManifestError: the server names none, or what it names cannot be read.
    """
    artifact = (yield from fetch(get_artifact_manifest(id=artifact_id))).artifact
    found = artifact.current_manifest if artifact else None
    if artifact is None or found is None:
        raise ManifestError(
            f"the server names no manifest of artifact {name}: it was deleted, or is not written yet"
        )
    require_id("artifact", artifact_id, artifact.id)
    return parse_manifest((yield from download(found.file.direct_url)), name)
