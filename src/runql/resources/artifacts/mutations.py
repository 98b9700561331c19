"""Flows that change and delete an artifact version and tie it to a run, and what is checked before they are sent."""

from __future__ import annotations

import json
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
from runql.resources.artifacts.lookup import VERSION, find_artifact, path_of, read_artifact, source_of
from runql.resources.records.absent_fields import present
from runql.resources.records.deletion import confirmed
from runql.resources.records.identity import require_id, require_name
from runql.resources.records.run_fields import read_state
from runql.resources.records.stored_changes import unmet_text
from runql.resources.records.to_json import storable_object
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, checked_json, parse_object
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
"""The seconds to live that stand for what the collection or team says."""

FOREVER: Final = -2
"""The seconds to live that stand for no end."""

LONGEST: Final = 128
TAG: Final = re.compile(r"[-\w]+( +[-\w]+)*")
YOUNGER_INPUTS: Final = {
    "UseArtifactInput.usedAs": "used_as",
    "UseArtifactInput.artifactEntityName": "artifact_entity_name",
    "UseArtifactInput.artifactProjectName": "artifact_project_name",
}


def checked_aliases(aliases: Iterable[str]) -> list[str]:
    """Aliases without repeats, in their order.

    Raises:
        ValueError: one is empty, longer than 128, holds `/` or `:`, or looks like a version (``v3``).
        TypeError: they are no list of texts.
    """
    given = _texts("aliases", aliases)
    for alias in given:
        if not alias.strip() or len(alias) > LONGEST or "/" in alias or ":" in alias:
            raise ValueError(
                f"an alias has 1 to {LONGEST} characters, none of them / or :, not {shown(alias)}"
            )
        if VERSION.fullmatch(alias):
            raise ValueError(f"{alias!r} cannot be an alias: the server counts versions by it")
    return given


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Tags without repeats, in their order.

    Raises:
        ValueError: one is empty, longer than 128, or holds more than letters, digits, `_`, `-` and inner blanks.
        TypeError: they are no list of texts.
    """
    given = _texts("tags", tags)
    for tag in given:
        if len(tag) > LONGEST or not TAG.fullmatch(tag):
            raise ValueError(
                f"a tag has 1 to {LONGEST} letters, digits, _ or -, with blanks between them, not {shown(tag)}"
            )
    return given


def metadata_text(metadata: Mapping[str, object]) -> str:
    """The metadata as the JSON text that is stored.

    Raises:
        ValueError: it holds NaN or an infinity, which this text cannot carry.
        TypeError, ValueError: a value has no JSON form.
    """
    stored = storable_object(metadata, "metadata")
    try:
        return checked_json(stored, "metadata", allow_surrogates=True)
    except ValueError as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise ValueError(
            "metadata holds NaN or an infinity, which the server does not keep: write None or a text instead"
        ) from error


def change(place: ArtifactAddress, changes: UpdateArtifactInput) -> Flow[ArtifactFields]:
    """Write the fields that are set, and return the version as it is now; one request, safe to repeat."""
    operation = update_artifact(input=changes)
    answer = yield from _told_if_gone(place, changes.artifact_id, operation, repeatable=True)
    if answer.update_artifact is None:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more")
    require_id("artifact", changes.artifact_id, answer.update_artifact.artifact.id)
    return answer.update_artifact.artifact


def put_aliases(place: ArtifactAddress, artifact_id: str, aliases: Sequence[str]) -> Flow[None]:
    """Let aliases point to the version, wherever in its collection they pointed before; one request."""
    operation = add_aliases(input=AddAliasesInput(artifactID=artifact_id, aliases=_placed(place, aliases)))
    answer = yield from _told_if_gone(place, artifact_id, operation, repeatable=True)
    if answer.add_aliases is None or not answer.add_aliases.success:
        raise ChangeRefusedError(
            f"the server did not add aliases {', '.join(aliases)} to {place.qualified_name}"
        )


def take_aliases(place: ArtifactAddress, artifact_id: str, aliases: Sequence[str]) -> Flow[None]:
    """Take aliases from the version; one request."""
    operation = delete_aliases(
        input=DeleteAliasesInput(artifactID=artifact_id, aliases=_placed(place, aliases))
    )
    answer = yield from _told_if_gone(place, artifact_id, operation, repeatable=True)
    if answer.delete_aliases is None or not answer.delete_aliases.success:
        raise ChangeRefusedError(
            f"the server did not take aliases {', '.join(aliases)} from {place.qualified_name}"
        )


def delete(place: ArtifactAddress, artifact_id: str, *, with_aliases: bool) -> Flow[None]:
    """Delete the version; one request, which is not repeated once the server may have seen it, and see `confirmed`."""
    checked_bool("delete_aliases", with_aliases)
    wanted = DeleteArtifactInput(artifactID=artifact_id, deleteAliases=with_aliases)

    def deletion() -> Flow[DeleteArtifact]:
        operation = delete_artifact(input=wanted)
        answer = yield from _told_if_gone(place, artifact_id, operation, repeatable=False)
        if answer.delete_artifact is not None:
            require_id("artifact", artifact_id, answer.delete_artifact.artifact.id)
        return answer

    def is_there() -> Flow[bool]:
        return (yield from read_artifact(artifact_id)).state is not ArtifactState.DELETED

    answer = yield from confirmed(deletion(), is_there, f"artifact {place.qualified_name}")
    if answer is not None and answer.delete_artifact is None:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more")


def unlink(place: ArtifactAddress, artifact_id: str, collection_id: str) -> Flow[None]:
    """Take the version out of a collection that links to it; one request, and see `confirmed`."""
    wanted = UnlinkArtifactInput(artifactID=artifact_id, artifactPortfolioID=collection_id)
    deletion = _told_if_gone(place, artifact_id, unlink_artifact(input=wanted), repeatable=False)

    def is_there() -> Flow[bool]:
        return (yield from find_artifact(place)).fields.id == artifact_id

    answer = yield from confirmed(deletion, is_there, f"link {place.qualified_name}")
    if answer is not None and (answer.unlink_artifact is None or not answer.unlink_artifact.success):
        raise DeletionRefusedError(f"the server did not unlink {place.qualified_name}")


def note_use(
    run: RunAddress, artifact_id: str, place: ArtifactAddress, use_as: str | None
) -> Flow[ArtifactFields]:
    """Make the version an input of the run; one request, and once for a client one more on servers that do not
    know where it may come from.

    Raises:
        RunNotFoundError, ArtifactNotFoundError: one of them is not there.
        QueryError: the server refuses.
    """
    if use_as is not None:
        checked_str("use_as", use_as)
    wanted = UseArtifactInput(
        entityName=run.entity,
        projectName=run.project,
        runName=run.run_id,
        artifactID=artifact_id,
        usedAs=use_as or place.name,
        artifactEntityName=place.entity,
        artifactProjectName=place.project,
    )
    try:
        answer = yield from fetch(use_artifact(input=wanted), repeatable=True, needs=YOUNGER_INPUTS)
    except QueryError as error:
        unknown = error.unknown if isinstance(error, OutdatedServerError) else ()
        younger = {name for part, name in YOUNGER_INPUTS.items() if part in unknown}
        if not younger:
            yield from _raise_if_run_gone(run, error)
            yield from _raise_if_gone(place, artifact_id, error)
            raise
        kept = wanted.model_fields_set - younger
        older = UseArtifactInput.model_construct(kept, **{name: getattr(wanted, name) for name in kept})
        answer = yield from fetch(use_artifact(input=older), repeatable=True)
    if answer.use_artifact is None:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more")
    require_id("artifact", artifact_id, answer.use_artifact.artifact.id)
    return answer.use_artifact.artifact


def note_output(
    run: RunAddress,
    source: ArtifactAddress,
    type_name: str,
    digest: str,
    aliases: Collection[str] | None,
    tags: Collection[str] | None,
) -> Flow[ArtifactFields]:
    """Make a version that the server holds an output of the run; one request.

    The server finds it by its digest, so no manifest and no file follows.

    Raises:
        ValueError: the run is in another project, or an alias or tag cannot be one; raised before anything is sent.
        ArtifactPendingError: the server began a new version instead: the one with this digest is gone.
    """
    if (run.entity, run.project) != (source.entity, source.project):
        raise ValueError(
            f"run {run} cannot log {source.qualified_name}: a run logs artifacts of its own project only "
            "(use_artifact takes those of any project)"
        )
    named = [
        ArtifactAliasInput(artifactCollectionName=source.collection, alias=alias)
        for alias in checked_aliases(aliases or ())
    ]
    wanted = CreateArtifactInput(
        entityName=run.entity,
        projectName=run.project,
        runName=run.run_id,
        artifactTypeName=type_name,
        artifactCollectionNames=[source.collection],
        digest=digest,
        digestAlgorithm=ArtifactDigestAlgorithm.MANIFEST_MD5,
        enableDigestDeduplication=True,
    )
    if named:
        wanted.aliases = named
    if tags:
        wanted.tags = [TagInput(tagName=tag) for tag in checked_tags(tags)]
    try:
        answer = yield from fetch(create_artifact(input=wanted), repeatable=True)
    except QueryError as error:
        yield from _raise_if_run_gone(run, error)
        raise
    if answer.create_artifact is None:
        raise ArtifactNotFoundError(f"artifact {source.qualified_name} does not exist any more")
    logged = answer.create_artifact.artifact
    require_id(f"artifact {source.collection} with the digest", digest, logged.digest)
    if (made_at := source_of(logged)) is not None:
        require_name("artifact collection ", path_of(source), path_of(made_at))
    if logged.state is not ArtifactState.COMMITTED:
        raise ArtifactPendingError(source.qualified_name, logged.state.value)
    return logged


def kept_ttl(fields: ArtifactFields) -> int:
    """Its seconds to live as a change would say them.

    Raises:
        OutdatedServerError: the server does not know it.
    """
    if present(fields.ttl_is_inherited, "Artifact.ttlIsInherited"):
        return INHERIT
    seconds = present(fields.ttl_duration_seconds, "Artifact.ttlDurationSeconds")
    return seconds if seconds > 0 else FOREVER


def unmet_fields(before: ArtifactFields, asked: UpdateArtifactInput, stored: ArtifactFields) -> list[str]:
    """Where the server keeps something else than it was asked to, such as ``description`` or ``metadata.rows``.

    What its response does not hold was kept, for all that is known.
    """
    found: list[str] = []
    told = stored.model_fields_set
    if "description" in told and asked.description not in (None, stored.description or ""):
        found.append("description")
    if asked.metadata is not None:
        found += unmet_text("metadata", parse_object, before.metadata, asked.metadata, stored.metadata)[1]
    tags = {tag.name for tag in stored.tags or ()}
    added = {tag.tag_name for tag in asked.tags_to_add or ()}
    taken = {tag.tag_name for tag in asked.tags_to_delete or ()}
    if stored.tags is not None and (not added <= tags or taken & tags):
        found.append("tags")
    if "ttl_is_inherited" in told and asked.ttl_duration_seconds not in (None, kept_ttl(stored)):
        found.append("ttl")
    return found


def json_equal(one: Mapping[str, object], other: Mapping[str, JSONValue]) -> bool:
    """Whether metadata says the same as what is stored."""
    stored = storable_object(one, "metadata")
    return json.dumps(stored, sort_keys=True) == json.dumps(other, sort_keys=True)


def _texts(what: str, values: Iterable[str]) -> list[str]:
    if isinstance(values, str):
        raise TypeError(f"{what} must be a list of texts, not the text {shown(values)}")
    given = list(dict.fromkeys(values))
    if not all(isinstance(value, str) for value in given):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"{what} must be texts, not {shown(given)}")
    return given


def _placed(place: ArtifactAddress, aliases: Sequence[str]) -> list[ArtifactCollectionAliasInput]:
    return [
        ArtifactCollectionAliasInput(
            entityName=place.entity,
            projectName=place.project,
            artifactCollectionName=place.collection,
            alias=alias,
        )
        for alias in aliases
    ]


def _told_if_gone(
    place: ArtifactAddress, artifact_id: str, operation: Operation[T], *, repeatable: bool
) -> Flow[T]:
    try:
        return (yield from fetch(operation, repeatable=repeatable))
    except QueryError as error:
        yield from _raise_if_gone(place, artifact_id, error)
        raise


def _raise_if_gone(place: ArtifactAddress, artifact_id: str, error: QueryError) -> Flow[None]:
    """Servers word a missing version as they like: asking for it tells."""
    try:
        fields = yield from read_artifact(artifact_id)
        gone = fields.state is ArtifactState.DELETED
    except ArtifactNotFoundError:
        gone = True
    except RunqlError:
        # What was refused first says more than that asking failed, too.
        return
    if gone:
        raise ArtifactNotFoundError(f"artifact {place.qualified_name} does not exist any more") from error


def _raise_if_run_gone(run: RunAddress, error: QueryError) -> Flow[None]:
    try:
        yield from read_state(run.entity, run.project, run.run_id)
    except NotFoundError as gone:
        raise gone from error
    except RunqlError:
        return
