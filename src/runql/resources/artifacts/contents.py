"""The part of an artifact that saves and checks its files, and one entry of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from runql.arguments import checked_path, checked_str, positive
from runql.resources.artifacts.download import (
    Holder,
    Transfer,
    check_folder,
    default_root,
    fetch_below,
)
from runql.resources.artifacts.editing import EditableArtifact
from runql.resources.artifacts.logged_table import LoggedTable, read_artifact_table
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.names import OnUnsafe, checked_on_unsafe
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.bodies import Progress
from runql.transport.flow import DEFAULT_CONCURRENCY, Flow, offload
from runql.transport.local_files import make_folder
from runql.values import JSONValue


class ArtifactContents(EditableArtifact):
    """An `EditableArtifact` whose files can be fetched."""

    def _save_below(
        self,
        root: str | os.PathLike[str] | None,
        path_prefix: str | None,
        *,
        max_concurrency: int,
        progress: Progress | None,
        allow_missing_references: bool,
        on_unsafe: OnUnsafe,
    ) -> Flow[Path]:
        transfer = Transfer(
            positive("max_concurrency", max_concurrency), progress, allow_missing_references, on_unsafe
        )
        folder = self._folder(root)
        if path_prefix is not None:
            checked_str("path_prefix", path_prefix)
        manifest = yield from self._read_manifest()
        entries = [entry for path, entry in manifest.entries.items() if path.startswith(path_prefix or "")]
        yield from fetch_below(self._holder(manifest), entries, folder, transfer)
        make_folder(folder)
        return folder

    def _save_only_file(self, root: str | os.PathLike[str] | None, progress: Progress | None) -> Flow[Path]:
        entries = [*(yield from self._read_entries()).values()]
        if len(entries) != 1:
            raise ValueError(
                f"{self.qualified_name} holds {len(entries)} files: use download(), or get_entry(path).download()"
            )
        return (yield from self._save_entry(entries[0], root, progress))

    def _save_entry(
        self, entry: ManifestEntry, root: str | os.PathLike[str] | None, progress: Progress | None
    ) -> Flow[Path]:
        manifest = yield from self._read_manifest()
        saved = yield from fetch_below(
            self._holder(manifest), [entry], self._folder(root), Transfer(1, progress)
        )
        return saved[entry.path]

    def _read_table(self, name: str) -> Flow[LoggedTable]:
        manifest = yield from self._read_manifest()
        return (yield from read_artifact_table(self.qualified_name, manifest, name, self._read_contents))

    def _read_contents(self, entries: Sequence[ManifestEntry]) -> Flow[list[bytes]]:
        with TemporaryDirectory(prefix="runql-") as folder:
            targets = yield from self._save_entries(entries, Path(folder))
            return (yield from offload(lambda: [target.read_bytes() for target in targets]))

    def _save_entries(self, entries: Sequence[ManifestEntry], folder: Path) -> Flow[list[Path]]:
        manifest = yield from self._read_manifest()
        saved = yield from fetch_below(self._holder(manifest), entries, folder, Transfer(DEFAULT_CONCURRENCY))
        return [saved[entry.path] for entry in entries]

    def _verify(
        self, root: str | os.PathLike[str] | None, *, max_concurrency: int, on_unsafe: OnUnsafe
    ) -> Flow[list[str]]:
        checked_on_unsafe(on_unsafe)
        folder, limit = self._folder(root), positive("max_concurrency", max_concurrency)
        manifest = yield from self._read_manifest()
        return (
            yield from check_folder(
                self.qualified_name, manifest, folder, max_concurrency=limit, on_unsafe=on_unsafe
            )
        )

    def _folder(self, root: str | os.PathLike[str] | None) -> Path:
        return default_root(self._source) if root is None else checked_path("root", root)

    def _holder(self, manifest: Manifest) -> Holder:
        return Holder(self.id, self.qualified_name, manifest, self._found.place)


SaveEntry: TypeAlias = Callable[[ManifestEntry, str | os.PathLike[str] | None, Progress | None], Flow[Path]]


class EntryRecord(SnakeCaseAttributes):
    """The part of `ArtifactEntry` and `AsyncArtifactEntry` that needs no request."""

    def __init__(self, artifact: str, entry: ManifestEntry, save: SaveEntry) -> None:
        self._artifact = artifact
        self._entry = entry
        self._save = save

    def __repr__(self) -> str:
        return f"<ArtifactEntry {self._artifact} {self.path}>"

    @property
    def path(self) -> str:
        """The path inside the artifact, with `/` between its parts."""
        return self._entry.path

    @property
    def digest(self) -> str:
        """The MD5 of the bytes in base64; of a reference whatever tells its content, such as an ETag."""
        return self._entry.digest

    @property
    def size(self) -> int | None:
        """Bytes; None where nobody noted it."""
        return self._entry.size

    @property
    def ref(self) -> str | None:
        """The address of what a reference refers to; None for a file that the artifact holds."""
        return self._entry.ref

    @property
    def extra(self) -> Mapping[str, JSONValue]:
        """More about a reference, such as its ``etag`` or ``versionID``."""
        return self._entry.extra

    @property
    def birth_artifact_id(self) -> str | None:
        """The version that the bytes came with first."""
        return self._entry.birth_artifact_id

    @property
    def is_reference(self) -> bool:
        """Whether the artifact refers to it instead of holding it."""
        return self._entry.is_reference

    def _download(self, root: str | os.PathLike[str] | None, progress: Progress | None) -> Flow[Path]:
        return self._save(self._entry, root, progress)
