"""Finding artifact versions by name, id, run or collection, and the runs that made or read a version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from runql.errors import ArtifactNotFoundError, NotFoundError, OutdatedServerError
from runql.paths import ArtifactAddress, RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.pages.listing import Page, read_all, read_page, refuse_hidden, require_connection
from runql.resources.records.absent_fields import require_field
from runql.resources.records.identity import require_id, require_name, require_project, require_run
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import ArtifactFields, ArtifactMembershipFields, FullRunFields
from runql_graphql.get_artifact_creator import GetArtifactCreatorArtifactPlaceRun
from runql_graphql.operations import (
    get_artifact,
    get_artifact_creator,
    get_artifact_membership,
    get_named_artifact,
    list_artifact_users,
    list_artifact_versions,
    list_logged_artifacts,
    list_used_artifacts,
)

MEMBERSHIP: Final = "Project.artifactCollectionMembership"
VERSION: Final = re.compile(r"v\d+")
USERS_PER_PAGE: Final = 50


class Identified(Protocol):
    """A response's artifact."""

    @property
    def id(self) -> str: ...


A = TypeVar("A", bound=Identified)


@dataclass(frozen=True, slots=True)
class ResolvedArtifact:
    """An artifact version, and the collection that it was found in.

    Attributes:
        fields: as the server returned them.
        place: the collection, and the version in it, such as ``v3``.
        aliases: its aliases in that collection.
        collection_id: the server's id of the collection, None if the server did not return it.
    """

    fields: ArtifactFields
    place: ArtifactAddress
    aliases: tuple[str, ...]
    collection_id: str | None = None


def tags_of(fields: ArtifactFields) -> list[str]:
    """Return the names of a version's tags.

    Raises:
        OutdatedServerError: the server does not know tags of versions.
    """
    return [tag.name for tag in require_field(fields.tags, "Artifact.tags")]


def source_of(fields: ArtifactFields) -> ArtifactAddress | None:
    """Return the place where a version was made; None if the server hides the project."""
    sequence = fields.artifact_sequence
    if sequence.project is None:
        return None
    version = f"v{fields.version_index}" if fields.version_index is not None else ""
    return ArtifactAddress(sequence.project.entity_name, sequence.project.name, sequence.name, version)


def resolved_at(fields: ArtifactFields, place: ArtifactAddress) -> ResolvedArtifact:
    """Pair a version with one collection, and select its aliases there."""
    names: list[str] = []
    for each in fields.aliases:
        collection = each.artifact_collection
        if collection is None or collection.project is None:
            continue
        home = (collection.project.entity_name, collection.project.name, collection.name)
        if home == (place.entity, place.project, place.collection):
            names.append(each.alias)
    return ResolvedArtifact(fields, place, without_versions(names))


def resolved_at_source(fields: ArtifactFields) -> ResolvedArtifact | None:
    """Pair a version with the collection it was made in; None if the server hides the project."""
    place = source_of(fields)
    return None if place is None else resolved_at(fields, place)


def without_versions(aliases: Sequence[str]) -> tuple[str, ...]:
    """Return the aliases without versions such as ``v3``, which some servers list among them."""
    return tuple(alias for alias in aliases if not VERSION.fullmatch(alias))


def find_artifact(address: ArtifactAddress) -> Flow[ResolvedArtifact]:
    """Find the version of this name; one request, on older servers one more the first time.

    Raises:
        ArtifactNotFoundError: the project has no such version.
        ProjectNotFoundError: the project is absent or hidden.
    """
    operation = get_artifact_membership(entity=address.entity, project=address.project, name=address.name)
    try:
        response = yield from fetch(operation, needs=[MEMBERSHIP])
    except OutdatedServerError as error:
        if MEMBERSHIP not in error.unknown:
            raise
        return (yield from _find_by_name(address))
    home = require_project(response.project, address.entity, address.project)
    found = _from_membership(home.artifact_collection_membership, address)
    if found is None:
        raise ArtifactNotFoundError(_not_found(address))
    return _checked_match(found, address)


def _from_membership(
    member: ArtifactMembershipFields | None, address: ArtifactAddress
) -> ResolvedArtifact | None:
    if member is None or member.artifact is None:
        return None
    index = member.version_index if member.version_index is not None else member.artifact.version_index
    home = member.artifact_collection
    project = home.project if home else None
    place = ArtifactAddress(
        entity=project.entity_name if project else address.entity,
        project=project.name if project else address.project,
        collection=home.name if home else address.collection,
        version=f"v{index}" if index is not None else address.version,
    )
    aliases = without_versions([each.alias for each in member.aliases])
    return ResolvedArtifact(member.artifact, place, aliases, home.id if home else None)


def _find_by_name(address: ArtifactAddress) -> Flow[ResolvedArtifact]:
    operation = get_named_artifact(entity=address.entity, project=address.project, name=address.name)
    response = yield from fetch(operation)
    fields = require_project(response.project, address.entity, address.project).artifact
    if fields is None:
        raise ArtifactNotFoundError(_not_found(address))
    source = source_of(fields)
    if source is not None and (source.entity, source.project, source.collection) == (
        address.entity,
        address.project,
        address.collection,
    ):
        return _checked_match(resolved_at(fields, source), address)
    # A link: these servers do not return its version there, so the requested name stays.
    return resolved_at(fields, address)


def read_artifact(artifact_id: str) -> Flow[ArtifactFields]:
    """Read the version with the server's id; one request.

    Raises:
        ArtifactNotFoundError: the server has no such version.
    """
    response = yield from fetch(get_artifact(id=artifact_id))
    if response.artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist, or your API key may not see it")
    require_id("artifact", artifact_id, response.artifact.id)
    return response.artifact


def require_artifact(found: A | None, artifact_id: str, name: str) -> A:
    """Return the requested artifact from a response.

    Raises:
        ArtifactNotFoundError: the server returned null: the artifact does not exist any more.
        MismatchedResponseError: the response is about another artifact.
    """
    if found is None:
        raise ArtifactNotFoundError(f"artifact {name} does not exist any more")
    require_id("artifact", artifact_id, found.id)
    return found


def list_logged(run: RunAddress, per_page: int, after: str | None) -> Flow[Page[ArtifactFields]]:
    """Read a page of the versions that a run wrote; one request."""
    operation = list_logged_artifacts(
        entity=run.entity, project=run.project, run=run.run_id, first=per_page, after=after
    )
    response = yield from fetch(operation)
    found = require_run(response.project, run.entity, run.project, run.run_id).output_artifacts
    return read_page(require_connection(found, f"the artifacts that run {run} wrote"), after)


def list_used(run: RunAddress, per_page: int, after: str | None) -> Flow[Page[ArtifactFields]]:
    """Read a page of the versions that a run read; one request."""
    operation = list_used_artifacts(
        entity=run.entity, project=run.project, run=run.run_id, first=per_page, after=after
    )
    response = yield from fetch(operation)
    found = require_run(response.project, run.entity, run.project, run.run_id).input_artifacts
    return read_page(require_connection(found, f"the artifacts that run {run} read"), after)


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """The versions to list: the collection, the filter, the order and the page size."""

    entity: str
    project: str
    type_name: str
    collection: str
    filters: str
    order: str | None
    per_page: int

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.collection}"


def list_versions(query: VersionQuery, after: str | None) -> Flow[Page[ResolvedArtifact]]:
    """Read a page of a collection's versions; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: the project has no such type or collection.
    """
    operation = list_artifact_versions(
        entity=query.entity,
        project=query.project,
        type_name=query.type_name,
        collection=query.collection,
        filters=query.filters,
        order=query.order,
        first=query.per_page,
        after=after,
    )
    response = yield from fetch(operation)
    kind = require_project(response.project, query.entity, query.project).artifact_type
    collection = kind.artifact_collection if kind else None
    if kind is None or collection is None:
        raise ArtifactNotFoundError(
            f"project {query.entity}/{query.project} has no collection {query.collection} of type {query.type_name}"
        )
    require_name("artifact type ", query.type_name, kind.name)
    require_name("artifact collection ", query.collection, collection.name)
    found = require_connection(collection.artifacts, f"the versions of {query}")
    home = partial(ArtifactAddress, query.entity, query.project, query.collection)
    return read_page(found, after).with_nodes(
        [resolved_at(edge.node, home(edge.version)) for edge in found.edges]
    )


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """A run's fields, and the project that the run is in."""

    entity: str
    project: str
    fields: FullRunFields


def list_users(artifact_id: str) -> Flow[list[PlacedRun]]:
    """List the runs that read a version; one request for 50.

    Raises:
        PaginationError: the server hides a run, or the project of one.
    """
    return (yield from read_all(partial(_list_user_page, artifact_id)))


def _list_user_page(artifact_id: str, after: str | None) -> Flow[Page[PlacedRun]]:
    operation = list_artifact_users(id=artifact_id, first=USERS_PER_PAGE, after=after)
    found = (yield from fetch(operation)).artifact
    users = require_artifact(found, artifact_id, artifact_id).used_by
    placed = [
        PlacedRun(edge.place.project.entity_name, edge.place.project.name, edge.node)
        for edge in users.edges
        if edge.place.project
    ]
    refuse_hidden(len(users.edges) - len(placed), "null for the project of", after)
    return read_page(users, after).with_nodes(placed)


def read_creator(artifact_id: str) -> Flow[PlacedRun | None]:
    """Read the run that made a version; one request. None if a person made it, or the server does not say who.

    Raises:
        NotFoundError: a run made it, and the server hides its project.
    """
    found = (yield from fetch(get_artifact_creator(id=artifact_id))).artifact
    artifact = require_artifact(found, artifact_id, artifact_id)
    run, place = artifact.created_by, artifact.place
    if not isinstance(run, FullRunFields) or not isinstance(place, GetArtifactCreatorArtifactPlaceRun):
        return None
    if place.project is None:
        raise NotFoundError(
            f"run {run.name} made the artifact, and the server returns null for its project: "
            "it was deleted, or your API key may not see it"
        )
    return PlacedRun(place.project.entity_name, place.project.name, run)


def _checked_match(found: ResolvedArtifact, address: ArtifactAddress) -> ResolvedArtifact:
    """Check that the response is about the requested collection and version.

    Raises:
        MismatchedResponseError: it is about another one. An alias is not compared: servers differ in which they list.
    """
    place = found.place
    require_name("artifact collection ", collection_path(address), collection_path(place))
    if VERSION.fullmatch(address.version) and VERSION.fullmatch(place.version):
        require_name(f"artifact {collection_path(address)}:", address.version, place.version)
    return found


def collection_path(place: ArtifactAddress) -> str:
    """Return the path of the collection, without a version."""
    return f"{place.entity}/{place.project}/{place.collection}"


def _not_found(address: ArtifactAddress) -> str:
    return (
        f"artifact {address.qualified_name} does not exist, or your API key may not see it: "
        "name its collection and a version such as v3 or an alias such as latest"
    )
