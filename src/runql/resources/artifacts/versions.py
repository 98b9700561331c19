"""Lazy sequences of artifact versions: those of a collection, and those that a run wrote or read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Final, Literal, TypeAlias, TypeVar

from runql.arguments import positive, shown
from runql.filters import refuse_run_fields
from runql.paths import RunAddress
from runql.resources.artifacts.artifact import Artifact, AsyncArtifact
from runql.resources.artifacts.lookup import (
    ResolvedArtifact,
    VersionQuery,
    list_logged,
    list_used,
    list_versions,
    resolved_at_source,
    tags_of,
)
from runql.resources.artifacts.mutations import checked_tags
from runql.resources.artifacts.record import ArtifactRecord
from runql.resources.pages.listing import (
    RUN_PER_PAGE,
    AsyncLazySequence,
    LazySequence,
    Listing,
    Page,
    UncountedListing,
    refuse_hidden,
)
from runql.resources.records.tables import described
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient
from runql.values import Filters, plain_container
from runql_graphql.fragments import ArtifactFields

Mode: TypeAlias = Literal["logged", "used"]
A = TypeVar("A", bound=ArtifactRecord)

COMMITTED: Final[Filters] = {"state": "COMMITTED"}
PER_PAGE: Final = 50


class Artifacts(LazySequence[ResolvedArtifact, Artifact]):
    """The versions of a collection, a lazy sequence that sends one request a page.

    With ``tags`` this client filters the pages, so that `len` reads all of them.
    """

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        collection_name: str,
        type_name: str,
        *,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = PER_PAGE,
        tags: Collection[str] | None = None,
        limit: int | None = None,
    ) -> None:
        query = _checked(entity, project, collection_name, type_name, filters, order, per_page)
        self._query = query
        super().__init__(client, _version_listing(query, tags, limit, partial(Artifact, client)))

    def __repr__(self) -> str:
        return described("Artifacts", self._query)


class AsyncArtifacts(AsyncLazySequence[ResolvedArtifact, AsyncArtifact]):
    """The async twin of `Artifacts`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        collection_name: str,
        type_name: str,
        *,
        filters: Filters | None = None,
        order: str | None = None,
        per_page: int = PER_PAGE,
        tags: Collection[str] | None = None,
        limit: int | None = None,
    ) -> None:
        query = _checked(entity, project, collection_name, type_name, filters, order, per_page)
        self._query = query
        super().__init__(client, _version_listing(query, tags, limit, partial(AsyncArtifact, client)))

    def __repr__(self) -> str:
        return described("Artifacts", self._query)


class RunArtifacts(LazySequence[ArtifactFields, Artifact]):
    """The versions that a run wrote or read, in the server's order: a lazy sequence that sends one request a page.

    Each has the name from the collection it was made in.

    Raises:
        PaginationError: on reading a page on which the server hides a version, or the project of one.
    """

    def __init__(
        self,
        client: RetryingClient,
        run: RunAddress,
        mode: Mode = "logged",
        per_page: int = RUN_PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._description = f"{mode} by {run}"
        super().__init__(client, _run_listing(run, mode, per_page, limit, partial(Artifact, client)))

    def __repr__(self) -> str:
        return described("RunArtifacts", self._description)


class AsyncRunArtifacts(AsyncLazySequence[ArtifactFields, AsyncArtifact]):
    """The async twin of `RunArtifacts`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        run: RunAddress,
        mode: Mode = "logged",
        per_page: int = RUN_PER_PAGE,
        *,
        limit: int | None = None,
    ) -> None:
        self._description = f"{mode} by {run}"
        super().__init__(client, _run_listing(run, mode, per_page, limit, partial(AsyncArtifact, client)))

    def __repr__(self) -> str:
        return described("RunArtifacts", self._description)


def _checked(
    entity: str,
    project: str,
    collection_name: str,
    type_name: str,
    filters: Filters | None,
    order: str | None,
    per_page: int,
) -> VersionQuery:
    refuse_run_fields(filters, "versions")
    filter_json = json.dumps(
        dict(COMMITTED if filters is None else filters), allow_nan=False, default=plain_container
    )
    size = positive("per_page", per_page)
    return VersionQuery(entity, project, type_name, collection_name, filter_json, order, size)


def _version_listing(
    query: VersionQuery,
    tags: Collection[str] | None,
    limit: int | None,
    make: Callable[[ResolvedArtifact], A],
) -> Listing[ResolvedArtifact, A]:
    required = set(checked_tags(tags or ()))

    def convert(page: Page[ResolvedArtifact]) -> list[A]:
        return [make(found) for found in page.nodes if not required or required <= set(tags_of(found.fields))]

    def identity(artifact: A) -> str:
        return artifact.id

    def read(size: int, after: str | None) -> Flow[Page[ResolvedArtifact]]:
        return list_versions(replace(query, per_page=size), after)

    kind = UncountedListing[ResolvedArtifact, A] if required else Listing[ResolvedArtifact, A]
    return kind(read, convert, identity, per_page=query.per_page, limit=limit)


def _run_listing(
    run: RunAddress, mode: Mode, per_page: int, limit: int | None, make: Callable[[ResolvedArtifact], A]
) -> Listing[ArtifactFields, A]:
    if mode not in {"logged", "used"}:
        raise ValueError(f"mode must be 'logged' or 'used', not {shown(mode)}")

    def read(size: int, after: str | None) -> Flow[Page[ArtifactFields]]:
        return list_logged(run, size, after) if mode == "logged" else list_used(run, size, after)

    def convert(page: Page[ArtifactFields]) -> list[A]:
        found = [each for fields in page.nodes if (each := resolved_at_source(fields)) is not None]
        refuse_hidden(len(page.nodes) - len(found), "null for the project of", page.after)
        return [make(each) for each in found]

    return Listing(read, convert, lambda artifact: artifact.id, per_page=per_page, limit=limit)
