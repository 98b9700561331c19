"""The part of a run that artifacts hang on: what it wrote and what it read, each with its awaited twin."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from runql.errors import ArtifactPendingError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.pages.listing import RUN_PER_PAGE
from runql.resources.runs.exports import AsyncRunExports, RunExports
from runql.transport.flow import Flow
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.resources.artifacts.artifact import Artifact, AsyncArtifact
    from runql.resources.artifacts.lookup import ResolvedArtifact
    from runql.resources.artifacts.record import ArtifactRecord
    from runql.resources.artifacts.versions import AsyncRunArtifacts, RunArtifacts
    from runql.transport.aio import AsyncRetryingClient


class RunLineage(RunExports):
    """A `RunExports` that tells and changes which artifacts it wrote and read."""

    _client: RetryingClient

    def logged_artifacts(self, per_page: int = RUN_PER_PAGE) -> RunArtifacts:
        """Return the artifact versions that the run wrote, read page by page as they are looked at; one request a page.

        Args:
            per_page: versions a request asks for, at least 1.
        """
        from runql.resources.artifacts.versions import RunArtifacts

        return RunArtifacts(self._client, self._place, "logged", per_page)

    def used_artifacts(self, per_page: int = RUN_PER_PAGE) -> RunArtifacts:
        """Return the artifact versions that the run was said to read; as `logged_artifacts`."""
        from runql.resources.artifacts.versions import RunArtifacts

        return RunArtifacts(self._client, self._place, "used", per_page)

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Say that the run reads a version, of any project; one request, on old servers once one more.

        Args:
            artifact: such as `Api.artifact` returns.
            use_as: a name for the part it plays in the run; by default the artifact's own.

        Returns:
            The artifact that was given.

        Raises:
            TypeError: it is no artifact.
            ArtifactPendingError: it is still being written. Both are raised before anything is sent.
            RunNotFoundError, ArtifactNotFoundError: one of them was deleted meanwhile.
            AnswerError: the server refuses.
        """
        self._client.run(_note_use(self._place, artifact, use_as))
        return artifact

    def log_artifact(
        self,
        artifact: Artifact,
        aliases: Collection[str] | None = None,
        tags: Collection[str] | None = None,
    ) -> Artifact:
        """Say that the run wrote a version that the server holds, of the run's own project; one request.

        Args:
            artifact: such as `Api.artifact` returns.
            aliases: point to it from now on, besides those that do already.
            tags: are added to its own.

        Returns:
            The artifact as it is now, where it was made.

        Raises:
            TypeError: it is no artifact, or aliases or tags are no list of texts.
            ValueError: it is of another project, or an alias or tag cannot be one.
            ArtifactPendingError: it is still being written. All are raised before anything is sent.
            RunNotFoundError, ArtifactNotFoundError: one of them was deleted meanwhile.
            AnswerError: the server refuses.
        """
        from runql.resources.artifacts.artifact import Artifact

        found = self._client.run(_note_output(self._place, artifact, aliases, tags))
        return Artifact(self._client, found)


class AsyncRunLineage(AsyncRunExports):
    """As `RunLineage`, awaited."""

    _client: AsyncRetryingClient

    def logged_artifacts(self, per_page: int = RUN_PER_PAGE) -> AsyncRunArtifacts:
        """As `RunLineage.logged_artifacts`."""
        from runql.resources.artifacts.versions import AsyncRunArtifacts

        return AsyncRunArtifacts(self._client, self._place, "logged", per_page)

    def used_artifacts(self, per_page: int = RUN_PER_PAGE) -> AsyncRunArtifacts:
        """As `RunLineage.used_artifacts`."""
        from runql.resources.artifacts.versions import AsyncRunArtifacts

        return AsyncRunArtifacts(self._client, self._place, "used", per_page)

    async def use_artifact(self, artifact: AsyncArtifact, use_as: str | None = None) -> AsyncArtifact:
        """As `RunLineage.use_artifact`."""
        await self._client.run(_note_use(self._place, artifact, use_as))
        return artifact

    async def log_artifact(
        self,
        artifact: AsyncArtifact,
        aliases: Collection[str] | None = None,
        tags: Collection[str] | None = None,
    ) -> AsyncArtifact:
        """As `RunLineage.log_artifact`."""
        from runql.resources.artifacts.artifact import AsyncArtifact

        found = await self._client.run(_note_output(self._place, artifact, aliases, tags))
        return AsyncArtifact(self._client, found)


def _note_use(run: RunAddress, artifact: ArtifactRecord, use_as: str | None) -> Flow[None]:
    from runql.resources.artifacts.mutations import use_version

    yield from use_version(run, _checked(artifact).id, _place_of(artifact), use_as)


def _note_output(
    run: RunAddress,
    artifact: ArtifactRecord,
    aliases: Collection[str] | None,
    tags: Collection[str] | None,
) -> Flow[ResolvedArtifact]:
    from runql.resources.artifacts.lookup import resolved_at, source_of, tags_of
    from runql.resources.artifacts.mutations import log_version
    from runql.resources.records.stored_changes import incomplete_update, missing_names

    _checked(artifact)
    collection = artifact.source_name.rpartition(":")[0]
    source = ArtifactAddress(
        artifact.source_entity, artifact.source_project, collection, artifact.source_version
    )
    fields = yield from log_version(run, source, artifact.type, artifact.digest, aliases, tags)
    found = resolved_at(fields, source_of(fields) or source)
    failed = missing_names("alias", aliases, found.aliases)
    if tags:
        failed += missing_names("tag", tags, tags_of(fields))
    if failed:
        raise incomplete_update(f"artifact {found.place.qualified_name}", ["output of the run"], failed)
    return found


def _place_of(artifact: ArtifactRecord) -> ArtifactAddress:
    return ArtifactAddress(artifact.entity, artifact.project, artifact.collection_name, artifact.version)


def _checked(artifact: ArtifactRecord) -> ArtifactRecord:
    from runql.resources.artifacts.record import COMMITTED, ArtifactRecord

    if not isinstance(artifact, ArtifactRecord):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(
            f"an artifact such as Api.artifact() returns is needed, not {type(artifact).__name__}"
        )
    if artifact.state != COMMITTED.value:
        raise ArtifactPendingError(artifact.qualified_name, artifact.state)
    return artifact
