"""Every path that is written is read back, and no text does worse than a `PathError`."""

from __future__ import annotations

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from runql.errors import PathError
from runql.paths import (
    ArtifactAddress,
    ArtifactPath,
    ProjectPath,
    RunPath,
    artifact_url,
    is_name,
    parse_artifact_path,
    parse_project_path,
    parse_run_path,
    run_url,
)

# The short texts make likely what plain text rarely gives: markers, separators, and two equal parts.
NAMES = st.one_of(
    st.text(min_size=1),
    st.text(st.sampled_from("ab/:%?# .+"), min_size=1, max_size=5),
    st.sampled_from(["runs", "sweeps", "same", "%41", "https:"]),
).filter(is_name)
# As people type them: no separator, no escape, and no blank at an end, where it may be stripped.
PLAIN_NAMES = NAMES.filter(
    lambda name: not set("/:%") & set(name) and name.strip() == name and name not in {"runs", "sweeps"}
)
PATH_LIKE = st.text(st.sampled_from("ab/:%2F0?#[]@. \n\ud800runs"), max_size=30)
URL_LIKE = st.builds("http{}://{}".format, st.sampled_from(["", "s"]), PATH_LIKE)
RUN_PATHS = st.one_of(
    st.builds(RunPath, st.none(), st.none(), NAMES),
    st.builds(RunPath, st.none(), NAMES, NAMES),
    st.builds(RunPath, NAMES, NAMES, NAMES),
)
PROJECT_PATHS = st.one_of(
    st.just(ProjectPath(None, None)),
    st.builds(ProjectPath, st.none(), NAMES),
    st.builds(ProjectPath, NAMES, NAMES),
)

ARTIFACT_PATHS = st.one_of(
    st.builds(ArtifactPath, st.none(), st.none(), NAMES, NAMES),
    st.builds(ArtifactPath, st.none(), NAMES, NAMES, NAMES),
    st.builds(ArtifactPath, NAMES, NAMES, NAMES, NAMES),
)


@given(ARTIFACT_PATHS)
def test_artifact_paths_are_read_back(path: ArtifactPath) -> None:
    assert parse_artifact_path(str(path)) == path


@given(PLAIN_NAMES, PLAIN_NAMES, PLAIN_NAMES, PLAIN_NAMES)
def test_plain_names_of_artifacts_are_taken_as_they_stand(
    entity: str, project: str, collection: str, version: str
) -> None:
    whole = ArtifactPath(entity, project, collection, version)
    assert parse_artifact_path(f"{entity}/{project}/{collection}:{version}") == whole
    assert parse_artifact_path(f"{collection}:{version}") == ArtifactPath(None, None, collection, version)


@given(NAMES, NAMES, NAMES, NAMES, NAMES)
def test_the_url_of_an_artifact_is_a_path_to_it(
    entity: str, project: str, kind: str, collection: str, version: str
) -> None:
    url = artifact_url("http://127.0.0.1:8080", ArtifactAddress(entity, project, collection, version), kind)
    assert parse_artifact_path(url) == ArtifactPath(entity, project, collection, version)


@given(RUN_PATHS)
@example(RunPath("runs", "runs", "runs"))
@example(RunPath(None, "sweeps", "sweeps"))
def test_run_paths_are_read_back(path: RunPath) -> None:
    assert parse_run_path(str(path)) == path
    assert parse_run_path(f"/{path}/") == path


@given(PROJECT_PATHS)
def test_project_paths_are_read_back(path: ProjectPath) -> None:
    assert parse_project_path(str(path)) == path


@given(PLAIN_NAMES, PLAIN_NAMES, PLAIN_NAMES)
def test_plain_text_is_taken_as_it_stands(entity: str, project: str, run_id: str) -> None:
    whole = RunPath(entity, project, run_id)
    assert parse_run_path(f"{entity}/{project}/{run_id}") == whole
    assert parse_run_path(f"{entity}/{project}:{run_id}") == whole
    assert parse_run_path(f"{entity}/{project}/runs/{run_id}") == whole
    assert parse_run_path(f"{project}/{run_id}") == RunPath(None, project, run_id)
    assert parse_run_path(run_id) == RunPath(None, None, run_id)
    assert parse_project_path(f"{entity}/{project}") == ProjectPath(entity, project)


@given(NAMES, NAMES, NAMES)
def test_the_url_of_a_run_is_a_path_to_it(entity: str, project: str, run_id: str) -> None:
    url = run_url("http://127.0.0.1:8080", entity, project, run_id)
    assert parse_run_path(url) == RunPath(entity, project, run_id)
    assert parse_run_path(f"{url}/overview?nw=x/y#z") == RunPath(entity, project, run_id)


@given(st.one_of(st.text(), st.text(st.characters()), PATH_LIKE, URL_LIKE))
def test_no_text_does_worse_than_a_path_error(text: str) -> None:
    with contextlib.suppress(PathError):
        assert is_name(parse_run_path(text).run_id)
    with contextlib.suppress(PathError):
        assert is_name(parse_artifact_path(text).collection)
    with contextlib.suppress(PathError):
        project = parse_project_path(text).project
        assert project is None or is_name(project)
