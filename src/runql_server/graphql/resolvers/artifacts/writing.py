"""Resolvers of the write protocol: open a version, announce its files and manifest, commit it; use it in a run."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

import sqlite3
from typing import Final, Required, TypedDict

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from runql_server.artifacts import committing, creation, lineage, naming, versions
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.contents import blobs, entries, manifests
from runql_server.artifacts.contents.manifests import ManifestType
from runql_server.artifacts.creation import NewArtifact
from runql_server.artifacts.naming import TagInput
from runql_server.artifacts.versions import Artifact
from runql_server.errors import NotSupportedError, RequestError
from runql_server.graphql import context
from runql_server.graphql.resolvers.artifacts.files import file_page
from runql_server.runs import runs
from runql_server.storage import projects

mutation: Final = MutationType()


class AliasInput(TypedDict):
    """ArtifactAliasInput; names as the schema conversion writes them."""

    artifact_collection_name: str
    alias: str


class CreateArtifactInput(TypedDict, total=False):
    """The used part of CreateArtifactInput; the server ignores storage regions."""

    entity_name: Required[str]
    project_name: Required[str]
    run_name: str | None
    artifact_type_name: Required[str]
    artifact_collection_name: str | None
    artifact_collection_names: list[str] | None
    digest: Required[str]
    digest_algorithm: Required[str]
    aliases: list[AliasInput] | None
    tags: list[TagInput] | None
    description: str | None
    labels: str | None
    metadata: str | None
    client_id: str | None
    sequence_client_id: str | None
    distributed_id: str | None
    enable_digest_deduplication: bool | None
    history_step: int | None
    ttl_duration_seconds: int | None


class CreateManifestInput(TypedDict, total=False):
    """CreateArtifactManifestInput."""

    artifact_id: Required[str]
    base_artifact_id: str | None
    digest: Required[str]
    type: Required[ManifestType]


class FileSpecInput(TypedDict):
    """CreateArtifactFileSpecInput."""

    artifact_id: str
    name: str
    md5: str


class UseArtifactInput(TypedDict, total=False):
    """UseArtifactInput."""

    entity_name: Required[str]
    project_name: Required[str]
    run_name: Required[str]
    artifact_id: Required[str]
    used_as: str | None
    artifact_entity_name: str | None
    artifact_project_name: str | None


@mutation.field("createArtifactType")
def create_artifact_type(
    _root: object, info: GraphQLResolveInfo, input: dict[str, str | None]
) -> dict[str, object]:
    """Create an artifact type, or return the existing one of that name."""
    request = context.of(info)
    with request.writing() as connection:
        entity, project, name = (input[key] or "" for key in ("entity_name", "project_name", "name"))
        home = projects.ensure(connection, entity, project, user=request.user_number)
        made = artifact_types.ensure(connection, home.number, name, input.get("description"))
    return {"artifact_type": made}


@mutation.field("createArtifact")
def create_artifact(_root: object, info: GraphQLResolveInfo, input: CreateArtifactInput) -> dict[str, object]:
    """Open a version; with ``enableDigestDeduplication`` return the committed one with the same digest."""
    request = context.of(info)
    if input["digest_algorithm"] != "MANIFEST_MD5":
        raise NotSupportedError("createArtifact(digestAlgorithm: MANIFEST_XXH128)")
    if input.get("distributed_id"):
        raise NotSupportedError("createArtifact(distributedID:)")
    collection = _collection_name(input)
    aliases = input.get("aliases") or []
    elsewhere = {each["artifact_collection_name"] for each in aliases} - {collection}
    if elsewhere:
        raise RequestError(
            f"aliases: of another collection than {collection!r}: {', '.join(sorted(elsewhere))}"
        )
    with request.writing() as connection:
        # `wandb sync` of a run that names no entity sends an empty one.
        owner = input["entity_name"] or request.user.entity
        home = projects.ensure(connection, owner, input["project_name"], user=request.user_number)
        run_name = input.get("run_name")
        wanted = NewArtifact(
            type_name=input["artifact_type_name"],
            collection=collection,
            digest=input["digest"],
            run=None if not run_name else runs.number_of(connection, home.entity_name, home.name, run_name),
            aliases=[each["alias"] for each in aliases],
            tags=naming.check_tags(input.get("tags")),
            description=input.get("description"),
            labels=input.get("labels"),
            metadata=input.get("metadata"),
            client_id=input.get("client_id"),
            sequence_client_id=input.get("sequence_client_id"),
            history_step=input.get("history_step"),
            ttl=input.get("ttl_duration_seconds"),
            by_digest=bool(input.get("enable_digest_deduplication")),
        )
        made = creation.create(connection, home, wanted, user=request.user_number)
    return {"artifact": made}


@mutation.field("createArtifactManifest")
def create_artifact_manifest(
    _root: object, info: GraphQLResolveInfo, input: CreateManifestInput
) -> dict[str, object]:
    """Announce a manifest; the client uploads its document to the URL of its file."""
    if input["type"] == "PATCH":
        raise NotSupportedError("createArtifactManifest(type: PATCH)")
    with context.of(info).writing() as connection:
        artifact = _pending(connection, input["artifact_id"])
        made = manifests.create(
            connection,
            artifact.number,
            input["type"],
            base=_number(connection, input.get("base_artifact_id")),
            digest=_checked(input["digest"]),
        )
    return {"artifact_manifest": made}


@mutation.field("updateArtifactManifest")
def update_artifact_manifest(
    _root: object, info: GraphQLResolveInfo, input: dict[str, str | None]
) -> dict[str, object]:
    """Announce the digest of the document before its upload."""
    with context.of(info).writing() as connection:
        found = manifests.by_id(connection, input["artifact_manifest_id"] or "")
        _refuse_committed(versions.by_number(connection, found.artifact_number))
        digest = input.get("digest")
        changed = manifests.change(
            connection,
            found.number,
            digest=None if digest is None else _checked(digest),
            base=_number(connection, input.get("base_artifact_id")),
        )
    return {"artifact_manifest": changed}


@mutation.field("createArtifactFiles")
def create_artifact_files(
    _root: object, info: GraphQLResolveInfo, input: dict[str, list[FileSpecInput]]
) -> dict[str, object]:
    """Announce files; the result has their order, and upload URLs for those without stored bytes."""
    with context.of(info).writing() as connection:
        specs = input["artifact_files"]
        artifacts = {
            opaque: _pending(connection, opaque) for opaque in {spec["artifact_id"] for spec in specs}
        }
        found = [
            entries.announce(
                connection,
                artifacts[spec["artifact_id"]],
                naming.check_path(spec["name"]),
                blobs.check_digest(spec["md5"]),
            )
            for spec in specs
        ]
    return {"files": file_page(found, len(found), after=None, total=len(found))}


@mutation.field("completeMultipartUploadArtifact")
def complete_multipart_upload(
    _root: object, _info: GraphQLResolveInfo, input: dict[str, object]
) -> dict[str, object]:
    """Refuse: this server never offers uploads in parts."""
    raise RequestError(f"no multipart upload {str(input['upload_id'])[:80]!r}: files go up in one piece here")


@mutation.field("commitArtifact")
def commit_artifact(_root: object, info: GraphQLResolveInfo, input: dict[str, str]) -> dict[str, object]:
    """Commit the version: store its number, aliases and files, if no bytes are missing."""
    request = context.of(info)
    with request.writing() as connection:
        artifact = versions.by_id(connection, input["artifact_id"])
        committed = committing.commit(request.store, connection, artifact)
    return {"artifact": committed}


@mutation.field("useArtifact")
def use_artifact(_root: object, info: GraphQLResolveInfo, input: UseArtifactInput) -> dict[str, object]:
    """Record that a run reads a version, also one of another project."""
    with context.of(info).writing() as connection:
        run = runs.number_of(connection, input["entity_name"], input["project_name"], input["run_name"])
        artifact = versions.by_id(connection, input["artifact_id"])
        if artifact.state != "COMMITTED":
            raise RequestError("the artifact is not committed yet: a run cannot use it")
        lineage.record_input(connection, run, artifact.number, input.get("used_as") or "")
    return {"artifact": artifact}


def _collection_name(wanted: CreateArtifactInput) -> str:
    names = wanted.get("artifact_collection_names") or [wanted.get("artifact_collection_name") or ""]
    if len(names) != 1 or not names[0]:
        raise RequestError("artifactCollectionNames: exactly one name is needed")
    return names[0]


def _pending(connection: sqlite3.Connection, opaque: str) -> Artifact:
    artifact = versions.by_id(connection, opaque)
    _refuse_committed(artifact)
    return artifact


def _refuse_committed(artifact: Artifact) -> None:
    if artifact.state != "PENDING":
        raise RequestError("the artifact is committed: its files cannot change any more")


def _number(connection: sqlite3.Connection, opaque: str | None) -> int | None:
    return None if not opaque else versions.by_id(connection, opaque).number


def _checked(digest: str) -> str:
    return blobs.check_digest(digest) if digest else ""


BINDABLES = [mutation]
