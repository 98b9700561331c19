"""`Archive`: a project in a folder, opened to be checked and read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive import layout
from runql.archive.errors import ArchiveError
from runql.arguments import checked_path
from runql.errors import LocalFileError, first_few
from runql.frames.extras import require
from runql.quick_dataclasses import dataclass
from runql.resources.records.tables import described

if TYPE_CHECKING:
    from runql.archive.tables import Row

NEEDED: Final[Mapping[str, Mapping[str, type]]] = {
    layout.RUNS: {"id": str, "unit": int},
    layout.SWEEPS: {"id": str, "config": str, "state": str},
    layout.COLLECTIONS: {"name": str, "type": str},
    layout.VERSIONS: {"storage_id": str, "collection": str, "type": str, "digest": str, "manifest": str},
}
"""The columns that an import needs in each row."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Some runs of an archive, in their order; they share files.

    Attributes:
        number: the unit's, from 0.
        runs: the fields of each, without config and summary.
    """

    number: int
    runs: Sequence[Row]


class Archive:
    """A project in a folder, as ``runql export`` writes it::

        archive = runql.Archive("digits-2026")
        archive.verify()
        print(archive.source, archive.counts["runs"])

    Needs pyarrow. It sends no request; ``runql import`` and `Api.import_project` write it to a server.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Open a folder.

        Raises:
            ArchiveError: it holds no whole archive of this version, or names files outside.
            LocalFileError: it cannot be read.
            MissingExtraError: pyarrow is not installed.
        """
        require("pyarrow", needed_for="an archive")
        self._place = layout.Place(checked_path("folder", folder).absolute())
        self._manifest = layout.read_manifest(self._place.folder)
        self._place.check(self._manifest.files)

    def __repr__(self) -> str:
        return described("Archive", f"{self.folder} of {self.source}")

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._place.folder

    @property
    def source(self) -> str:
        """Where it comes from: the entity and the project."""
        return f"{self._manifest.source.entity}/{self._manifest.source.project}"

    @property
    def counts(self) -> dict[str, int]:
        """How many runs, rows, files and so on it holds."""
        return dict(self._manifest.counts)

    @property
    def problems(self) -> list[str]:
        """What could not be read when it was written, one sentence each."""
        return list(self._manifest.problems)

    def verify(self) -> None:
        """Compare every file with the size and the digest that the manifest notes.

        Raises:
            ArchiveError: files are missing, cut or damaged.
            LocalFileError: one cannot be read.
        """
        from runql.archive.tables import note_of  # noqa: PLC0415 - pyarrow

        wrong: dict[str, str] = {}
        for name, noted in self._manifest.files.items():
            path = self._place.path(name)
            try:
                found = note_of(path)
            except LocalFileError as error:
                if not isinstance(error.__cause__, (FileNotFoundError, IsADirectoryError)):
                    raise
                wrong[name] = "it is missing"
                continue
            if found.size != noted.size:
                wrong[name] = f"it has {found.size} bytes, not {noted.size}"
            elif found.sha256 != noted.sha256:
                wrong[name] = "its digest is another one"
        if wrong:
            named = first_few([f"{name} ({reason})" for name, reason in wrong.items()])
            raise ArchiveError(
                f"{len(wrong)} of {len(self._manifest.files)} files of the archive in {self.folder} are damaged: "
                f"{named}"
            )


class ArchiveReader:
    """Reads what an archive holds; each iterator reads its files again, in bounded memory."""

    def __init__(self, archive: Archive) -> None:
        self._place = archive._place  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the reader is its other half
        self.manifest: layout.Manifest = archive._manifest  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as above

    def path(self, name: str) -> Path:
        """Return the path of a file of the archive."""
        return self._place.path(name)

    def content(self, name: str) -> bytes:
        """Return the bytes of a file of the archive.

        Raises:
            LocalFileError: it cannot be read.
        """
        path = self._place.path(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise LocalFileError(f"cannot read {path}", error) from error

    def check(self) -> None:
        """Check that the rows of runs, sweeps and artifacts have what an import needs.

        Raises:
            ArchiveError: one lacks it.
        """
        for name, needed in NEEDED.items():
            for place, row in enumerate(self.table(name)):
                wrong = [column for column, kind in needed.items() if not isinstance(row.get(column), kind)]
                if wrong:
                    raise ArchiveError(f"row {place} of {name} has no {wrong[0]}: the archive is damaged")
        for row in self.versions():
            if row["manifest"] not in self.manifest.files:
                raise ArchiveError(
                    f"the archive has no manifest of artifact {row['collection']}: it is damaged"
                )

    def runs(self) -> Iterator[Row]:
        """Iterate over the fields of the runs, oldest first; see `runql.archive.records.RUN_COLUMNS`."""
        return self.table(layout.RUNS)

    def sweeps(self) -> Iterator[Row]:
        """Iterate over the fields of the sweeps."""
        return self.table(layout.SWEEPS)

    def collections(self) -> Iterator[Row]:
        """Iterate over the artifact collections."""
        return self.table(layout.COLLECTIONS)

    def versions(self) -> Iterator[Row]:
        """Iterate over the artifact versions, oldest first."""
        return self.table(layout.VERSIONS)

    def rows(self, kind: str, unit: int) -> Iterator[tuple[str, Row]]:
        """Iterate over the rows of the runs of a unit, run after run, each with the id of its run.

        Args:
            kind: ``history``, ``events``, ``console`` or ``file-lists``.
            unit: its number.
        """
        from runql.archive.tables import read_rows  # noqa: PLC0415 - pyarrow

        start = f"{kind}/{unit:06d}-"
        for name in sorted(name for name in self.manifest.files if name.startswith(start)):
            yield from read_rows(self._place.path(name))

    def units(self) -> Iterator[Unit]:
        """Iterate over the units, in their order."""
        from runql.archive.records import LARGE  # noqa: PLC0415 - as above

        number, found = 0, list["Row"]()
        for run in self.runs():
            place = run["unit"]
            if isinstance(place, int) and place != number:
                yield Unit(number, found)
                number, found = place, []
            found.append({key: value for key, value in run.items() if key not in LARGE})
        if found:
            yield Unit(number, found)

    def table(self, name: str) -> Iterator[Row]:
        """Iterate over the rows of a file that may be absent."""
        from runql.archive.tables import read_rows  # noqa: PLC0415 - as above

        if name in self.manifest.files:
            for _, row in read_rows(self._place.path(name)):
                yield row
