"""Recording which artifact versions a run reads and writes."""

from __future__ import annotations

from collections.abc import Collection

from runql.errors import ArtifactPendingError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.lookup import ResolvedArtifact, resolved_at, source_of, tags_of
from runql.resources.artifacts.mutations import log_version, use_version
from runql.resources.artifacts.record import COMMITTED, ArtifactRecord
from runql.resources.records.stored_changes import incomplete_update, missing_names
from runql.transport.flow import Flow


def record_use(run: RunAddress, artifact: ArtifactRecord, use_as: str | None) -> Flow[None]:
    """Record that the run reads a version; see `Run.use_artifact`."""
    _check(artifact)
    place = ArtifactAddress(artifact.entity, artifact.project, artifact.collection_name, artifact.version)
    yield from use_version(run, artifact.id, place, use_as)


def record_output(
    run: RunAddress,
    artifact: ArtifactRecord,
    aliases: Collection[str] | None,
    tags: Collection[str] | None,
) -> Flow[ResolvedArtifact]:
    """Record that the run writes a version, and return the version as the server has it now; see `Run.log_artifact`."""
    _check(artifact)
    collection = artifact.source_name.rpartition(":")[0]
    source = ArtifactAddress(
        artifact.source_entity, artifact.source_project, collection, artifact.source_version
    )
    fields = yield from log_version(run, source, artifact.type, artifact.digest, aliases, tags)
    found = resolved_at(fields, source_of(fields) or source)
    failed = missing_names("alias", aliases, found.aliases)
    if tags:
        failed += missing_names("tag", tags, tags_of(fields))
    if failed:
        raise incomplete_update(f"artifact {found.place.qualified_name}", ["output of the run"], failed)
    return found


def _check(artifact: ArtifactRecord) -> None:
    if not isinstance(artifact, ArtifactRecord):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"artifact must be one that Api.artifact() returns, not {type(artifact).__name__}")
    if artifact.state != COMMITTED.value:
        raise ArtifactPendingError(artifact.qualified_name, artifact.state)
