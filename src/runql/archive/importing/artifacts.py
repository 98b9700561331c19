"""Imports artifacts: each version by the write protocol, with its lineage, then links and descriptions."""

from __future__ import annotations

import hashlib
import json
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive.archive import ArchiveReader
from runql.archive.artifacts import blob_path
from runql.archive.errors import ArchiveError
from runql.archive.journal import Journal
from runql.archive.records import strings
from runql.errors import ArtifactNotFoundError, LocalFileError, UploadRefusedError
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.collections.lookup import CollectionQuery, list_project_collection_page
from runql.resources.artifacts.manifest import ManifestEntry, parse_manifest
from runql.resources.artifacts.mutations import assign_aliases, use_version
from runql.resources.files.record import parse_header
from runql.resources.pages.listing import read_all
from runql.transport.files.bodies import Source
from runql.transport.flow import Flow, fetch, gather, offload, upload
from runql.values import JSONValue, as_json
from runql_graphql.enums import ArtifactDigestAlgorithm, ArtifactManifestType, ArtifactState
from runql_graphql.input_types import (
    ArtifactAliasInput,
    CreateArtifactCollectionTagAssignmentsInput,
    CreateArtifactFileSpecInput,
    CreateArtifactInput,
    CreateArtifactManifestInput,
    LinkArtifactInput,
    TagInput,
    UpdateArtifactPortfolioInput,
    UpdateArtifactSequenceInput,
)
from runql_graphql.operations import (
    commit_artifact,
    create_artifact,
    create_artifact_collection_tags,
    create_artifact_files,
    create_artifact_manifest,
    link_artifact,
    update_artifact_portfolio,
    update_artifact_sequence,
)

if TYPE_CHECKING:
    from runql.archive.tables import Row

LATEST: Final = "latest"
PER_PAGE: Final = 50
SPECS: Final = 500
"""Files that one request announces."""
FILES_AT_ONCE: Final = 4
REFERENCE: Final = "wandb-artifact://"


class ArtifactImport:
    """The artifacts of an archive; five requests a version, one for each file whose bytes the server lacks.

    Attributes:
        notes: what differs, one sentence each.
        left_out: what was not written, one sentence each.
    """

    def __init__(self, home: RunAddress, reader: ArchiveReader, journal: Journal, token: str) -> None:
        self.notes: list[str] = []
        self.left_out: list[str] = []
        self._home = home
        self._reader = reader
        self._journal = journal
        self._token = token
        self._new: dict[str, str] = {}

    def run(self) -> Flow[None]:
        """Write them, oldest version first: the server numbers versions as they come.

        Raises:
            RunqlError: the server refuses; the same import goes on there.
        """
        self._new = {
            str(entry["version"]): str(entry["new"]) for entry in self._journal.entries if "version" in entry
        }
        runs = yield from offload(lambda: {str(run["id"]) for run in self._reader.runs()})
        rows = self._reader.versions()
        latest: dict[str, tuple[str, str]] = {}
        last: dict[str, str] = {}
        while row := (yield from offload(lambda: next(rows, None))):
            old, collection = str(row["storage_id"]), str(row["collection"])
            if old not in self._new:
                new = yield from self._version(row, runs)
                if new is None:
                    continue
                self._new[old] = new
                entry: dict[str, JSONValue] = {"version": old, "new": new}
                yield from offload(partial(self._journal.note, entry))
            last[collection] = old
            if LATEST in strings(row.get("aliases")):
                latest[collection] = (old, str(row.get("index")))
        for collection, (old, index) in latest.items():
            if last[collection] != old:
                place = ArtifactAddress(self._home.entity, self._home.project, collection, f"v{index}")
                yield from assign_aliases(place, self._new[old], [LATEST])
        yield from self._collections()

    def _version(self, row: Row, runs: set[str]) -> Flow[str | None]:
        name = f"{row['collection']}:v{row.get('index')}"
        content = yield from offload(partial(self._reader.content, str(row["manifest"])))
        manifest = parse_manifest(content, name)
        entries = [entry for entry in manifest.entries.values() if not entry.is_reference]
        if any(entry.digest_algorithm != "MD5" for entry in entries):
            self.left_out.append(f"artifact {name}: it was left out, because its digests are no MD5")
            return None
        logged_by = row.get("logged_by")
        creator = logged_by if isinstance(logged_by, str) and logged_by in runs else None
        if isinstance(logged_by, str) and creator is None:
            self.notes.append(f"artifact {name}: run {logged_by}, which logged it, is not in the archive")
        operation = create_artifact(input=self._wanted(row, creator))
        made = (yield from fetch(operation, repeatable=True)).create_artifact
        artifact = made.artifact if made else None
        if artifact is None:
            raise ArtifactNotFoundError(f"the server made no artifact {name}")
        if artifact.state is not ArtifactState.COMMITTED:
            yield from self._contents(artifact.id, name, content, entries, creator or "")
        for user in strings(row.get("used_by")):
            if user in runs:
                place = ArtifactAddress(
                    self._home.entity,
                    self._home.project,
                    str(row["collection"]),
                    f"v{artifact.version_index}",
                )
                run = RunAddress(self._home.entity, self._home.project, user)
                yield from use_version(run, artifact.id, place, None)
            else:
                self.notes.append(f"artifact {name}: run {user}, which uses it, is not in the archive")
        for link in _links(row):
            aliases = [
                ArtifactAliasInput(artifactCollectionName=str(link["collection"]), alias=alias)
                for alias in strings(json.dumps(link["aliases"]))
                if alias != LATEST
            ]
            linking = LinkArtifactInput(
                artifactID=artifact.id,
                artifactPortfolioName=str(link["collection"]),
                entityName=self._home.entity,
                projectName=self._home.project,
                aliases=aliases,
            )
            yield from fetch(link_artifact(input=linking), repeatable=True)
        return artifact.id

    def _wanted(self, row: Row, creator: str | None) -> CreateArtifactInput:
        collection = str(row["collection"])
        wanted = CreateArtifactInput(
            entityName=self._home.entity,
            projectName=self._home.project,
            artifactTypeName=str(row["type"]),
            artifactCollectionNames=[collection],
            digest=str(row["digest"]),
            digestAlgorithm=ArtifactDigestAlgorithm.MANIFEST_MD5,
            aliases=[
                ArtifactAliasInput(artifactCollectionName=collection, alias=alias)
                for alias in strings(row.get("aliases"))
                if alias != LATEST
            ],
            tags=[TagInput(tagName=tag) for tag in strings(row.get("tags"))],
            enableDigestDeduplication=False,
            # The same id for the same version: a server that got the request before returns the version it made.
            clientID=hashlib.sha256(f"{self._token}\0{row['storage_id']}".encode()).hexdigest(),
        )
        if creator is not None:
            wanted.run_name = creator
        if isinstance(description := row.get("description"), str):
            wanted.description = description
        if isinstance(metadata := row.get("metadata"), str):
            wanted.metadata = metadata
        if isinstance(step := row.get("history_step"), int):
            wanted.history_step = step
        if isinstance(seconds := row.get("ttl_seconds"), int) and row.get("ttl_is_inherited") is False:
            wanted.ttl_duration_seconds = seconds
        return wanted

    def _contents(
        self,
        artifact: str,
        name: str,
        content: bytes,
        entries: Sequence[ManifestEntry],
        creator: str,
    ) -> Flow[None]:
        births = dict[str, str]()
        for start in range(0, len(entries), SPECS):
            yield from self._files(artifact, name, entries[start : start + SPECS], births)
        document = _document(content, births, self._new)
        digest = b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
        wanted = CreateArtifactManifestInput(
            name="wandb_manifest.json",
            digest=digest,
            artifactID=artifact,
            entityName=self._home.entity,
            projectName=self._home.project,
            runName=creator,
            type=ArtifactManifestType.FULL,
        )
        made = (
            yield from fetch(create_artifact_manifest(input=wanted), repeatable=True)
        ).create_artifact_manifest
        if made is None or not made.artifact_manifest.file.upload_url:
            raise UploadRefusedError(f"the server returned no upload URL for the manifest of artifact {name}")
        file = made.artifact_manifest.file
        yield from _put_bytes(str(file.upload_url), document, file.upload_headers or ())
        committed = (yield from fetch(commit_artifact(id=artifact), repeatable=True)).commit_artifact
        if committed is None:
            raise ArtifactNotFoundError(f"the server did not commit artifact {name}")

    def _files(
        self, artifact: str, name: str, entries: Sequence[ManifestEntry], births: dict[str, str]
    ) -> Flow[None]:
        specs = [
            CreateArtifactFileSpecInput(artifactID=artifact, name=entry.path, md5=entry.digest)
            for entry in entries
        ]
        made = (yield from fetch(create_artifact_files(files=specs), repeatable=True)).create_artifact_files
        nodes = {edge.node.name: edge.node for edge in made.files.edges if edge.node} if made else {}
        puts: list[Flow[None]] = []
        for digest, entry in {entry.digest: entry for entry in reversed(entries)}.items():
            node = nodes.get(entry.path)
            if node is None:
                raise UploadRefusedError(
                    f"the server did not accept {entry.path!r} ({digest}) of artifact {name}"
                )
            if node.upload_url:
                headers = [parse_header(header) for header in node.upload_headers or ()]
                path = self._reader.path(blob_path(entry))
                puts.append(upload(node.upload_url, Source(path), headers))
        yield from gather(puts, limit=FILES_AT_ONCE)
        births |= {path: node.artifact.id for path, node in nodes.items() if node.artifact}

    def _collections(self) -> Flow[None]:
        """Describe and tag the collections."""
        rows = yield from offload(lambda: list(self._reader.collections()))
        query = CollectionQuery(self._home.entity, self._home.project, None, None, PER_PAGE)
        there = (yield from read_all(partial(list_project_collection_page, query))) if rows else []
        found = {each.name: each for each in there}
        for row in rows:
            collection, tags = found.get(str(row["name"])), strings(row.get("tags"))
            if collection is None:
                self.left_out.append(
                    f"artifact collection {row['name']}: it has no version, and was left out"
                )
                continue
            if (
                isinstance(description := row.get("description"), str)
                and description != collection.description
            ):
                if collection.typename__ == "ArtifactSequence":
                    change = UpdateArtifactSequenceInput(
                        artifactSequenceID=collection.id, description=description
                    )
                    yield from fetch(update_artifact_sequence(input=change), repeatable=True)
                else:
                    links = UpdateArtifactPortfolioInput(
                        artifactPortfolioID=collection.id, description=description
                    )
                    yield from fetch(update_artifact_portfolio(input=links), repeatable=True)
            if tags:
                tagging = CreateArtifactCollectionTagAssignmentsInput(
                    entityName=self._home.entity,
                    projectName=self._home.project,
                    artifactCollectionName=str(row["name"]),
                    tags=[TagInput(tagName=tag) for tag in tags],
                )
                yield from fetch(create_artifact_collection_tags(input=tagging), repeatable=True)


def _document(content: bytes, births: Mapping[str, str], new: Mapping[str, str]) -> bytes:
    """The manifest with the ids of the new server."""
    found = as_json(json.loads(content))
    if not isinstance(found, dict):
        raise ArchiveError("a manifest of the archive is no JSON object")
    contents = found.get("contents")
    for path, entry in contents.items() if isinstance(contents, dict) else ():
        if not isinstance(entry, dict):
            continue
        entry.pop("birthArtifactID", None)
        if path in births:
            entry["birthArtifactID"] = births[path]
        if isinstance(ref := entry.get("ref"), str) and ref.startswith(REFERENCE):
            entry["ref"] = _moved(ref, new)
    found["storagePolicyConfig"] = {"storageLayout": "V2"}
    return json.dumps(found).encode()


def _moved(ref: str, new: Mapping[str, str]) -> str:
    """A reference into another artifact, with that artifact's new id."""
    host, slash, path = ref.removeprefix(REFERENCE).partition("/")
    try:
        old = b64encode(bytes.fromhex(host)).decode("ascii")
    except ValueError:
        return ref
    moved = new.get(old)
    return ref if moved is None else f"{REFERENCE}{_hex_id(moved)}{slash}{path}"


def _hex_id(artifact: str) -> str:
    return b64decode(artifact).hex()


def _links(row: Row) -> list[dict[str, JSONValue]]:
    found = as_json(json.loads(str(row.get("links") or "[]")))
    return [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []


def _put_bytes(url: str, content: bytes, headers: Sequence[str]) -> Flow[None]:
    """Upload bytes, which are a file meanwhile."""
    with tempfile.TemporaryDirectory(prefix="runql-") as folder:
        path = Path(folder) / "manifest.json"
        try:
            yield from offload(lambda: path.write_bytes(content))
        except OSError as error:
            raise LocalFileError(f"cannot write {path}", error) from error
        yield from upload(url, Source(path), [parse_header(header) for header in headers])
