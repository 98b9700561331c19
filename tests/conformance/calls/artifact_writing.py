"""Calls that change artifacts, and tie them to runs; what counts is what the server holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from tests.conformance.calls.call import Calls, Subjects, Thing
from tests.conformance.calls.subjects import ENTITY, PATH
from tests.conformance.library import Library
from tests.conformance.write_artifacts import ARTIFACT_CHANGES

ARTIFACT_WRITING = Calls()


def target(name: str, version: str = "v0") -> Subjects:
    """The version that the call of this name may change."""
    if name not in ARTIFACT_CHANGES:
        raise ValueError(f"write_artifacts.ARTIFACT_CHANGES lacks {name}")

    def found(library: Library) -> Mapping[str, Thing]:
        return {"": library.api().artifact(f"{ENTITY}/changes/{name}:{version}")}

    return found


def with_run(name: str, path: str = "changes/with_artifacts") -> Subjects:
    """That version, and a run to tie it to."""

    def found(library: Library) -> Mapping[str, Thing]:
        api = library.api()
        return {"": (api.artifact(f"{ENTITY}/changes/{name}:v0"), api.run(f"{ENTITY}/{path}"))}

    return found


@ARTIFACT_WRITING.of(
    "Artifact.save",
    "Artifact.description",
    "Artifact.metadata",
    on=target("save_artifact"),
    changes="artifact",
)
def save_artifact(artifact: Thing) -> object:
    """description and metadata, which were changed."""
    artifact.description = "another ✓"
    artifact.metadata["rows"] = 7
    artifact.metadata["new"] = {"a": [1, None, 2.5]}
    artifact.save()
    return [artifact.description, artifact.metadata]


@ARTIFACT_WRITING.of(
    "Artifact.save", "Artifact.aliases", on=target("save_artifact_aliases", "v1"), changes="artifact"
)
def save_artifact_aliases(artifact: Thing) -> object:
    """aliases, added and taken away."""
    artifact.aliases = ["latest", "prod"]
    artifact.save()
    return sorted(artifact.aliases)


@ARTIFACT_WRITING.of("Artifact.save", "Artifact.tags", on=target("save_artifact_tags"), changes="artifact")
def save_artifact_tags(artifact: Thing) -> object:
    """tags, added and taken away."""
    artifact.tags = ["clean", "second"]
    artifact.save()
    return sorted(artifact.tags)


@ARTIFACT_WRITING.of("Artifact.save", "Artifact.ttl", on=target("save_artifact_ttl"), changes="artifact")
def save_artifact_ttl(artifact: Thing) -> object:
    """the time to live."""
    artifact.ttl = timedelta(days=2)
    artifact.save()
    return artifact.ttl


@ARTIFACT_WRITING.of("Artifact.save", on=target("save_artifact_unchanged"), changes="artifact")
def save_artifact_unchanged(artifact: Thing) -> object:
    """nothing was changed."""
    return artifact.save()


@ARTIFACT_WRITING.of("Artifact.delete", on=target("delete_artifact"), changes="artifact")
def delete_artifact(artifact: Thing) -> object:
    """a version without aliases."""
    return artifact.delete()


@ARTIFACT_WRITING.of("Artifact.delete", on=target("delete_artifact_with_aliases", "v1"), changes="artifact")
def delete_artifact_with_aliases(artifact: Thing) -> object:
    """a version with aliases: refused, then with `delete_aliases=True`."""
    try:
        artifact.delete()
    except Exception:  # noqa: BLE001 - that it is refused, whatever the error, is the answer
        artifact.delete(delete_aliases=True)
        return "refused at first"
    return "deleted at once"


@ARTIFACT_WRITING.of("Run.use_artifact", on=with_run("use_artifact"), changes="artifact")
def use_artifact(both: tuple[Thing, Thing]) -> object:
    """an input of a run."""
    artifact, run = both
    return run.use_artifact(artifact).name


@ARTIFACT_WRITING.of("Run.use_artifact", on=with_run("use_artifact_as"), changes="artifact")
def use_artifact_as(both: tuple[Thing, Thing]) -> object:
    """`use_as`."""
    artifact, run = both
    return run.use_artifact(artifact, use_as="training data").name


@ARTIFACT_WRITING.of("Run.log_artifact", on=with_run("log_artifact"), changes="artifact")
def log_artifact(both: tuple[Thing, Thing]) -> object:
    """an output of a run."""
    artifact, run = both
    return run.log_artifact(artifact).name


@ARTIFACT_WRITING.of("Run.log_artifact", on=with_run("log_artifact_with_aliases"), changes="artifact")
def log_artifact_with_aliases(both: tuple[Thing, Thing]) -> object:
    """with aliases and tags."""
    artifact, run = both
    return run.log_artifact(artifact, aliases=["noted"], tags=["noted-tag"]).name


@ARTIFACT_WRITING.of(
    "Run.log_artifact",
    on=with_run("log_artifact_elsewhere", f"{PATH.partition('/')[2]}/plain"),
    changes="artifact",
)
def log_artifact_elsewhere(both: tuple[Thing, Thing]) -> object:
    """an output of a run of another project."""
    artifact, run = both
    return run.log_artifact(artifact).name


def collection(name: str) -> Subjects:
    """The collection that the call of this name may change, and the entry point."""

    def found(library: Library) -> Mapping[str, Thing]:
        api = library.api()
        return {"": (api.artifact_collection("dataset", f"{ENTITY}/changes/{name}"), api)}

    return found


@ARTIFACT_WRITING.of("ArtifactCollection.save", on=collection("save_collection"), changes="artifact")
def save_collection(both: tuple[Thing, Thing]) -> object:
    """description and tags, which were assigned, and what is stored of them."""
    found, api = both
    found.description = "another ✓"
    found.tags = ["gold", "checked"]
    found.save()
    stored = api.artifact_collection("dataset", f"{ENTITY}/changes/save_collection")
    return [stored.description, sorted(stored.tags)]


@ARTIFACT_WRITING.of("ArtifactCollection.save", on=collection("rename_collection"), changes="artifact")
def rename_collection(both: tuple[Thing, Thing]) -> object:
    """another name and type, and what is found under them."""
    found, api = both
    found.name, found.type = "renamed", "corpus"
    found.save()
    stored = api.artifact_collection("corpus", f"{ENTITY}/changes/renamed")
    return [stored.id == found.id, [each.name for each in stored.artifacts()]]


@ARTIFACT_WRITING.of("ArtifactCollection.delete", on=collection("delete_collection"), changes="artifact")
def delete_collection(both: tuple[Thing, Thing]) -> object:
    """with its versions."""
    found, api = both
    found.delete()
    return api.artifact_collection_exists(f"{ENTITY}/changes/delete_collection", "dataset")


@ARTIFACT_WRITING.of("Artifact.unlink", on=target("unlink"), changes="artifact")
def unlink(artifact: Thing) -> object:
    """a version where it was made: refused."""
    return artifact.unlink()


def _linked(library: Library) -> Mapping[str, Thing]:
    api = library.api()
    return {"": (api.artifact(f"{ENTITY}/changes/shelf:v0"), api)}


@ARTIFACT_WRITING.of("Artifact.unlink", on=_linked, changes="artifact")
def unlink_a_link(both: tuple[Thing, Thing]) -> object:
    """a link, and whether it and its source are there."""
    artifact, api = both
    source = artifact.source_name
    artifact.unlink()
    return [
        api.artifact_exists(f"{ENTITY}/changes/shelf:v0"),
        api.artifact_exists(f"{ENTITY}/changes/{source}"),
    ]
