"""Resolvers of a run's files, and of the URLs of all files, those of artifacts too."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from ariadne import ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.access.signing import Access
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import versions
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.contents import blobs
from runql_server.artifacts.contents.entries import ArtifactFile
from runql_server.artifacts.contents.manifests import ManifestFile
from runql_server.artifacts.versions import Artifact
from runql_server.errors import NotFoundError
from runql_server.graphql import context
from runql_server.graphql.context import RequestContext
from runql_server.listing import cursors
from runql_server.listing.pages import check_first, page_info
from runql_server.runs import runs
from runql_server.runs.runs import Run
from runql_server.storage import files
from runql_server.storage.files import StoredFile

AnyFile = StoredFile | ArtifactFile | ManifestFile
"""Records of the type ``File``."""

run: Final = ObjectType("Run")
file: Final = ObjectType("File")


@run.field("fileCount")
def run_file_count(source: Run, info: GraphQLResolveInfo) -> int:
    """Count all files, without any filter."""
    return files.count(context.of(info).connection, source.number)


@run.field("files")
def run_files(
    source: Run,
    info: GraphQLResolveInfo,
    names: list[str | None] | None = None,
    after: str | None = None,
    first: int | None = None,
    pattern: str | None = None,
) -> dict[str, object]:
    """Return files in name order; with ``names`` one entry for each, even if the file is missing."""
    connection = context.of(info).connection
    asked = [name for name in names or [] if name is not None]
    if asked:
        found = files.by_names(connection, source.number, asked)
    else:
        found = files.matching(connection, source.number, pattern)
    start = cursors.decode("files", after).key if after else None
    size = check_first(first)
    rest = found if start is None else found[_index_after(found, str(start)) :]
    edges = [{"cursor": _cursor(each), "node": each} for each in rest[:size]]
    info_of_page = page_info([_cursor(each) for each in rest[:size]], more=len(rest) > size, after=after)
    return {"edges": edges, "page_info": info_of_page, "total_count": len(found)}


@file.field("url")
def file_url(source: AnyFile, info: GraphQLResolveInfo, upload: bool | None = None) -> str | None:
    """Return a URL that needs the API key, or with ``upload`` a signed one."""
    request = context.of(info)
    if upload:
        return _signed_url(request, source, "PUT")
    match source:
        case StoredFile():
            owner = runs.by_number(request.connection, source.run, crash_before=request.crash_before)
            path = f"/files/{owner.entity_name}/{owner.project_name}/{owner.name}/{source.name}"
            return request.base_url.rstrip("/") + quote(path)
        case ArtifactFile() if source.ref is None:
            home = artifact_collections.by_number(request.connection, source.artifact.sequence_number)
            return request.base_url.rstrip("/") + quote(_api_path(source, home))
        case _:
            return _direct_url(request, source)


@file.field("directUrl")
def file_direct_url(source: AnyFile, info: GraphQLResolveInfo) -> str:
    """Return a signed URL that needs no API key; for a reference its target."""
    return _direct_url(context.of(info), source)


@file.field("uploadUrl")
def file_upload_url(source: AnyFile, info: GraphQLResolveInfo) -> str | None:
    """Return a signed URL for PUT; null for an artifact's file with stored bytes."""
    if isinstance(source, ArtifactFile) and source.stored:
        return None
    return _signed_url(context.of(info), source, "PUT")


@file.field("uploadHeaders")
def file_upload_headers(_source: AnyFile, _info: GraphQLResolveInfo) -> list[str]:
    """Return none: uploads need no extra headers."""
    return []


@file.field("uploadMultipartUrls")
def file_upload_multipart_urls(_source: AnyFile, _info: GraphQLResolveInfo) -> None:
    """Return null: uploads have one part."""


@file.field("artifact")
def file_artifact(source: AnyFile, info: GraphQLResolveInfo) -> Artifact | None:
    """Return the version that first had these bytes; for a manifest its version; null for a run's file."""
    connection = context.of(info).connection
    match source:
        case StoredFile():
            return None
        case ManifestFile():
            return versions.by_number(connection, source.manifest.artifact_number)
        case ArtifactFile():
            try:
                return versions.by_id(connection, source.birth_artifact_id)
            except NotFoundError:
                return source.artifact


def _direct_url(request: RequestContext, source: AnyFile) -> str:
    if isinstance(source, ArtifactFile) and source.ref is not None:
        return source.ref
    return _signed_url(request, source, "GET") or ""


def _signed_url(request: RequestContext, source: AnyFile, access: Access) -> str | None:
    path = source.storage_path
    if access == "PUT":
        request.caller.check_may_write()
    return None if path is None else request.signer.url(request.base_url, access, path)


def _api_path(source: ArtifactFile, home: Collection) -> str:
    digest = blobs.to_hex(source.digest)
    if source.artifact.storage_layout == "V1":
        return f"/artifacts/{home.entity_name}/{digest}"
    place = (
        f"{home.entity_name}/{home.project_name}/{home.name}/{source.artifact.id}/{source.birth_artifact_id}"
    )
    return f"/artifactsV2/default/{place}/{digest}/{source.name.rpartition('/')[2]}"


def _cursor(source: StoredFile) -> str:
    return cursors.encode("files", cursors.Position(source.name, 0))


def _index_after(found: list[StoredFile], name: str) -> int:
    # After the named file, or after its position if it was deleted.
    exact = [index for index, each in enumerate(found) if each.name == name]
    later = [index for index, each in enumerate(found) if each.name > name]
    return exact[0] + 1 if exact else min(later, default=len(found))


BINDABLES: list[SchemaBindable] = [run, file]
