"""Manifests: the entries of an artifact, and the API's path to each."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, Literal, TypeAlias
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runql.errors import AnswerError, ManifestError
from runql.paths import ArtifactAddress
from runql.resources.files.record import format_size
from runql.resources.records.identity import require_id
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import described
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, download, fetch
from runql.values import JSONValue, as_json
from runql_graphql.operations import get_artifact_manifest

VERSION: Final = 1
DEFAULT_REGION: Final = "default"
URLS_WITH_COLLECTION: Final = "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER"
URLS_WITH_ARTIFACT_ID: Final = "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID"

Layout: TypeAlias = Literal["V1", "V2"]


@dataclass(frozen=True, slots=True)
class ManifestEntry(SnakeCaseAttributes):
    """One entry of an artifact: a file, or a reference.

    Attributes:
        path: inside the artifact, with `/` between its parts.
        digest: the MD5 of the bytes in base64; for a reference another identifier of its content, such as an ETag.
        size: in bytes; None where the manifest lists none.
        ref: the address that a reference points to; None for a file in the artifact.
        birth_artifact_id: the version that the bytes were first uploaded with.
        extra: more fields of a reference, such as ``etag`` or ``versionID``.
    """

    path: str
    digest: str
    size: int | None = None
    ref: str | None = None
    birth_artifact_id: str | None = None
    extra: Mapping[str, JSONValue] = field(default_factory=dict[str, JSONValue])

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference, not a file in the artifact."""
        return self.ref is not None

    @property
    def digest_algorithm(self) -> str:
        """The algorithm of ``digest``; MD5 unless the entry names another."""
        algorithm = self.extra.get("alg")
        return algorithm if isinstance(algorithm, str) else "MD5"


@dataclass(frozen=True, slots=True)
class Manifest(SnakeCaseAttributes):
    """The entries of an artifact version.

    Attributes:
        entries: by path, sorted.
        storage_layout: the server's layout of the storage.
        storage_region: where the server stores them, None for its default.
    """

    entries: Mapping[str, ManifestEntry]
    storage_layout: Layout = "V1"
    storage_region: str | None = None

    def __repr__(self) -> str:
        return described("Manifest", f"{len(self.entries)} entries, {format_size(self.size)}")

    @property
    def size(self) -> int:
        """The size of all entries in bytes, references included; entries without a size count as 0."""
        return sum(entry.size or 0 for entry in self.entries.values())


class _Model(BaseModel):
    # pydantic builds it when the first manifest is read: most programs read none.
    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)


class _Entry(_Model):
    digest: str
    ref: str | None = None
    birth_artifact_id: str | None = Field(default=None, alias="birthArtifactID")
    size: int | None = Field(default=None, ge=0)
    extra: dict[str, object] = Field(default_factory=dict[str, object])


class _Policy(_Model):
    layout: Layout = Field(default="V1", alias="storageLayout")
    region: str | None = Field(default=None, alias="storageRegion")


class _Manifest(_Model):
    policy: _Policy = Field(default_factory=_Policy, alias="storagePolicyConfig")
    contents: dict[str, _Entry]


class _Version(_Model):
    version: int


def read_manifest(artifact_id: str, name: str) -> Flow[Manifest]:
    """Read the manifest of a version; two requests, the second to a signed address without the key.

    An address that has expired is read again, once.

    Raises:
        ManifestError: the server returns no manifest, or one that cannot be read.
    """
    url = yield from _manifest_url(artifact_id, name)
    try:
        content = yield from download(url)
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        content = yield from download((yield from _manifest_url(artifact_id, name)))
    return parse_manifest(content, name)


def _manifest_url(artifact_id: str, name: str) -> Flow[str]:
    artifact = (yield from fetch(get_artifact_manifest(id=artifact_id))).artifact
    found = artifact.current_manifest if artifact else None
    if artifact is None or found is None:
        raise ManifestError(
            f"the server has no manifest of artifact {name}: the artifact was deleted, or is not written yet"
        )
    require_id("artifact", artifact_id, artifact.id)
    return found.file.direct_url


def parse_manifest(content: bytes, artifact: str) -> Manifest:
    """Parse the JSON of a manifest. A policy without a layout means V1.

    Raises:
        ManifestError: it has another version, or is not a manifest.
    """
    try:
        version = _Version.model_validate_json(content).version
        if version != VERSION:
            raise ManifestError(
                f"the manifest of artifact {artifact} has version {version}, runql reads version {VERSION}: upgrade runql"
            )
        read = _Manifest.model_validate_json(content)
        entries = {path: _entry(path, read.contents[path]) for path in sorted(read.contents)}
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ManifestError(f"the manifest of artifact {artifact} cannot be read: {places}") from error
    return Manifest(MappingProxyType(entries), read.policy.layout, read.policy.region)


def _entry(path: str, read: _Entry) -> ManifestEntry:
    extra = {key: as_json(value) for key, value in read.extra.items()}
    return ManifestEntry(path, read.digest, read.size, read.ref, read.birth_artifact_id, extra)


def api_path(
    manifest: Manifest,
    entry: ManifestEntry,
    place: ArtifactAddress,
    artifact_id: str,
    features: frozenset[str],
) -> str | None:
    """Return the path from which the API redirects to an entry's bytes, relative to the base URL.

    None if the digest is not an MD5. The form depends on the layout, and in V2 on the server's features.
    """
    digest = hex_digest(entry.digest)
    if digest is None:
        return None
    if manifest.storage_layout == "V1":
        return f"artifacts/{quote(place.entity)}/{digest}"
    region = manifest.storage_region or DEFAULT_REGION
    parts = [place.entity]
    if features & {URLS_WITH_COLLECTION, URLS_WITH_ARTIFACT_ID}:
        parts += [place.project, place.collection]
    if URLS_WITH_ARTIFACT_ID in features:
        parts.append(artifact_id)
    parts.append(entry.birth_artifact_id or "")
    address = "/".join([f"artifactsV2/{region}", *(quote(part) for part in parts), digest])
    return f"{address}/{quote(posixpath.basename(entry.path))}" if len(parts) > 2 else address


def hex_digest(digest: str) -> str | None:
    """Convert a base64 digest to hex; None if it is not base64."""
    try:
        return base64.b64decode(digest, validate=True).hex()
    except (binascii.Error, ValueError):
        return None
