"""The aware twins of the records' times; none of them sends a request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runql.errors import NotLoadedError, UnreadableValueError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.collections.lookup import TypeAddress
from runql.resources.artifacts.collections.record import CollectionRecord
from runql.resources.artifacts.collections.types import TypeRecord
from runql.resources.artifacts.files import ArtifactFileQuery, ArtifactFileRecord
from runql.resources.artifacts.lookup import ResolvedArtifact
from runql.resources.artifacts.record import ArtifactRecord
from runql.resources.files.record import FileRecord
from runql.resources.project import ProjectRecord
from runql.resources.runs.record import RunRecord
from runql.resources.sweeps.record import SweepRecord
from runql_graphql.fragments import (
    ArtifactCollectionFields,
    ArtifactFields,
    ArtifactFileFields,
    ArtifactTypeFields,
    FileFields,
    FullRunFields,
    ProjectFields,
    RunFields,
    SweepFields,
)

RUN = RunAddress("e", "p", "r")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def project(created: str, updated: str | None) -> ProjectRecord:
    return ProjectRecord(
        "https://app",
        ProjectFields.model_construct(
            id="1", name="p", entity_name="e", created_at=created, updated_at=updated
        ),
    )


def test_a_project_has_both_twins() -> None:
    found = project("2026-01-31T12:00:00", "2026-01-31T13:00:00+01:00")
    assert (found.created_time, found.updated_time) == (NOON, NOON)
    assert (found.created_at, found.updated_at) == ("2026-01-31T12:00:00", "2026-01-31T13:00:00+01:00")
    assert project("2026-01-31T12:00:00", None).updated_time is None


def test_the_error_names_the_record_and_the_str_stays_readable() -> None:
    found = project("long ago", None)
    with pytest.raises(UnreadableValueError, match="'long ago' as created_at of project e/p"):
        _ = found.created_time
    assert found.created_at == "long ago"


def test_files_have_their_twin() -> None:
    of_run = FileRecord(RUN, FileFields.model_construct(name="a", updated_at="2026-01-31T12:00:00Z"), None)
    query = ArtifactFileQuery.checked("1", "e/p/c:v0", None, 1)
    of_artifact = ArtifactFileRecord(
        query, ArtifactFileFields.model_construct(name="a", updated_at="2026-01-31T12:00:00Z")
    )
    assert of_run.updated_time == of_artifact.updated_time == NOON
    never = FileRecord(RUN, FileFields.model_construct(name="a", updated_at=None), None)
    assert never.updated_time is None
    bad = FileRecord(RUN, FileFields.model_construct(name="a", updated_at="soon"), None)
    with pytest.raises(UnreadableValueError, match="updated_at of file a of run e/p/r"):
        assert bad.updated_time


def test_an_artifact_type_has_its_twin() -> None:
    fields = ArtifactTypeFields.model_construct(id="1", name="model", created_at="2026-01-31T12:00:00")
    assert TypeRecord("e", "p", fields).created_time == NOON


class HandRun(RunRecord):
    """A run of a list, without a client."""

    def _light(self) -> RunFields | FullRunFields:
        assert self._fields is not None
        return self._fields

    def _full(self) -> FullRunFields:
        raise NotLoadedError("not loaded in full")


class HandSweep(SweepRecord):
    """A sweep without a client."""

    def _loaded(self) -> SweepFields:
        assert self._fields is not None
        return self._fields


def run(created: str, heartbeat: str | None) -> RunRecord:
    fields = RunFields.model_construct(created_at=created, heartbeat_at=heartbeat)
    return HandRun(RUN, "https://app", fields)


def test_a_run_has_both_twins() -> None:
    found = run("2026-01-31T12:00:00", "2026-01-31T12:00:00Z")
    assert (found.created_time, found.heartbeat_time) == (NOON, NOON)
    assert run("2026-01-31T12:00:00", None).heartbeat_time is None
    with pytest.raises(UnreadableValueError, match="heartbeat_at of run e/p/r"):
        assert run("2026-01-31T12:00:00", "soon").heartbeat_time


def test_a_sweep_has_both_twins() -> None:
    fields = SweepFields.model_construct(created_at="2026-01-31T12:00:00", updated_at=None)
    found = HandSweep("e", "p", "s", "https://app", fields)
    assert (found.created_time, found.updated_time) == (NOON, None)


def test_an_artifact_has_both_twins_and_one_that_never_changed_has_its_creation_twice() -> None:
    fields = ArtifactFields.model_construct(created_at="2026-01-31T12:00:00", updated_at=None)
    place = ArtifactAddress("e", "p", "rows", "v0")
    found = ArtifactRecord(ResolvedArtifact(fields, place, ()), "https://app")
    assert (found.created_time, found.updated_time) == (NOON, NOON)


def test_a_collection_has_both_twins() -> None:
    fields = ArtifactCollectionFields.model_construct(
        name="rows", created_at="2026-01-31T12:00:00", updated_at="2026-01-31T12:00:00Z", tags=None
    )
    found = CollectionRecord(TypeAddress("e", "p", "dataset"), fields)
    assert (found.created_time, found.updated_time) == (NOON, NOON)
