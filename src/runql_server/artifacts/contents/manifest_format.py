"""The JSON format of manifests: parsing, writing, and the digest over the entries."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from runql_server.artifacts import naming
from runql_server.errors import RequestError

_DIGEST_HEADER = b"wandb-artifact-manifest-v1\n"


def _wire_name(name: str) -> str:
    return to_camel(name).removesuffix("Id") + "ID" if name.endswith("_id") else to_camel(name)


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=_wire_name,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        ser_json_inf_nan="constants",
    )


class ManifestEntry(_Part):
    """One path: stored bytes, or a reference to external bytes."""

    digest: str
    birth_artifact_id: str | None = None
    ref: str | None = None
    size: int | None = Field(default=None, ge=0, lt=2**63)
    extra: dict[str, object] | None = None


class StoragePolicyConfig(_Part):
    """Layout of the bytes in storage; a manifest without one means V1."""

    storage_layout: Literal["V1", "V2"] = "V1"
    storage_region: str | None = None


class Manifest(_Part):
    """All entries of an artifact version."""

    version: Literal[1] = 1
    storage_policy: Literal["wandb-storage-policy-v1"] = "wandb-storage-policy-v1"
    storage_policy_config: StoragePolicyConfig = StoragePolicyConfig()
    contents: dict[str, ManifestEntry]

    def digest(self) -> str:
        """Return the hexadecimal MD5 over all paths and entry digests, as clients compute it."""
        digest = hashlib.md5(_DIGEST_HEADER, usedforsecurity=False)
        for path in sorted(self.contents):
            digest.update(f"{path}:{self.contents[path].digest}\n".encode())
        return digest.hexdigest()

    def to_json(self) -> bytes:
        """Return the JSON document that clients download."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    def merged_into(self, base: Manifest) -> Manifest:
        """Merge these entries into a base manifest; they replace entries of the same path."""
        return self.model_copy(update={"contents": {**base.contents, **self.contents}})


def parse(content: bytes) -> Manifest:
    """Parse a manifest; raises ``RequestError`` for another version or policy, and for a path outside the folder."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the text"
        raise RequestError(f"the manifest cannot be read: {place}: {first['msg']}") from error
    for path in manifest.contents:
        naming.check_path(path)
    return manifest
