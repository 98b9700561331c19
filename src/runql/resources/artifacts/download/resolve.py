"""Which file stands behind each entry of a download: references into other artifacts are followed to it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from runql.errors import EntryNotFoundError, ManifestError, ReferenceUnavailableError
from runql.paths import ArtifactAddress
from runql.quick_dataclasses import dataclass
from runql.resources.artifacts.download.references import ARTIFACT, path_spellings, scheme_of
from runql.resources.artifacts.download.verify import hash_of
from runql.resources.artifacts.manifest import Manifest, ManifestEntry, read_manifest
from runql.transport.files.bodies import Progress, Sink
from runql.transport.flow import Flow, gather

MAX_DEPTH: Final = 5
"""References from one artifact into the next that are followed for one entry."""


@dataclass(frozen=True, slots=True)
class ArtifactSource:
    """A version with files to download.

    Attributes:
        artifact_id: the server's id.
        name: as errors name it.
        manifest: its entries.
        place: its collection and version, None where only the id is known.
    """

    artifact_id: str
    name: str
    manifest: Manifest
    place: ArtifactAddress | None = None


@dataclass(frozen=True, slots=True)
class EntryDownload:
    """One entry to save.

    Attributes:
        source: the version that has the entry.
        entry: as that version's manifest lists it.
        target: the path to save it to.
        name: its path in the version that is downloaded, which differs from ``entry.path`` behind a reference.
    """

    source: ArtifactSource
    entry: ManifestEntry
    target: Path
    name: str

    @property
    def content(self) -> tuple[str, str]:
        """The algorithm and the digest of its bytes, equal for files that hold the same."""
        return self.entry.digest_algorithm, self.entry.digest

    def sink(self, progress: Progress | None) -> Sink:
        """Where its bytes go; checks their digest."""
        entry = self.entry
        return Sink(
            self.target,
            digest=entry.digest,
            size=entry.size,
            progress=progress,
            new_hash=hash_of(entry),
        )


def resolve(downloads: Sequence[EntryDownload], *, limit: int) -> Flow[list[EntryDownload]]:
    """Replace each reference into another artifact by the entry that it names; two requests an artifact.

    Raises:
        ReferenceUnavailableError: more than `MAX_DEPTH` artifacts refer to one another.
        EntryNotFoundError: an artifact has no such entry.
        ManifestError: an address names no artifact, or a manifest cannot be read.
    """
    sources: dict[str, ArtifactSource] = {}
    resolved = list(downloads)
    for _ in range(MAX_DEPTH):
        pending = [each for each in resolved if _is_elsewhere(each.entry)]
        if not pending:
            return resolved
        unread = sorted({_target_artifact(each.entry) for each in pending} - sources.keys())
        read = yield from gather([_read_source(artifact_id) for artifact_id in unread], limit=limit)
        sources.update(zip(unread, read, strict=True))
        resolved = [_step(each, sources) if _is_elsewhere(each.entry) else each for each in resolved]
    unresolved = {each.entry.path: each.entry.ref or "" for each in resolved if _is_elsewhere(each.entry)}
    if not unresolved:
        return resolved
    raise ReferenceUnavailableError(
        downloads[0].source.name, unresolved, f"more than {MAX_DEPTH} artifacts refer to one another"
    )


def _is_elsewhere(entry: ManifestEntry) -> bool:
    return entry.is_reference and scheme_of(entry) == ARTIFACT


def _target_artifact(entry: ManifestEntry) -> str:
    """The id of the artifact that a reference points into."""
    host = (entry.ref or "").partition("://")[2].partition("/")[0]
    try:
        return b64encode(bytes.fromhex(host)).decode("ascii")
    except ValueError as error:
        raise ManifestError(f"entry {entry.path!r} refers to {entry.ref}, which names no artifact") from error


def _read_source(artifact_id: str) -> Flow[ArtifactSource]:
    return ArtifactSource(artifact_id, artifact_id, (yield from read_manifest(artifact_id, artifact_id)))


def _step(download: EntryDownload, sources: Mapping[str, ArtifactSource]) -> EntryDownload:
    """Follow one reference."""
    source = sources[_target_artifact(download.entry)]
    entries = source.manifest.entries
    paths = [path.removeprefix("/") for path in path_spellings(download.entry.ref or "")]
    entry = next((entries[path] for path in paths if path in entries), None)
    if entry is None:
        raise EntryNotFoundError(source.name, paths[0])
    return replace(download, source=source, entry=entry)
