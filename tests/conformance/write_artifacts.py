"""Writes the artifacts of the project: versions, aliases, tags, folders, references and lineage."""

from __future__ import annotations

import importlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

TREE = {
    "notes.txt": "first\n",
    "deep/er/größe ✓.txt": "grün\n",
    "deep/copy.txt": "first\n",
    "top 1%.txt": "",
}
ARTIFACT_CHANGES = (
    "save_artifact",
    "save_artifact_aliases",
    "save_artifact_tags",
    "save_artifact_ttl",
    "save_artifact_unchanged",
    "delete_artifact",
    "delete_artifact_with_aliases",
    "use_artifact",
    "use_artifact_as",
    "log_artifact",
    "log_artifact_with_aliases",
    "log_artifact_elsewhere",
    "save_collection",
    "rename_collection",
    "delete_collection",
    "unlink",
)
"""Collections of two versions each; the call of that name changes each one."""
Wandb = Any  # the SDK, which is untyped and exists only in its own environment


def write_artifacts(wandb: Wandb, project: str) -> None:
    """Log a dataset of three versions, references and a model; the environment names the folder of the references."""
    with wandb.init(project=project, id="maker", job_type="prepare") as run:
        _log_versions(wandb, run, "data", 3)
        run.log_artifact(_references(wandb), aliases=["kept"]).wait()
        run.log({"table": wandb.Table(columns=["größe", "n"], data=[["grün", 1], ["✓", 2.5]])})
    with wandb.init(project=project, id="trainer", job_type="train") as run:
        run.use_artifact(f"{project}/data:v1")
        run.use_artifact("data:best", use_as="validation")
        model = wandb.Artifact("model", type="model", description="gelernt ✓")
        model.ttl = timedelta(days=3)
        with model.new_file("model.bin", mode="wb") as file:
            file.write(bytes(range(256)) * 40)
        run.log_artifact(model, aliases=["prod", "v-1"], tags=["good", "grün"]).wait()


def write_artifacts_to_be_changed(wandb: Wandb, project: str) -> None:
    """See `ARTIFACT_CHANGES`."""
    with wandb.init(project=project, id="makes-artifacts") as run:
        for name in ARTIFACT_CHANGES:
            _log_versions(wandb, run, name, 2)
        linked = run.use_artifact("unlink:v0")
        run.link_artifact(linked, f"{project}/shelf", aliases=["chosen"])


def log_one(wandb: Wandb, run: Wandb, name: str) -> None:
    """Log a single version."""
    _log_versions(wandb, run, name, 1)


def _log_versions(wandb: Wandb, run: Wandb, name: str, count: int) -> None:
    """Log versions that share all files but one; the second is the best."""
    Path("tree/deep/er").mkdir(parents=True, exist_ok=True)
    for path, text in TREE.items():
        Path("tree", path).write_text(text, encoding="utf-8")
    for version in range(count):
        Path("tree/notes.txt").write_text(f"version {version}\n")
        artifact = wandb.Artifact(
            name,
            type="dataset",
            description=f"number {version}",
            metadata={"rows": 10 * version, "deep": {"größe": [1, 2.5, None]}},
        )
        artifact.add_dir("tree")
        artifact.add_file("tree/notes.txt", name=f"again/{version}.txt")
        run.log_artifact(artifact, aliases=["best"] if version == 1 else [], tags=["raw"]).wait()


def _references(wandb: Wandb) -> Wandb:
    artifact = wandb.Artifact("elsewhere", type="dataset")
    folder = Path(os.environ["REFERENCED_FOLDER"])
    artifact.add_reference(folder.as_uri(), name="folder")
    artifact.add_reference(f"{os.environ['REFERENCED_URL']}/b.txt", name="web/b.txt")
    entry = importlib.import_module("wandb.sdk.artifacts.artifact_manifest_entry").ArtifactManifestEntry
    # As `add_reference` would make it; the SDK's environment has no client of S3, which it needs for that.
    artifact.manifest.add_entry(entry(path="s3/c.bin", ref="s3://bucket/c.bin", digest="0123", size=3))
    return artifact
