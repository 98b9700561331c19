"""Finding artifact versions: one by name or id, those of a run or a collection, and the runs that made or read one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from runql.errors import ArtifactNotFoundError, OutdatedServerError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.pages.listing import Page, read_all, read_page
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


@dataclass(frozen=True, slots=True)
class ResolvedArtifact:
    """An artifact version, and the collection in which it was found.

    Attributes:
        fields: as the server gave them.
        place: where it was found; its version is one such as ``v3``.
        aliases: those that hold there.
        collection_id: the server's id of the collection, None when it was not told.
    """

    fields: ArtifactFields
    place: ArtifactAddress
    aliases: tuple[str, ...]
    collection_id: str | None = None


def tags_of(fields: ArtifactFields) -> list[str]:
    """The names of a version's tags.

    Raises:
        OutdatedServerError: the server does not know tags.
    """
    return [tag.name for tag in require_field(fields.tags, "Artifact.tags")]


def source_of(fields: ArtifactFields) -> ArtifactAddress | None:
    """Where a version was made; None when the server hides the project."""
    sequence = fields.artifact_sequence
    if sequence.project is None:
        return None
    version = f"v{fields.version_index}" if fields.version_index is not None else ""
    return ArtifactAddress(sequence.project.entity_name, sequence.project.name, sequence.name, version)


def resolved_at(fields: ArtifactFields, place: ArtifactAddress) -> ResolvedArtifact:
    """A version as a member of one collection: its aliases are those of that collection."""
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
    """A version where it was made; None when the server hides the project."""
    place = source_of(fields)
    return None if place is None else resolved_at(fields, place)


def without_versions(aliases: Sequence[str]) -> tuple[str, ...]:
    """Aliases without the version markers that may stand among them."""
    return tuple(alias for alias in aliases if not VERSION.fullmatch(alias))


def find_artifact(asked: ArtifactAddress) -> Flow[ResolvedArtifact]:
    """The version of that name; one request, and once for a client one more on servers that do not know memberships.

    Raises:
        ArtifactNotFoundError: the project holds no such version.
        ProjectNotFoundError: the project is absent or hidden.
    """
    operation = get_artifact_membership(entity=asked.entity, project=asked.project, name=asked.name)
    try:
        answer = yield from fetch(operation, needs=[MEMBERSHIP])
    except OutdatedServerError as error:
        if MEMBERSHIP not in error.unknown:
            raise
        return (yield from _find_by_name(asked))
    home = require_project(answer.project, asked.entity, asked.project)
    found = _member(home.artifact_collection_membership, asked)
    if found is None:
        raise ArtifactNotFoundError(_absent(asked))
    return _required(found, asked)


def _member(member: ArtifactMembershipFields | None, asked: ArtifactAddress) -> ResolvedArtifact | None:
    if member is None or member.artifact is None:
        return None
    index = member.version_index if member.version_index is not None else member.artifact.version_index
    home = member.artifact_collection
    project = home.project if home else None
    place = ArtifactAddress(
        entity=project.entity_name if project else asked.entity,
        project=project.name if project else asked.project,
        collection=home.name if home else asked.collection,
        version=f"v{index}" if index is not None else asked.version,
    )
    aliases = without_versions([each.alias for each in member.aliases])
    return ResolvedArtifact(member.artifact, place, aliases, home.id if home else None)


def _find_by_name(asked: ArtifactAddress) -> Flow[ResolvedArtifact]:
    operation = get_named_artifact(entity=asked.entity, project=asked.project, name=asked.name)
    answer = yield from fetch(operation)
    fields = require_project(answer.project, asked.entity, asked.project).artifact
    if fields is None:
        raise ArtifactNotFoundError(_absent(asked))
    source = source_of(fields)
    if source is not None and (source.entity, source.project, source.collection) == (
        asked.entity,
        asked.project,
        asked.collection,
    ):
        return _required(resolved_at(fields, source), asked)
    # A link: these servers do not tell its number there, the name it was asked by is all there is.
    return resolved_at(fields, asked)


def read_artifact(artifact_id: str) -> Flow[ArtifactFields]:
    """The version with the server's own id; one request.

    Raises:
        ArtifactNotFoundError: there is none.
    """
    answer = yield from fetch(get_artifact(id=artifact_id))
    if answer.artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist, or your API key may not see it")
    require_id("artifact", artifact_id, answer.artifact.id)
    return answer.artifact


def list_logged(run: RunAddress, per_page: int, after: str | None) -> Flow[Page[ArtifactFields | None]]:
    """A page of the versions that a run wrote; one request."""
    operation = list_logged_artifacts(
        entity=run.entity, project=run.project, run=run.run_id, first=per_page, after=after
    )
    answer = yield from fetch(operation)
    found = require_run(answer.project, run.entity, run.project, run.run_id).output_artifacts
    return Page[ArtifactFields | None].empty(after) if found is None else read_page(found, after)


def list_used(run: RunAddress, per_page: int, after: str | None) -> Flow[Page[ArtifactFields | None]]:
    """A page of the versions that a run read; one request."""
    operation = list_used_artifacts(
        entity=run.entity, project=run.project, run=run.run_id, first=per_page, after=after
    )
    answer = yield from fetch(operation)
    found = require_run(answer.project, run.entity, run.project, run.run_id).input_artifacts
    return Page[ArtifactFields | None].empty(after) if found is None else read_page(found, after)


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """Which versions of a collection, in which order, how many a page."""

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
    """A page of a collection's versions; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        ArtifactNotFoundError: it has no such type, or the type no such collection.
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
    answer = yield from fetch(operation)
    kind = require_project(answer.project, query.entity, query.project).artifact_type
    collection = kind.artifact_collection if kind else None
    if kind is None or collection is None:
        raise ArtifactNotFoundError(
            f"project {query.entity}/{query.project} has no collection {query.collection} of type {query.type_name}"
        )
    require_name("artifact type ", query.type_name, kind.name)
    require_name("artifact collection ", query.collection, collection.name)
    found = collection.artifacts
    if found is None:
        return Page[ResolvedArtifact].empty(after)
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
    """The runs that read a version; one request for 50. Runs whose project the server hides are left out."""
    return (yield from read_all(partial(_list_user_page, artifact_id)))


def _list_user_page(artifact_id: str, after: str | None) -> Flow[Page[PlacedRun]]:
    operation = list_artifact_users(id=artifact_id, first=USERS_PER_PAGE, after=after)
    artifact = (yield from fetch(operation)).artifact
    if artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist any more")
    require_id("artifact", artifact_id, artifact.id)
    users = artifact.used_by
    return read_page(users, after).with_nodes(
        [
            PlacedRun(edge.place.project.entity_name, edge.place.project.name, edge.node)
            for edge in users.edges
            if edge.place.project
        ]
    )


def read_creator(artifact_id: str) -> Flow[PlacedRun | None]:
    """The run that made a version; one request. None when a person made it, or the server hides the run."""
    artifact = (yield from fetch(get_artifact_creator(id=artifact_id))).artifact
    if artifact is None:
        raise ArtifactNotFoundError(f"artifact {artifact_id} does not exist any more")
    require_id("artifact", artifact_id, artifact.id)
    run, place = artifact.created_by, artifact.place
    if not isinstance(run, FullRunFields) or not isinstance(place, GetArtifactCreatorArtifactPlaceRun):
        return None
    if place.project is None:
        return None
    return PlacedRun(place.project.entity_name, place.project.name, run)


def _required(found: ResolvedArtifact, asked: ArtifactAddress) -> ResolvedArtifact:
    """Refuse another collection's version, and another version than the number that was asked for.

    An alias is not compared: servers differ in which they list.
    """
    place = found.place
    require_name("artifact collection ", path_of(asked), path_of(place))
    if VERSION.fullmatch(asked.version) and VERSION.fullmatch(place.version):
        require_name(f"artifact {path_of(asked)}:", asked.version, place.version)
    return found


def path_of(place: ArtifactAddress) -> str:
    """The collection's path, without a version."""
    return f"{place.entity}/{place.project}/{place.collection}"


def _absent(asked: ArtifactAddress) -> str:
    return (
        f"artifact {asked.qualified_name} does not exist, or your API key may not see it: "
        "an artifact is addressed by its collection and a version such as v3, or an alias such as latest"
    )
