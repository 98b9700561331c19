"""The flows that change or delete an artifact version, or make it an input or output of a run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from runql.arguments import checked_bool, checked_str, shown
from runql.errors import (
    ArtifactNotFoundError,
    ArtifactPendingError,
    ChangeRefusedError,
    DeletionRefusedError,
    NotFoundError,
    OutdatedServerError,
    QueryError,
    RunqlError,
)
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.lookup import (
    VERSION,
    collection_path,
    find_artifact,
    read_artifact,
    require_artifact,
    source_of,
)
from runql.resources.records.absent_fields import require_field
from runql.resources.records.deletion import confirm_deletion
from runql.resources.records.identity import require_id, require_name
from runql.resources.records.name_lists import checked_names
from runql.resources.records.run_fields import read_state
from runql.resources.records.stored_changes import compare_stored_json
from runql.resources.records.to_json import to_json_object
from runql.transport.flow import Flow, fetch
from runql.values import checked_json, parse_object
from runql_graphql.delete_artifact import DeleteArtifact
from runql_graphql.enums import ArtifactDigestAlgorithm, ArtifactState
from runql_graphql.fragments import ArtifactFields
from runql_graphql.input_types import (
    AddAliasesInput,
    ArtifactAliasInput,
    ArtifactCollectionAliasInput,
    CreateArtifactInput,
    DeleteAliasesInput,
    DeleteArtifactInput,
    TagInput,
    UnlinkArtifactInput,
    UpdateArtifactInput,
    UseArtifactInput,
)
from runql_graphql.operation import Operation
from runql_graphql.operations import (
    add_aliases,
    create_artifact,
    delete_aliases,
    delete_artifact,
    unlink_artifact,
    update_artifact,
    use_artifact,
)

T = TypeVar("T")
INHERIT: Final = -1
"""The seconds to live that mean: as the collection or the team sets it."""

FOREVER: Final = -2
"""The seconds to live that mean: never delete."""

MAX_NAME_LENGTH: Final = 128
TAG: Final = re.compile(r"[-\w]+( +[-\w]+)*")
NEWER_INPUTS: Final = {
    "UseArtifactInput.usedAs": "used_as",
    "UseArtifactInput.artifactEntityName": "artifact_entity_name",
    "UseArtifactInput.artifactProjectName": "artifact_project_name",
}


def checked_aliases(aliases: Iterable[str]) -> list[str]:
    """Return the aliases without repeats, in their order.

    Raises:
        ValueError: one is empty, is longer than 128 characters, contains `/` or `:`, or is a version such as ``v3``.
        TypeError: they are not a list of str.
    """
    given = list(dict.fromkeys(checked_names("aliases", aliases)))
    for alias in given:
        if not alias.strip() or len(alias) > MAX_NAME_LENGTH or "/" in alias or ":" in alias:
            raise ValueError(
                f"an alias has 1 to {MAX_NAME_LENGTH} characters, none of them / or :, not {shown(alias)}"
            )
        if VERSION.fullmatch(alias):
            raise ValueError(f"{alias!r} cannot be an alias: the server numbers versions so")
    return given


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags without repeats, in their order.

    Raises:
        ValueError: one is empty, is longer than 128 characters, or contains other characters than letters, digits, `_`,
            `-` and inner spaces.
        TypeError: they are not a list of str.
    """
    given = list(dict.fromkeys(checked_names("tags", tags)))
    for tag in given:
        if len(tag) > MAX_NAME_LENGTH or not TAG.fullmatch(tag):
            raise ValueError(
                f"a tag has 1 to {MAX_NAME_LENGTH} letters, digits, _ or -, with spaces between them, not {shown(tag)}"
            )
    return given


def metadata_json(metadata: Mapping[str, object]) -> str:
    """Return metadata as the JSON string that the server stores.

    Raises:
        ValueError: it contains NaN or an infinity, which the server does not keep.
        TypeError, ValueError: a value has no JSON form.
    """
    stored = to_json_object(metadata, "metadata")
    try:
        return checked_json(stored, "metadata", allow_surrogates=True)
    except ValueError as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise ValueError(
            "metadata contains NaN or an infinity, which the server does not keep: use None or a str instead"
        ) from error


def update_version(place: ArtifactAddress, changes: UpdateArtifactInput) -> Flow[ArtifactFields]:
    """Write the fields that are set, and return the version as the server stores it; one idempotent request."""
    operation = update_artifact(input=changes)
    response = yield from _fetch_existing(place, changes.artifact_id, operation, repeatable=True)
    updated = response.update_artifact
    return require_artifact(updated.artifact if updated else None, changes.artifact_id, place.qualified_name)


def assign_aliases(place: ArtifactAddress, artifact_id: str, aliases: Sequence[str]) -> Flow[None]:
    """Point aliases to the version, and away from the versions that have them now; one idempotent request."""
    operation = add_aliases(
        input=AddAliasesInput(artifactID=artifact_id, aliases=_alias_inputs(place, aliases))
    )
    response = yield from _fetch_existing(place, artifact_id, operation, repeatable=True)
    if response.add_aliases is None or not response.add_aliases.success:
        raise ChangeRefusedError(
            f"the server did not add aliases {', '.join(aliases)} to {place.qualified_name}"
        )


def remove_aliases(place: ArtifactAddress, artifact_id: str, aliases: Sequence[str]) -> Flow[None]:
    """Remove aliases from the version; one idempotent request."""
    operation = delete_aliases(
        input=DeleteAliasesInput(artifactID=artifact_id, aliases=_alias_inputs(place, aliases))
    )
    response = yield from _fetch_existing(place, artifact_id, operation, repeatable=True)
    if response.delete_aliases is None or not response.delete_aliases.success:
        raise ChangeRefusedError(
            f"the server did not remove aliases {', '.join(aliases)} from {place.qualified_name}"
        )


def delete_version(place: ArtifactAddress, artifact_id: str, *, with_aliases: bool) -> Flow[None]:
    """Delete the version; one request, never sent twice; see `confirm_deletion`."""
    checked_bool("delete_aliases", with_aliases)
    change = DeleteArtifactInput(artifactID=artifact_id, deleteAliases=with_aliases)

    def deletion() -> Flow[DeleteArtifact]:
        operation = delete_artifact(input=change)
        response = yield from _fetch_existing(place, artifact_id, operation, repeatable=False)
        if response.delete_artifact is not None:
            require_id("artifact", artifact_id, response.delete_artifact.artifact.id)
        return response

    def is_there() -> Flow[bool]:
        return (yield from read_artifact(artifact_id)).state is not ArtifactState.DELETED

    response = yield from confirm_deletion(deletion(), is_there, f"artifact {place.qualified_name}")
    if response is not None and response.delete_artifact is None:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more")


def unlink_version(place: ArtifactAddress, artifact_id: str, collection_id: str) -> Flow[None]:
    """Remove the link to the version from a collection; one request, never sent twice; see `confirm_deletion`."""
    change = UnlinkArtifactInput(artifactID=artifact_id, artifactPortfolioID=collection_id)
    deletion = _fetch_existing(place, artifact_id, unlink_artifact(input=change), repeatable=False)

    def is_there() -> Flow[bool]:
        return (yield from find_artifact(place)).fields.id == artifact_id

    response = yield from confirm_deletion(deletion, is_there, f"link {place.qualified_name}")
    if response is not None and (response.unlink_artifact is None or not response.unlink_artifact.success):
        raise DeletionRefusedError(f"the server did not unlink {place.qualified_name}")


def use_version(
    run: RunAddress, artifact_id: str, place: ArtifactAddress, use_as: str | None
) -> Flow[ArtifactFields]:
    """Make the version an input of the run; one request, on older servers one more the first time.

    Raises:
        RunNotFoundError, ArtifactNotFoundError: the server does not have one of them.
        QueryError: the server refuses.
    """
    if use_as is not None:
        checked_str("use_as", use_as)
    change = UseArtifactInput(
        entityName=run.entity,
        projectName=run.project,
        runName=run.run_id,
        artifactID=artifact_id,
        usedAs=use_as or place.name,
        artifactEntityName=place.entity,
        artifactProjectName=place.project,
    )
    try:
        response = yield from fetch(use_artifact(input=change), repeatable=True, needs=NEWER_INPUTS)
    except QueryError as error:
        unknown = error.unknown if isinstance(error, OutdatedServerError) else ()
        refused = {name for part, name in NEWER_INPUTS.items() if part in unknown}
        if not refused:
            yield from _raise_if_run_gone(run, error)
            yield from _raise_if_gone(place, artifact_id, error)
            raise
        kept = change.model_fields_set - refused
        older = UseArtifactInput.model_construct(kept, **{name: getattr(change, name) for name in kept})
        response = yield from fetch(use_artifact(input=older), repeatable=True)
    used = response.use_artifact
    return require_artifact(used.artifact if used else None, artifact_id, place.qualified_name)


def log_version(
    run: RunAddress,
    source: ArtifactAddress,
    type_name: str,
    digest: str,
    aliases: Collection[str] | None,
    tags: Collection[str] | None,
) -> Flow[ArtifactFields]:
    """Make a version an output of the run; one request. The server finds the version by its digest.

    Raises:
        ValueError: the run is in another project, or an alias or tag is not valid; raised before anything is sent.
        ArtifactPendingError: the server has no version with this digest any more, and began a new one.
    """
    if (run.entity, run.project) != (source.entity, source.project):
        raise ValueError(
            f"run {run} cannot log {source.qualified_name}: a run logs artifacts of its own project only "
            "(use_artifact takes those of any project)"
        )
    alias_inputs = [
        ArtifactAliasInput(artifactCollectionName=source.collection, alias=alias)
        for alias in checked_aliases(aliases or ())
    ]
    change = CreateArtifactInput(
        entityName=run.entity,
        projectName=run.project,
        runName=run.run_id,
        artifactTypeName=type_name,
        artifactCollectionNames=[source.collection],
        digest=digest,
        digestAlgorithm=ArtifactDigestAlgorithm.MANIFEST_MD5,
        enableDigestDeduplication=True,
    )
    if alias_inputs:
        change.aliases = alias_inputs
    if tags:
        change.tags = [TagInput(tagName=tag) for tag in checked_tags(tags)]
    try:
        response = yield from fetch(create_artifact(input=change), repeatable=True)
    except QueryError as error:
        yield from _raise_if_run_gone(run, error)
        raise
    if response.create_artifact is None:
        raise ArtifactNotFoundError(f"artifact {source.qualified_name} does not exist any more")
    logged = response.create_artifact.artifact
    require_id(f"artifact {source.collection} with the digest", digest, logged.digest)
    if (made_at := source_of(logged)) is not None:
        require_name("artifact collection ", collection_path(source), collection_path(made_at))
    if logged.state is not ArtifactState.COMMITTED:
        raise ArtifactPendingError(source.qualified_name, logged.state.value)
    return logged


def stored_ttl(fields: ArtifactFields) -> int:
    """Return the stored time to live in seconds, `INHERIT` or `FOREVER`.

    Raises:
        OutdatedServerError: the server does not know the field.
    """
    if require_field(fields.ttl_is_inherited, "Artifact.ttlIsInherited"):
        return INHERIT
    seconds = require_field(fields.ttl_duration_seconds, "Artifact.ttlDurationSeconds")
    return seconds if seconds > 0 else FOREVER


def unstored_fields(before: ArtifactFields, sent: UpdateArtifactInput, stored: ArtifactFields) -> list[str]:
    """Return the fields that the server did not store as sent, such as ``description`` or ``metadata.rows``.

    Fields that the response does not contain count as stored.
    """
    found: list[str] = []
    returned = stored.model_fields_set
    if "description" in returned and sent.description not in (None, stored.description or ""):
        found.append("description")
    if sent.metadata is not None:
        found += compare_stored_json(
            "metadata", parse_object, before.metadata, sent.metadata, stored.metadata
        )[1]
    tags = {tag.name for tag in stored.tags or ()}
    added = {tag.tag_name for tag in sent.tags_to_add or ()}
    removed = {tag.tag_name for tag in sent.tags_to_delete or ()}
    if stored.tags is not None and (not added <= tags or removed & tags):
        found.append("tags")
    if "ttl_is_inherited" in returned and sent.ttl_duration_seconds not in (None, stored_ttl(stored)):
        found.append("ttl")
    return found


def _alias_inputs(place: ArtifactAddress, aliases: Sequence[str]) -> list[ArtifactCollectionAliasInput]:
    return [
        ArtifactCollectionAliasInput(
            entityName=place.entity,
            projectName=place.project,
            artifactCollectionName=place.collection,
            alias=alias,
        )
        for alias in aliases
    ]


def _fetch_existing(
    place: ArtifactAddress, artifact_id: str, operation: Operation[T], *, repeatable: bool
) -> Flow[T]:
    try:
        return (yield from fetch(operation, repeatable=repeatable))
    except QueryError as error:
        yield from _raise_if_gone(place, artifact_id, error)
        raise


def _raise_if_gone(place: ArtifactAddress, artifact_id: str, error: QueryError) -> Flow[None]:
    """Read the version to find out whether it is gone: servers differ in how they report that."""
    try:
        fields = yield from read_artifact(artifact_id)
        gone = fields.state is ArtifactState.DELETED
    except ArtifactNotFoundError:
        gone = True
    except RunqlError:
        # The first error says more than this one.
        return
    if gone:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more") from error


def _raise_if_run_gone(run: RunAddress, error: QueryError) -> Flow[None]:
    try:
        yield from read_state(run)
    except NotFoundError as gone:
        raise gone from error
    except RunqlError:
        return
