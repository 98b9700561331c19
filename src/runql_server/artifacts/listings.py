"""Lists of collections, and of the versions in a collection, with their filter and sort keys."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import memberships, versions
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.versions import Artifact
from runql_server.listing import filters, ordering, pages
from runql_server.listing.bindings import Bindings
from runql_server.listing.pages import PageInfo, RowPage
from runql_server.listing.subjects import ColumnSubject, ListSubject, Subject
from runql_server.runs.columns import Column

_NEWEST_FIRST = "-id"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Filters, order and page of a list; by default everything, newest first, as on the real server."""

    filters: str | None = None
    order: str | None = None
    first: int | None = None
    after: str | None = None


@dataclass(frozen=True)
class CollectionEdge:
    """A collection and its cursor, after which the next page starts."""

    cursor: str
    node: Collection


@dataclass(frozen=True)
class CollectionPage:
    """One page of collections."""

    edges: list[CollectionEdge]
    page_info: PageInfo
    total_count: int


@dataclass(frozen=True)
class VersionEdge:
    """A version, its name in the collection, and its cursor, after which the next page starts."""

    cursor: str
    node: Artifact
    version: str


@dataclass(frozen=True)
class VersionPage:
    """One page of a collection's versions."""

    edges: list[VersionEdge]
    page_info: PageInfo
    total_count: int


@dataclass(frozen=True)
class _Listing:
    """Rows, and their filter and sort keys; a list key is several strings, given as rows and column."""

    source: str
    number: str
    columns: dict[str, Column]
    lists: dict[str, tuple[str, str]]

    def page(
        self, connection: sqlite3.Connection, scope: str, bindings: Bindings, wanted: Selection
    ) -> tuple[RowPage, int]:
        """Return a page of row numbers, and the total count."""
        condition = filters.compile_filters(wanted.filters, bindings, self._subject)
        source = f"{self.source} WHERE {scope} AND {condition}"
        total = int(connection.execute(f"SELECT COUNT(*) {source}", bindings).fetchone()[0])
        order = ordering.parse_order(wanted.order, bindings, self._expression, _NEWEST_FIRST)
        rows = pages.list_rows(
            connection, source, bindings, order, number=self.number, first=wanted.first, after=wanted.after
        )
        return rows, total

    def _subject(self, key: str, bindings: Bindings) -> Subject:
        if key in self.columns:
            return ColumnSubject(key, self.columns[key], bindings)
        if key in self.lists:
            return ListSubject(key, *self.lists[key], bindings)
        raise filters.unknown_key(key, f"use {', '.join(sorted([*self.columns, *self.lists]))}")

    def _expression(self, key: str, _bindings: Bindings, _descending: bool) -> str:
        if key not in self.columns:
            raise ordering.unknown_key(key, ", ".join(sorted(self.columns)))
        return self.columns[key].expression


def _in_both_cases(name: str, column: Column) -> dict[str, Column]:
    first, *rest = name.split("_")
    return {name: column, first + "".join(word.capitalize() for word in rest): column}


_COLLECTION_TAGS = (
    "FROM collection_tags WHERE collection_tags.collection_id = artifact_collections.id",
    "name",
)
_COLLECTIONS = _Listing(
    artifact_collections.FROM,
    "artifact_collections.id",
    {
        "id": Column("artifact_collections.id", "number"),
        "name": Column("artifact_collections.name"),
        "type": Column("artifact_types.name"),
        "description": Column("artifact_collections.description"),
        "state": Column("'READY'"),
        **_in_both_cases("collection_type", Column("artifact_collections.kind")),
        **_in_both_cases("created_at", Column("artifact_collections.created_at", "time")),
        **_in_both_cases("updated_at", Column("artifact_collections.updated_at", "time")),
    },
    {"tag": _COLLECTION_TAGS, "tags": _COLLECTION_TAGS},
)

_VERSION_TAGS = ("FROM artifact_tags WHERE artifact_tags.artifact_id = artifacts.id", "artifact_tags.name")
_ALIASES = ("FROM artifact_aliases WHERE artifact_aliases.membership_id = artifact_memberships.id", "alias")
_VERSIONS = _Listing(
    """FROM artifact_memberships JOIN artifacts ON artifacts.id = artifact_memberships.artifact_id
    JOIN artifact_collections ON artifact_collections.id = artifact_memberships.collection_id""",
    "artifact_memberships.id",
    {
        "id": Column("artifact_memberships.id", "number"),
        "name": Column("artifact_collections.name"),
        "state": Column("artifacts.state"),
        "digest": Column("artifacts.digest"),
        "description": Column("artifacts.description"),
        "size": Column("artifacts.size", "number"),
        **_in_both_cases("version_index", Column("artifact_memberships.version", "number")),
        **_in_both_cases("file_count", Column("artifacts.file_count", "number")),
        **_in_both_cases("created_at", Column("artifacts.created_at", "time")),
        **_in_both_cases("updated_at", Column("artifacts.updated_at", "time")),
    },
    {"tag": _VERSION_TAGS, "tags": _VERSION_TAGS, "alias": _ALIASES, "aliases": _ALIASES},
)


def collections(
    connection: sqlite3.Connection, project: int, wanted: Selection, *, type_number: int | None = None
) -> CollectionPage:
    """Return a page of the collections of a project, or of one of its types."""
    scope = "artifact_collections.project_id = :project AND artifact_collections.type_id = COALESCE(:type, type_id)"
    bindings = Bindings(project=project, type=type_number)
    rows, total = _COLLECTIONS.page(connection, scope, bindings, wanted)
    found = artifact_collections.by_numbers(connection, list(rows.cursors))
    return CollectionPage(
        [CollectionEdge(rows.cursors[each.number], each) for each in found], rows.info, total
    )


def versions_in(connection: sqlite3.Connection, collection: int, wanted: Selection) -> VersionPage:
    """Return a page of the versions of a collection."""
    scope = "artifact_memberships.collection_id = :collection"
    rows, total = _VERSIONS.page(connection, scope, Bindings(collection=collection), wanted)
    places = memberships.by_numbers(connection, list(rows.cursors))
    found = {
        each.number: each
        for each in versions.by_numbers(connection, [place.artifact_number for place in places])
    }
    edges = [
        VersionEdge(rows.cursors[place.number], found[place.artifact_number], place.version)
        for place in places
    ]
    return VersionPage(edges, rows.info, total)
