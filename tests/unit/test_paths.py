"""Which paths name which run or project, and which name none."""

from __future__ import annotations

import pytest

from runql.errors import PathError
from runql.paths import (
    ProjectAddress,
    ProjectPath,
    RunAddress,
    RunPath,
    parse_project_path,
    parse_run_path,
    quote_part,
    run_url,
)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("team/vision/8abcdef1", ("team", "vision", "8abcdef1")),
        ("vision/8abcdef1", (None, "vision", "8abcdef1")),
        ("8abcdef1", (None, None, "8abcdef1")),
        ("team/vision:8abcdef1", ("team", "vision", "8abcdef1")),
        ("vision:8abcdef1", (None, "vision", "8abcdef1")),
        ("team/vision/runs/8abcdef1", ("team", "vision", "8abcdef1")),
        ("team/vision/sweeps/8abcdef1", ("team", "vision", "8abcdef1")),
        ("vision/runs/8abcdef1", (None, "vision", "8abcdef1")),
        ("/runs/8abcdef1", (None, None, "8abcdef1")),
        ("/team/vision/8abcdef1/", ("team", "vision", "8abcdef1")),
        (" team/vision/8abcdef1 ", ("team", "vision", "8abcdef1")),
        # Three parts are never reinterpreted, also when two of them are the same text.
        ("team/same/same", ("team", "same", "same")),
        ("same/same/same", ("same", "same", "same")),
        ("team/team/8abcdef1", ("team", "team", "8abcdef1")),
        # Only a marker before the id, with a slash on both sides, is one.
        ("runs/8abcdef1", (None, "runs", "8abcdef1")),
        ("team/vision/runs", ("team", "vision", "runs")),
        ("team/runs/runs/8abcdef1", ("team", "runs", "8abcdef1")),
        ("team/runs:8abcdef1", ("team", "runs", "8abcdef1")),
        ("runs/sweeps/8abcdef1", (None, "runs", "8abcdef1")),
        ("team/vision/runs/a:b", ("team", "vision", "a:b")),
        # Run.path quotes its parts.
        ("team/my%20project/a%2Fb%3Ac", ("team", "my project", "a/b:c")),
        ("team/my project/50%", ("team", "my project", "50%")),
        ("https://wandb.ai/team/vision/runs/8abcdef1", ("team", "vision", "8abcdef1")),
        ("https://wandb.ai/team/vision/runs/8abcdef1/?nw=me#charts", ("team", "vision", "8abcdef1")),
        ("HTTP://127.0.0.1:8080/team/vision/runs/8abcdef1/logs", ("team", "vision", "8abcdef1")),
        ("https://wandb.ai/team/vision/sweeps/8abcdef1", ("team", "vision", "8abcdef1")),
        ("https://wandb.ai/team/runs/runs/a%20b", ("team", "runs", "a b")),
        ("https://wandb.ai/wandb/runs/runs/8abcdef1", ("wandb", "runs", "8abcdef1")),
        ("https://forge.coreweave.com/wandb/team/runs/runs/8abcdef1/logs", ("team", "runs", "8abcdef1")),
    ],
)
def test_paths_of_runs(path: str, parts: tuple[str | None, str | None, str]) -> None:
    assert parse_run_path(path) == RunPath(*parts)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("/", "empty"),
        ("//", "empty"),
        ("team//8abcdef1", "empty"),
        ("team/vision/ /", "empty"),
        ("team/%20/8abcdef1", "empty"),
        ("vision:", "empty"),
        (":8abcdef1", "empty"),
        ("a/b/c/d", "too many parts"),
        ("a/b/c:d", "too many parts"),
        ("a/b/runs/c/d", "too many parts"),
        ("vision:a:b", "more than one"),
        ("team/vision/..", "no name"),
        ("team/vision/%2E", "no name"),
        ("team/vi\nsion/8abcdef1", "control character"),
        ("team/vision/8abcdef1\n", "control character"),
        ("team/vision/%00", "no name"),
        ("team/vision/\ud800", "surrogate"),
        ("team/vision/%FF", "UTF-8"),
        ("https://wandb.ai/team/vision/8abcdef1", "no /entity/project/runs/id"),
        ("https://wandb.ai/team/vision/runs", "no /entity/project/runs/id"),
        ("https://wandb.ai/team//runs/8abcdef1", "empty"),
        ("https:///team/vision/runs/8abcdef1", "no host"),
        ("https://[wandb.ai/team/vision/runs/8abcdef1", "no URL"),
        ("ftp://wandb.ai/team/vision/runs/8abcdef1", "too many parts"),
    ],
)
def test_paths_that_name_no_run(path: str, complaint: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_run_path(path)
    text = str(caught.value)
    assert complaint in text
    for form in ("entity/project/id", "entity/project:id", "https://wandb.ai/entity/project/runs/id"):
        assert form in text


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("vision", (None, "vision")),
        ("team/vision", ("team", "vision")),
        ("/team/vision/", ("team", "vision")),
        ("team/", (None, "team")),
        ("same/same", ("same", "same")),
        ("team/runs", ("team", "runs")),
        ("team/my%20project", ("team", "my project")),
        ("https://wandb.ai/team/vision", ("team", "vision")),
        ("https://wandb.ai/team/vision/workspace?nw=me#top", ("team", "vision")),
        ("http://127.0.0.1:8080/team/vision/", ("team", "vision")),
        ("https://forge.coreweave.com/wandb/team/vision", ("team", "vision")),
        ("https://forge.coreweave.com/wandb/team/vision/workspace", ("team", "vision")),
    ],
)
def test_paths_of_projects(path: str | None, parts: tuple[str | None, str | None]) -> None:
    assert parse_project_path(path) == ProjectPath(*parts)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/", "empty"),
        (" ", "empty"),
        ("/team//", "empty"),
        ("team//vision", "too many parts"),
        ("team/vision/8abcdef1", "too many parts"),
        ("team/vision:8abcdef1", "too many parts"),
        ("team/vi\tsion", "control character"),
        ("https://wandb.ai/team", "no /entity/project"),
        ("https://wandb.ai/team/vision/runs/8abcdef1", "goes on beyond it"),
    ],
)
def test_paths_that_name_no_project(path: str, complaint: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_project_path(path)
    assert complaint in str(caught.value)
    assert "Valid forms are entity/project, project, or the project's URL" in str(caught.value)


@pytest.mark.parametrize("path", [7, b"team/vision/8abcdef1", ["team", "vision", "8abcdef1"]])
def test_paths_must_be_text(path: str) -> None:
    with pytest.raises(TypeError, match="a path must be a str, not"):
        parse_run_path(path)
    with pytest.raises(TypeError, match="a path must be a str, not"):
        parse_project_path(path)


def test_errors_show_neither_passwords_nor_tokens() -> None:
    with pytest.raises(PathError) as caught:
        parse_run_path("https://me:hunter2@wandb.ai/team/vision?accessToken=s3cret")
    assert "hunter2" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "wandb.ai/team/vision" in str(caught.value)
    with pytest.raises(PathError) as caught:
        parse_run_path("x" * 100_000 + "//")
    assert len(str(caught.value)) < 600


def test_defaults_fill_what_is_missing_and_nothing_else() -> None:
    assert parse_run_path("a").resolve(entity="team", project="vision") == RunAddress("team", "vision", "a")
    assert parse_run_path("p/a").resolve(entity="team", project="vision") == RunAddress("team", "p", "a")
    assert parse_run_path("e/p/a").resolve(entity="team", project="vision") == RunAddress("e", "p", "a")
    assert parse_run_path("a").resolve(entity="team") == RunAddress("team", "uncategorized", "a")
    assert parse_project_path(None).resolve(entity="team") == ProjectAddress("team", "uncategorized")
    assert parse_project_path("e/p").resolve(entity="team", project="vision") == ProjectAddress("e", "p")


def test_an_entity_needs_a_project() -> None:
    with pytest.raises(PathError, match="without a project"):
        RunPath("team", None, "8abcdef1")
    with pytest.raises(PathError, match="names no project"):
        ProjectPath("team", None)


def test_paths_are_written_as_they_are_read() -> None:
    assert str(RunPath(None, "my project", "a/b")) == "my%20project/a%2Fb"
    assert str(RunAddress("team", "vision", "8abcdef1")) == "team/vision/8abcdef1"
    assert str(RunAddress("team", "runs", "8abcdef1")) == "team/runs/runs/8abcdef1"
    assert str(ProjectAddress("team", "vision")) == "team/vision"


def test_urls_quote_every_part() -> None:
    assert quote_part("a/b c+d~é") == "a%2Fb%20c%2Bd~%C3%A9"
    assert quote_part("\ud800") == "%3F"
    assert (
        run_url("https://wandb.ai", "my team", "a/b", "r?1") == "https://wandb.ai/my%20team/a%2Fb/runs/r%3F1"
    )
