"""Calls that read artifacts: what is known of a version, its entries and files, who made and used it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.calls.call import Calls, Subjects, Thing
from tests.conformance.calls.subjects import PATH, run
from tests.conformance.library import Library

ARTIFACTS = Calls()
OURS = "deep/er/größe ✓.txt"


def version(*names: str) -> Subjects:
    """Versions of artifacts of the project."""

    def found(library: Library) -> Mapping[str, Thing]:
        api = library.api()
        return {name: api.artifact(f"{PATH}/{name}") for name in names}

    return found


every_version = version("data:v0", "data:v1", "data:latest", "data:best", "elsewhere:kept", "model:prod")
ARTIFACTS.attributes(
    "Artifact",
    (
        *("id", "entity", "project", "name", "qualified_name", "type", "version", "aliases", "tags", "url"),
        *("source_entity", "source_project", "source_name", "source_qualified_name", "source_version"),
        *("is_link", "state", "digest", "size", "file_count", "created_at", "updated_at", "description"),
        *("metadata", "ttl", "commit_hash", "history_step"),
    ),
    on=every_version,
)


@ARTIFACTS.of("Artifact.manifest", on=every_version)
def manifest(artifact: Thing) -> object:
    """its entries: path, digest, size, reference."""
    entries = artifact.manifest.entries
    return {path: [entries[path].digest, entries[path].size, entries[path].ref] for path in sorted(entries)}


@ARTIFACTS.of("Artifact.get_entry", "ArtifactEntry.path", "ArtifactEntry.digest", on=version("data:v0"))
def get_entry(artifact: Thing) -> object:
    """path, digest, size, reference."""
    entry = artifact.get_entry(OURS)
    return [entry.path, entry.digest, entry.size, entry.ref]


@ARTIFACTS.of("ArtifactEntry.ref", "ArtifactEntry.size", "ArtifactEntry.extra", on=version("elsewhere:kept"))
def get_entry_of_a_reference(artifact: Thing) -> object:
    """of references: size, address, what else is known."""
    entries = [artifact.get_entry(name) for name in ("folder/a.txt", "web/b.txt", "s3/c.bin")]
    return [[entry.size, entry.ref, sorted(entry.extra)] for entry in entries]


@ARTIFACTS.of("Artifact.get_entry", on=version("data:v0"))
def get_entry_that_is_missing(artifact: Thing) -> object:
    """a path that is missing."""
    return artifact.get_entry("no-such-entry").path


@ARTIFACTS.of("Artifact.get", steady=False, on=version("run-maker-table:v0"))
def table(artifact: Thing) -> object:
    """a table: its columns and rows."""
    found = artifact.get("table")
    return [[str(name) for name in found.columns], [list(row) for row in found.data]]


@ARTIFACTS.of("Artifact.get", on=version("run-maker-table:v0"))
def table_that_is_missing(artifact: Thing) -> object:
    """a table that is missing."""
    return artifact.get("no-such-table")


@ARTIFACTS.of("ArtifactEntry.download", on=version("data:v0"))
def download_entry(artifact: Thing) -> object:
    """one file: where it is, and its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(artifact.get_entry(OURS).download(folder))
        return [path.relative_to(folder), path.read_bytes()]


@ARTIFACTS.of("Artifact.download", steady=False, on=version("data:v0", "data:v2", "model:prod"))
def download_artifact(artifact: Thing) -> object:
    """all files, and their bytes."""
    with tempfile.TemporaryDirectory() as folder:
        return [Path(artifact.download(folder)) == Path(folder), _held(folder)]


@ARTIFACTS.of("Artifact.download", steady=False, on=version("data:v0"))
def download_artifact_where_it_goes(artifact: Thing) -> object:
    """without a folder: where it goes."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            root = Path(artifact.download())
            return [root.resolve().relative_to(Path(folder).resolve()), sorted(_held(root))]
        finally:
            os.chdir(before)


@ARTIFACTS.of("Artifact.download", steady=False, on=version("data:v1"))
def download_artifact_in_part(artifact: Thing) -> object:
    """`path_prefix`."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.download(folder, path_prefix="deep/")
        return _held(folder)


@ARTIFACTS.of("Artifact.download", steady=False, on=version("data:v1"))
def download_artifact_over_others(artifact: Thing) -> object:
    """over a file of the same name and one of another."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "notes.txt").write_text("something else")
        Path(folder, "mine.txt").write_text("mine")
        artifact.download(folder)
        return _held(folder)


@ARTIFACTS.of("Artifact.download", steady=False, on=version("elsewhere:kept"))
def download_references(artifact: Thing) -> object:
    """references to files and over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        for prefix in ("folder/", "web/"):
            artifact.download(folder, path_prefix=prefix)
        return _held(folder)


@ARTIFACTS.of("Artifact.download", steady=False, on=version("elsewhere:kept"))
def download_references_to_s3(artifact: Thing) -> object:
    """a reference to S3, without a library for it."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.download(folder, path_prefix="s3/")
        return _held(folder)


@ARTIFACTS.of("Artifact.verify", steady=False, on=version("data:v0", "model:prod"))
def verify(artifact: Thing) -> object:
    """whole, damaged, with a file too many."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.download(folder)
        found = [_verified(artifact, folder)]
        extra = Path(folder, "extra.txt")
        extra.write_text("extra")
        found.append(_verified(artifact, folder))
        extra.unlink()
        path = next(path for path in sorted(Path(folder).rglob("*")) if path.is_file())
        path.write_text("damaged")
        found.append(_verified(artifact, folder))
        return found


@ARTIFACTS.of("Artifact.verify", steady=False, on=version("data:v0"))
def verify_less(artifact: Thing) -> object:
    """a file that is missing."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.download(folder)
        Path(folder, "notes.txt").unlink()
        return _verified(artifact, folder)


@ARTIFACTS.of("Artifact.files", "ArtifactFile.name", "ArtifactFile.size", on=every_version)
def files_of_an_artifact(artifact: Thing) -> object:
    """names and sizes, two a page."""
    return sorted([file.name, file.size] for file in artifact.files(per_page=2))


@ARTIFACTS.of("Artifact.files", on=version("data:v0"))
def files_of_an_artifact_by_name(artifact: Thing) -> object:
    """by name, present and missing."""
    return [file.name for file in artifact.files(names=[OURS, "no-such-file"])]


@ARTIFACTS.of(
    "ArtifactFile.id",
    "ArtifactFile.md5",
    "ArtifactFile.mimetype",
    "ArtifactFile.updated_at",
    on=version("data:v0"),
)
def known_of_an_artifacts_files(artifact: Thing) -> object:
    """what is known of them."""
    return sorted([file.name, file.id, file.md5, file.mimetype, file.updated_at] for file in artifact.files())


@ARTIFACTS.of("ArtifactFile.url", "ArtifactFile.direct_url", on=version("data:v0"))
def addresses_of_an_artifacts_files(artifact: Thing) -> object:
    """where they are."""
    return sorted([file.name, file.url, file.direct_url] for file in artifact.files())


@ARTIFACTS.of("ArtifactFile.download", on=version("data:v0"))
def download_an_artifacts_files(artifact: Thing) -> object:
    """each of them, and their bytes."""
    with tempfile.TemporaryDirectory() as folder:
        for file in artifact.files():
            file.download(folder)
        return _held(folder)


@ARTIFACTS.of("ArtifactFile.download", on=version("data:v0"))
def download_an_artifacts_file(artifact: Thing) -> object:
    """whether it is given back opened."""
    with tempfile.TemporaryDirectory() as folder:
        (file,) = artifact.files(names=[OURS])
        return hasattr(file.download(folder), "read")


@ARTIFACTS.of("Artifact.used_by", on=every_version)
def used_by(artifact: Thing) -> object:
    """ids of runs."""
    return sorted(each.id for each in artifact.used_by())


@ARTIFACTS.of("Artifact.logged_by", on=every_version)
def logged_by(artifact: Thing) -> object:
    """id and name of the run."""
    maker = artifact.logged_by()
    return [maker.id, maker.name, maker.state]


@ARTIFACTS.of("Run.logged_artifacts", on=run("maker", "trainer", "rich", "failed"))
def logged_artifacts(found: Thing) -> object:
    """names, types, digests, one a page, and how many."""
    listed = found.logged_artifacts(per_page=1)
    return [[[each.name, each.type, each.digest] for each in listed], len(listed)]


@ARTIFACTS.of("Run.used_artifacts", on=run("maker", "trainer", "rich"))
def used_artifacts(found: Thing) -> object:
    """names, types, aliases, and how many."""
    listed = found.used_artifacts()
    return [[[each.name, each.type, each.aliases] for each in listed], len(listed)]


@ARTIFACTS.of("Run.logged_artifacts", on=run("maker"))
def logged_artifacts_by_index(found: Thing) -> object:
    """by index and by slice."""
    listed = found.logged_artifacts(per_page=2)
    return [listed[0].name, [each.name for each in listed[1:3]]]


def _held(folder: str | Path) -> dict[str, bytes]:
    root = Path(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _verified(artifact: Thing, folder: str) -> str:
    try:
        artifact.verify(folder)
    except Exception:  # noqa: BLE001 - that it is refused, whatever the error, is the answer
        return "refused"
    return "whole"


@ARTIFACTS.of(
    "Artifact.collection", "Artifact.source_collection", "Artifact.source_artifact", on=every_version
)
def places(artifact: Thing) -> object:
    """the collections it lies in and was made in, and the version there."""
    return [artifact.collection.name, artifact.source_collection.name, artifact.source_artifact.version]


@ARTIFACTS.of("Artifact.is_draft", on=every_version)
def is_draft(artifact: Thing) -> object:
    """whether it is being written."""
    return artifact.is_draft()


@ARTIFACTS.of("Artifact.file", steady=False, on=version("model:prod", "data:v0"))
def only_file(artifact: Thing) -> object:
    """of a version with one file, and of one with several."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(artifact.file(folder)).relative_to(folder).as_posix()


@ARTIFACTS.of("Artifact.get_path", on=version("data:v0"))
def get_path(artifact: Thing) -> object:
    """an entry under the older name."""
    return artifact.get_path("notes.txt").digest


@ARTIFACTS.of("ArtifactEntry.birth_artifact_id", on=version("data:v1"))
def birth_artifact_id(artifact: Thing) -> object:
    """the version that the bytes came with."""
    return [artifact.get_entry(name).birth_artifact_id for name in ("notes.txt",)]
