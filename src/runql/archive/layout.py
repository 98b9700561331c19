"""The format of an archive: the names in its folder, and its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from runql.archive.errors import ArchiveError
from runql.errors import LocalFileError, first_few
from runql.quick_dataclasses import dataclass
from runql.resources.files.names import place_files
from runql.values import as_json

FORMAT: Final = "runql archive"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
JOURNAL: Final = ".export.jsonl"
RUNS: Final = "runs.parquet"
SWEEPS: Final = "sweeps.parquet"
COLLECTIONS: Final = "artifacts/collections.parquet"
VERSIONS: Final = "artifacts/versions.parquet"
HISTORY: Final = "history"
EVENTS: Final = "events"
CONSOLE: Final = "console"
FILE_LISTS: Final = "file-lists"
FILES: Final = "files"
MAPPED: Final = "files-by-number"
"""Files of runs whose own names some file system cannot hold."""
MANIFESTS: Final = "artifacts/manifests"
BLOBS: Final = "artifacts/files"


class _Model(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True, frozen=True, strict=True)


class FileNote(_Model):
    """What the manifest notes of a file.

    Attributes:
        size: in bytes.
        sha256: of the bytes, in hex.
    """

    size: int
    sha256: str


class Source(_Model):
    """Where an archive comes from.

    Attributes:
        server: the base URL.
        entity: the owner of the project.
        project: its name.
        description: the project's.
    """

    server: str
    entity: str
    project: str
    description: str | None = None


class Options(_Model):
    """What an export takes along beside runs, histories, console lines and sweeps.

    Attributes:
        files: the files of runs.
        artifacts: the artifacts, with their files.
    """

    files: bool = False
    artifacts: bool = False


class Manifest(_Model):
    """The contents of an archive; the file ``manifest.json`` is written last, so a folder that has it is whole.

    Attributes:
        format: always ``runql archive``.
        version: of the format.
        tool: what wrote it.
        exported_at: when it was complete, ISO 8601 in UTC.
        source: where it comes from.
        options: what it holds.
        counts: of runs, rows, and so on.
        running: ids of runs that were not over when they were read.
        problems: what could not be read, one sentence each.
        mapped: path in the archive to the name at the source, where some file system cannot hold the name.
        files: each file by its path in the archive, with `/` between parts.
    """

    format: str
    version: int
    tool: str
    exported_at: str
    source: Source
    options: Options
    counts: dict[str, int] = {}
    running: list[str] = []
    problems: list[str] = []
    mapped: dict[str, str] = {}
    files: dict[str, FileNote] = {}

    def to_json(self) -> bytes:
        """Return the bytes of ``manifest.json``."""
        return json.dumps(self.model_dump(), indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with an archive, or for one.

    Attributes:
        folder: its path.
    """

    folder: Path
    _checked: set[str] = field(default_factory=set[str], repr=False, compare=False)

    def path(self, name: str) -> Path:
        """Return the path of a file of the archive.

        Raises:
            ArchiveError: the name or a symbolic link leads out of the folder.
        """
        if name not in self._checked:
            self.check([name])
        return self.folder / name

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that lead out of the folder.

        Raises:
            ArchiveError: one does.
        """
        wanted = list(names)
        refused = dict(place_files(self.folder, wanted).refused)
        refused |= {name: "it holds `\\` or `:`" for name in wanted if "\\" in name or ":" in name}
        if refused:
            named = first_few([f"{name!r}: {reason}" for name, reason in refused.items()])
            raise ArchiveError(f"the archive in {self.folder} names files that it cannot hold: {named}")
        self._checked.update(wanted)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an archive.

    Raises:
        ArchiveError: the folder holds no whole archive of this version.
        LocalFileError: the manifest cannot be read.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveError(_no_manifest(folder)) from error
    except OSError as error:
        raise LocalFileError(f"cannot read {folder / MANIFEST}", error) from error
    try:
        found = as_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{folder / MANIFEST} is cut or damaged: it is no JSON") from error
    header = found if isinstance(found, dict) else {}
    if header.get("format") != FORMAT:
        raise ArchiveError(f"{folder / MANIFEST} is no manifest of an archive: it has no format {FORMAT!r}")
    if header.get("version") != VERSION:
        raise ArchiveError(
            f"the archive in {folder} has format version {header.get('version')!r}, this runql reads version "
            f"{VERSION}: use the runql that wrote it ({header.get('tool')})"
        )
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ArchiveError(f"{folder / MANIFEST} cannot be read: {places}") from error
    Place(folder).check(manifest.files)
    return manifest


def _no_manifest(folder: Path) -> str:
    if (folder / JOURNAL).exists():
        return f"the export to {folder} is not complete: run the same `runql export` again, it goes on"
    return f"{folder} holds no archive: it has no {MANIFEST}"
