"""Exports artifacts: collections, committed versions with their manifests, and each different file once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive import layout
from runql.archive.done import Done, write_records
from runql.archive.journal import Journal
from runql.archive.layout import Place
from runql.archive.records import COLLECTION_COLUMNS, VERSION_COLUMNS, collection_row, version_row
from runql.archive.tables import note_of
from runql.errors import ArtifactNotFoundError, LocalFileError, ManifestError, PaginationError, RunqlError
from runql.paths import RunAddress
from runql.resources.artifacts.collections.lookup import TypeAddress, list_collection_page, list_type_page
from runql.resources.artifacts.download.fetch import fetch_files
from runql.resources.artifacts.download.resolve import ArtifactSource, EntryDownload
from runql.resources.artifacts.download.verify import is_intact
from runql.resources.artifacts.lookup import ResolvedArtifact, VersionQuery, list_versions, source_of
from runql.resources.artifacts.manifest import ManifestEntry, hex_digest, parse_manifest
from runql.resources.files.saved import SavedFiles
from runql.resources.pages.listing import read_all
from runql.transport.files.part_file import PartFile
from runql.transport.flow import Flow, download, fetch, gather, offload
from runql.values import JSONValue
from runql_graphql.fragments import RunLineageFields
from runql_graphql.operations import get_artifact_lineage

if TYPE_CHECKING:
    from runql.archive.tables import Row

PER_PAGE: Final = 50
USERS_PER_PAGE: Final = 100
VERSIONS_AT_ONCE: Final = 4
FILES_AT_ONCE: Final = 4


class ArtifactExport:
    """The artifacts of a project; three requests a version, and one for each different file."""

    def __init__(self, home: RunAddress, place: Place, journal: Journal) -> None:
        self._home = home
        self._place = place
        self._journal = journal
        self._claimed = set[str]()
        self._guard = threading.Lock()

    def run(self) -> Flow[Done]:
        """Write them, and note the files.

        Raises:
            RunqlError: an error that is about more than one version.
        """
        whole, collections = Done(), list["Row"]()
        found, links = list[ResolvedArtifact](), dict[str, list[JSONValue]]()
        types = yield from read_all(partial(list_type_page, self._home.entity, self._home.project, PER_PAGE))
        for kind in types:
            place = TypeAddress(self._home.entity, self._home.project, kind.name)
            try:
                named = yield from read_all(partial(list_collection_page, place, PER_PAGE))
            except ArtifactNotFoundError as error:
                whole.miss(f"the artifacts of type {kind.name}", error)
                continue
            for collection in named:
                collections.append(collection_row(collection, kind.name))
                query = VersionQuery(
                    place.entity, place.project, kind.name, collection.name, _COMMITTED, None, PER_PAGE
                )
                try:
                    versions = yield from read_all(partial(list_versions, query))
                except ArtifactNotFoundError as error:
                    whole.miss(f"the versions of artifact {collection.name}", error)
                    continue
                for version in versions:
                    self._sort(version, found, links, whole)
        known = {
            str(entry["version"]): entry
            for entry in self._journal.entries
            if isinstance(entry.get("version"), str)
        }
        rows = list["Row"]()

        def read(version: ResolvedArtifact) -> Flow[None]:
            entry = known.get(version.fields.id)
            part, row = (None, None) if entry is None else (Done.of(entry["part"]), entry["row"])
            if part is None or part.problems or row is None:
                part = Done()
                row = yield from self._read(version, links.get(version.fields.id, []), part)
                noted: dict[str, JSONValue] = {"version": version.fields.id, "part": part.entry(), "row": row}
                yield from offload(lambda: self._journal.note(noted))
            with self._guard:
                whole.add(part)
                if isinstance(row, dict):
                    rows.append(row)

        yield from gather([read(version) for version in found], limit=VERSIONS_AT_ONCE)
        rows.sort(key=lambda row: (str(row["created_at"]), str(row["collection"]), _index(row)))
        for name, columns, table in (
            (layout.COLLECTIONS, COLLECTION_COLUMNS, collections),
            (layout.VERSIONS, VERSION_COLUMNS, rows),
        ):
            target = self._place.path(name)
            whole.files[name] = yield from offload(partial(write_records, target, columns, table))
        whole.counts |= {"artifact collections": len(collections), "artifact versions": len(rows)}
        whole.counts["artifact files"] = sum(name.startswith(f"{layout.BLOBS}/") for name in whole.files)
        return whole

    def _sort(
        self,
        version: ResolvedArtifact,
        found: list[ResolvedArtifact],
        links: dict[str, list[JSONValue]],
        whole: Done,
    ) -> None:
        """Tell a version of this project from a link to one."""
        place, source = version.place, source_of(version.fields)
        if (
            source is not None
            and source.collection == place.collection
            and self._is_here(source.entity, source.project)
        ):
            found.append(version)
        elif source is not None and self._is_here(source.entity, source.project):
            link: JSONValue = {"collection": place.collection, "aliases": list(version.aliases)}
            links.setdefault(version.fields.id, []).append(link)
        else:
            where = "a project that the server hides" if source is None else source.qualified_name
            whole.problems.append(
                f"artifact {place.collection}:{place.version}: it is a link to {where}, left out"
            )

    def _read(self, version: ResolvedArtifact, links: Sequence[JSONValue], part: Done) -> Flow[Row | None]:
        fields, place = version.fields, version.place
        name = f"{place.collection}:{place.version}"
        try:
            url, logged_by, used_by = yield from self._lineage(fields.id)
            content = yield from download(url)
            path = f"{layout.MANIFESTS}/{hashlib.sha256(fields.id.encode()).hexdigest()[:40]}.json"
            target = self._place.path(path)
            yield from offload(lambda: _write(target, content))
            part.files[path] = yield from offload(lambda: note_of(target))
            manifest = parse_manifest(content, name)
            source = ArtifactSource(fields.id, name, manifest, place)
            wanted = [entry for entry in manifest.entries.values() if not entry.is_reference]
            yield from self._blobs(source, wanted, part)
        except RunqlError as error:
            part.miss(f"artifact {name}", error)
            return None
        return version_row(
            fields,
            type_name=fields.artifact_type.name,
            collection=place.collection,
            aliases=version.aliases,
            links=links,
            logged_by=logged_by,
            used_by=used_by,
            manifest=path,
        )

    def _lineage(self, artifact: str) -> Flow[tuple[str, str | None, list[str]]]:
        """Where the manifest is, the run that logged the version, and those that use it."""
        used_by, after = list[str](), None
        while True:
            found = (
                yield from fetch(get_artifact_lineage(id=artifact, first=USERS_PER_PAGE, after=after))
            ).artifact
            if found is None or found.current_manifest is None:
                raise ManifestError("the server has no manifest of it: it was deleted")
            used_by += [self._run_path(edge.node) for edge in found.used_by.edges]
            if not found.used_by.page_info.has_next_page:
                creator = found.created_by
                logged_by = self._run_path(creator) if isinstance(creator, RunLineageFields) else None
                return found.current_manifest.file.direct_url, logged_by, used_by
            if found.used_by.page_info.end_cursor in (None, after):
                raise PaginationError(
                    f"the server's cursor stands still after {len(used_by)} runs that use it"
                )
            after = found.used_by.page_info.end_cursor

    def _blobs(self, source: ArtifactSource, entries: Sequence[ManifestEntry], part: Done) -> Flow[None]:
        downloads = dict[str, EntryDownload]()
        for entry in entries:
            path = blob_path(entry)
            downloads[path] = EntryDownload(source, entry, self._place.path(path), entry.path)
        missing = yield from offload(
            lambda: [
                path
                for path, each in downloads.items()
                if self._claim(path) and not is_intact(each.target, each.entry)
            ]
        )
        refused = dict[str, str]()
        yield from fetch_files(
            [downloads[path] for path in missing],
            {},
            limit=FILES_AT_ONCE,
            refused=refused,
            saved=SavedFiles([downloads[path].name for path in missing]),
        )
        for name, reason in refused.items():
            part.problems.append(f"file {name} of artifact {source.name}: {reason}")
        for path in downloads:
            target = self._place.path(path)
            # Another version with the same file may still fetch it, and notes it then.
            if path in missing or target.exists():
                part.files[path] = yield from offload(partial(note_of, target))

    def _claim(self, path: str) -> bool:
        with self._guard:
            is_new = path not in self._claimed
            self._claimed.add(path)
        return is_new

    def _is_here(self, entity: str, project: str) -> bool:
        return (entity, project) == (self._home.entity, self._home.project)

    def _run_path(self, run: RunLineageFields) -> str:
        project = run.project
        if project is None or self._is_here(project.entity_name, project.name):
            return run.name
        return f"{project.entity_name}/{project.name}/{run.name}"


_COMMITTED: Final = '{"state": "COMMITTED"}'


def blob_path(entry: ManifestEntry) -> str:
    """The path of a file's bytes in an archive: the same for files of the same digest."""
    digest = hex_digest(entry.digest) if entry.digest_algorithm == "MD5" else None
    if digest is None:
        named = f"{entry.digest_algorithm}\0{entry.digest}"
        digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{layout.BLOBS}/{digest[:2]}/{digest}"


def _write(path: Path, content: bytes) -> None:
    try:
        part = PartFile(path)
        part.write(content)
        part.publish()
    except OSError as error:
        raise LocalFileError(f"cannot write {path}", error) from error


def _index(row: Row) -> int:
    index = row.get("index")
    return index if isinstance(index, int) else -1
