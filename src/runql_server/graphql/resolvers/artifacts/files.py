"""Resolvers of the files of versions: entries of the manifest, and the manifest itself."""

from __future__ import annotations

import sqlite3
from typing import Final, TypedDict

from ariadne import ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.artifacts import versions
from runql_server.artifacts.contents import entries
from runql_server.artifacts.contents.entries import ArtifactFile
from runql_server.artifacts.contents.manifests import ManifestFile, StoredManifest
from runql_server.artifacts.memberships import Membership
from runql_server.artifacts.versions import Artifact
from runql_server.graphql import context
from runql_server.listing import cursors
from runql_server.listing.pages import check_first, page_info

artifact: Final = ObjectType("Artifact")
membership: Final = ObjectType("ArtifactCollectionMembership")
manifest: Final = ObjectType("ArtifactManifest")


class EntryInput(TypedDict):
    """The used part of ArtifactManifestEntryInput; names as the schema conversion writes them."""

    name: str
    digest: str


@artifact.field("files")
def artifact_files(
    source: Artifact,
    info: GraphQLResolveInfo,
    names: list[str] | None = None,
    first: int | None = None,
    after: str | None = None,
) -> dict[str, object]:
    """Return the entries by path, references too; with ``names`` only those."""
    return _entries(context.of(info).connection, source, names, first, after)


@artifact.field("filesByManifestEntries")
def files_by_manifest_entries(
    source: Artifact,
    info: GraphQLResolveInfo,
    first: int | None = None,
    after: str | None = None,
    **arguments: list[EntryInput] | str | None,
) -> dict[str, object]:
    """Return those of the given entries that the version has."""
    given = arguments.get("entries")
    asked = [(entry["name"], entry["digest"]) for entry in given] if isinstance(given, list) else []
    found = entries.of_paths(context.of(info).connection, source, asked)
    rest = [each for each in found if each.name > _start(after)]
    return file_page(rest, check_first(first, len(rest)), after=after, total=len(found))


@membership.field("files")
def membership_files(
    source: Membership,
    info: GraphQLResolveInfo,
    names: list[str] | None = None,
    first: int | None = None,
    after: str | None = None,
) -> dict[str, object]:
    """Return the entries of the version."""
    connection = context.of(info).connection
    version = versions.by_number(connection, source.artifact_number)
    return _entries(connection, version, names, first, after)


@manifest.field("file")
def manifest_file(source: StoredManifest, _info: GraphQLResolveInfo) -> ManifestFile:
    """Return its document as a file."""
    return ManifestFile(source)


def file_page(found: list[ArtifactFile], size: int, *, after: str | None, total: int) -> dict[str, object]:
    """Make a connection over entries in path order; an entry beyond ``size`` means that there is another page."""
    marks = [cursors.encode("entries", cursors.Position(each.name, 0)) for each in found[:size]]
    return {
        "edges": [{"cursor": mark, "node": each} for mark, each in zip(marks, found, strict=False)],
        "page_info": page_info(marks, more=len(found) > size, after=after),
        "total_count": total,
    }


def _entries(
    connection: sqlite3.Connection,
    source: Artifact,
    names: list[str] | None,
    first: int | None,
    after: str | None,
) -> dict[str, object]:
    size = check_first(first)
    found = entries.page(connection, source, names=names, after=_start(after), first=size + 1)
    return file_page(found, size, after=after, total=entries.count(connection, source, names))


def _start(after: str | None) -> str:
    return str(cursors.decode("entries", after).key) if after else ""


BINDABLES: list[SchemaBindable] = [artifact, membership, manifest]
