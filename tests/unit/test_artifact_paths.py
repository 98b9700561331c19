"""Which paths name which artifact version, and which name none."""

from __future__ import annotations

import pytest

from runql.errors import PathError
from runql.paths import ArtifactAddress, ArtifactPath, artifact_url, parse_artifact_path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("team/vision/mnist:v3", ("team", "vision", "mnist", "v3")),
        ("vision/mnist:best", (None, "vision", "mnist", "best")),
        ("mnist:v3", (None, None, "mnist", "v3")),
        ("mnist", (None, None, "mnist", "latest")),
        ("team/vision/mnist", ("team", "vision", "mnist", "latest")),
        (" /team/vision/mnist:v3 ", ("team", "vision", "mnist", "v3")),
        ("team/my%20project/a%2Fb:50%25", ("team", "my project", "a/b", "50%")),
        ("https://wandb.ai/team/vision/artifacts/dataset/mnist/v3", ("team", "vision", "mnist", "v3")),
        (
            "https://wandb.ai/team/vision/artifacts/dataset/mnist/v3/files/a",
            ("team", "vision", "mnist", "v3"),
        ),
        ("https://wandb.ai/team/vision/artifacts/dataset/mnist", ("team", "vision", "mnist", "latest")),
    ],
)
def test_paths_of_artifacts(path: str, parts: tuple[str | None, str | None, str, str]) -> None:
    assert parse_artifact_path(path) == ArtifactPath(*parts)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ":v3",
        "a/b/c/d:v3",
        "mnist:",
        "mnist:v3:v4",
        "mnist:a/b",
        "a//b:v3",
        "a\0b:v3",
        "https://wandb.ai/team/vision/runs/8abcdef1",
        "https://wandb.ai/team/vision/artifacts/dataset",
    ],
)
def test_what_names_no_artifact_is_refused(path: str) -> None:
    with pytest.raises(PathError, match="Valid forms are entity/project/collection:version"):
        parse_artifact_path(path)


def test_defaults_fill_what_a_path_leaves_out() -> None:
    path = parse_artifact_path("mnist:v3")
    assert path.resolve(entity="e", project="p") == ArtifactAddress("e", "p", "mnist", "v3")
    assert path.resolve(entity="e").project == "uncategorized"
    with pytest.raises(PathError, match="without a project"):
        ArtifactPath("e", None, "mnist")


def test_the_page_of_an_artifact() -> None:
    place = ArtifactAddress("team", "my project", "a/b", "v3")
    url = artifact_url("https://wandb.ai", place, "model")
    assert url == "https://wandb.ai/team/my%20project/artifacts/model/a%2Fb/v3"
    assert parse_artifact_path(url) == ArtifactPath("team", "my project", "a/b", "v3")
