"""The pages of artifacts: types and collections of a project, versions of a collection, and one version."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from runql_server import lenient_json
from runql_server.artifacts import aliases, listings, memberships, tags, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.contents import blobs, entries
from runql_server.artifacts.contents.entries import ArtifactFile
from runql_server.artifacts.listings import Selection
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.versions import Artifact
from runql_server.errors import NotFoundError
from runql_server.http import browsers
from runql_server.lenient_json import JsonObject
from runql_server.pages.handlers import Visit
from runql_server.pages.parts import lineage
from runql_server.pages.rendering import url
from runql_server.pages.run import leaves
from runql_server.storage import files

PAGE: Final = 200
"""Collections, versions or files of one page."""

_WEB: Final = ("http://", "https://")


@dataclass(frozen=True)
class CollectionLine:
    """One line of the table of collections."""

    collection: Collection
    path: str
    tags: list[str]
    newest: Membership | None


@dataclass(frozen=True)
class VersionLine:
    """One line of the table of versions."""

    version: str
    artifact: Artifact
    path: str
    aliases: list[str]
    tags: list[str]


@dataclass(frozen=True)
class EntryLine:
    """One file of a version; a reference links to the web only, and ``path`` is ``None`` for any other."""

    name: str
    size: int
    path: str | None
    reference: str | None


def artifact_list(visit: Visit) -> Response:
    """List the collections of a project, or of one of its types, the newest first."""
    project, wanted = visit.project, visit.parts.get("type")
    kinds = artifact_types.page(visit.connection, project.number, after=0, first=-1)
    number = None
    if wanted is not None:
        number = next((kind.number for kind in kinds if kind.name == wanted), None)
        if number is None:
            raise NotFoundError(f"artifact type {wanted!r} of {project.entity_name}/{project.name} not found")
    selection = Selection(first=PAGE, after=visit.query.get("after"))
    page = listings.collections(visit.connection, project.number, selection, type_number=number)
    return visit.page(
        "artifacts.html",
        project=project,
        kinds=[(kind.name, url(project.entity_name, project.name, "artifacts", kind.name)) for kind in kinds],
        wanted=wanted,
        lines=[_collection_line(visit.connection, edge.node) for edge in page.edges],
        total=page.total_count,
        following=page.edges[-1].cursor if page.page_info.has_next_page and page.edges else None,
    )


def collection_page(visit: Visit) -> Response:
    """List the versions of a collection, the newest first."""
    collection = _collection(visit)
    selection = Selection(first=PAGE, after=visit.query.get("after"))
    page = listings.versions_in(visit.connection, collection.number, selection)
    return visit.page(
        "collection.html",
        project=visit.project,
        collection=collection,
        tags=_names_of_tags(visit.connection, "collection", collection.number),
        lines=[_version_line(visit.connection, collection, edge.node, edge.version) for edge in page.edges],
        total=page.total_count,
        following=page.edges[-1].cursor if page.page_info.has_next_page and page.edges else None,
    )


def version_page(visit: Visit) -> Response:
    """Show a version: its aliases, tags, metadata, files, and the runs that logged and used it."""
    collection, place = _member(visit)
    connection, crash_before = visit.connection, visit.store.crash_before()
    artifact = versions.by_number(connection, place.artifact_number)
    after = visit.query.get("after", "")
    found = entries.page(connection, artifact, names=None, after=after, first=PAGE + 1)
    path = _version_path(collection, place.version)
    return visit.page(
        "artifact.html",
        project=visit.project,
        collection=collection,
        collection_path=_collection_path(collection),
        version=place.version,
        artifact=artifact,
        aliases=[each.alias for each in aliases.of_membership(connection, place.number)],
        tags=_names_of_tags(connection, "artifact", artifact.number),
        metadata=list(leaves(_metadata(artifact))),
        files=[_entry_line(path, each) for each in found[:PAGE]],
        following=found[PAGE - 1].name if len(found) > PAGE else None,
        logged_by=lineage.of_artifact(connection, "outputs", artifact.number, crash_before=crash_before),
        used_by=lineage.of_artifact(connection, "inputs", artifact.number, crash_before=crash_before),
    )


def entry_file(visit: Visit) -> Response:
    """Send the bytes of one file of a version."""
    _, place = _member(visit)
    artifact = versions.by_number(visit.connection, place.artifact_number)
    name = visit.parts["path"]
    found = entries.page(visit.connection, artifact, names=[name], after="", first=1)
    blob = blobs.find(visit.connection, artifact.entity_number, found[0].digest) if found else None
    if not found or blob is None or found[0].ref is not None:
        raise NotFoundError(f"file {name!r} not found")
    path = files.stored_path(visit.store, blob.name)
    return browsers.send_file(
        visit.request, path, name=name, media_type=found[0].mimetype, etag=found[0].digest
    )


def _collection(visit: Visit) -> Collection:
    project, kind, name = visit.project, visit.parts["type"], visit.parts["name"]
    found = artifact_collections.find(visit.connection, project.number, name)
    if found is None or found.type_name != kind:
        raise NotFoundError(f"artifact {name!r} of type {kind!r} not found")
    return found


def _member(visit: Visit) -> tuple[Collection, Membership]:
    collection, version = _collection(visit), visit.parts["version"]
    found = memberships.find(visit.connection, collection.number, version)
    if found is None:
        raise NotFoundError(f"artifact {collection.name}:{version} not found")
    return collection, found


def _collection_line(connection: sqlite3.Connection, collection: Collection) -> CollectionLine:
    members = memberships.of_collection(connection, collection.number, first=1)
    return CollectionLine(
        collection,
        _collection_path(collection),
        _names_of_tags(connection, "collection", collection.number),
        members[0] if members else None,
    )


def _version_line(
    connection: sqlite3.Connection, collection: Collection, artifact: Artifact, version: str
) -> VersionLine:
    place = memberships.of_version(connection, collection.number, artifact.number)
    return VersionLine(
        version,
        artifact,
        _version_path(collection, version),
        [] if place is None else [each.alias for each in aliases.of_membership(connection, place.number)],
        _names_of_tags(connection, "artifact", artifact.number),
    )


def _entry_line(version_path: str, file: ArtifactFile) -> EntryLine:
    if file.ref is None:
        return EntryLine(file.name, file.size_bytes, f"{version_path}/files/{quote(file.name)}", None)
    is_web = file.ref.lower().startswith(_WEB)
    return EntryLine(file.name, file.size_bytes, file.ref if is_web else None, file.ref)


def _names_of_tags(connection: sqlite3.Connection, owner: tags.Owner, number: int) -> list[str]:
    return [each.name for each in tags.of(connection, owner, number)]


def _metadata(artifact: Artifact) -> JsonObject:
    return lenient_json.parse_object(artifact.metadata or "{}", what="metadata")


def _collection_path(collection: Collection) -> str:
    return url(
        collection.entity_name, collection.project_name, "artifacts", collection.type_name, collection.name
    )


def _version_path(collection: Collection, version: str) -> str:
    return f"{_collection_path(collection)}/{url(version)[1:]}"
