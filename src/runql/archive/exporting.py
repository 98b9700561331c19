"""Exports a project: its runs first, then unit by unit their rows, lines and files, then sweeps and artifacts."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive import layout
from runql.archive.archive import Archive, Unit
from runql.archive.done import Done, write_records
from runql.archive.errors import ArchiveError
from runql.archive.extras import RunExtrasReader
from runql.archive.histories import LongHistory, read_short
from runql.archive.journal import Journal
from runql.archive.layout import Manifest, Options, Place, Source
from runql.archive.names import run_folders
from runql.archive.parts import Parts
from runql.archive.records import RUN_COLUMNS, SWEEP_COLUMNS, run_row, sweep_row
from runql.archive.tables import TableWriter, read_rows, size_of
from runql.errors import (
    LocalFileError,
    PaginationError,
    RunqlError,
)
from runql.paths import RunAddress
from runql.resources.pages.listing import Page, read_all
from runql.resources.project import read_project
from runql.resources.runs.query import RunQuery, list_full_page
from runql.resources.sweeps.sweeps import list_sweep_page
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, gather, offload
from runql.transport.sample_limits import SampleLimits
from runql.values import JSONValue
from runql.version import __version__
from runql_graphql.fragments import FullRunFields

if TYPE_CHECKING:
    from runql.archive.tables import Row

RUNS_PER_PAGE: Final = 50
ROWS_PER_UNIT: Final = 5_000
"""Rows that one request brings of several runs; a run with more is scanned alone."""
UNITS_AT_ONCE: Final = 4
LISTING: Final = ".runs.parquet"
OVER: Final = frozenset({"finished", "failed", "crashed", "killed", "preempted"})


class ProjectExport:
    """One export; `run` is the flow."""

    def __init__(
        self,
        server: str,
        home: RunAddress,
        folder: Path,
        options: Options,
        limits: SampleLimits,
        report: Progress | None = None,
    ) -> None:
        self._server = server
        self.home: RunAddress = home
        self.place: Place = Place(folder)
        self.options: Options = options
        self._limits = limits
        self._report = report
        self._read_runs = 0
        self._guard = threading.Lock()

    def run(self) -> Flow[Archive]:
        """Write the archive, or go on with it; return it open.

        Raises:
            ArchiveError: the folder holds something else.
            LocalFileError: the folder cannot be written.
            ProjectNotFoundError: the project is absent or hidden.
        """
        folder = self.place.folder
        whole = yield from offload(self._whole_archive)
        if whole is not None:
            return whole
        purpose: dict[str, JSONValue] = {
            "format": layout.VERSION,
            "server": self._server,
            "project": f"{self.home.entity}/{self.home.project}",
            **self.options.model_dump(),
        }
        journal = yield from offload(lambda: Journal(folder / layout.JOURNAL, purpose))
        with journal:
            manifest = yield from self._fill(journal)
            yield from offload(lambda: self._publish(manifest))
        if not manifest.problems:
            yield from offload(lambda: _remove(folder / layout.JOURNAL, folder / LISTING))
        return Archive(folder)

    def _whole_archive(self) -> Archive | None:
        folder = self.place.folder
        try:
            if folder.exists() and not folder.is_dir():
                raise ArchiveError(f"{folder} is no folder: give another one")
            names = {path.name for path in folder.iterdir()} if folder.exists() else set[str]()
        except OSError as error:
            raise LocalFileError(f"cannot read {folder}", error) from error
        if layout.MANIFEST not in names:
            if names and layout.JOURNAL not in names:
                raise ArchiveError(f"{folder} is not empty, and holds no archive: give another folder")
            return None
        archive = Archive(folder)
        manifest = layout.read_manifest(folder)
        source = manifest.source
        known = (source.server, source.entity, source.project)
        if known != (self._server, self.home.entity, self.home.project):
            raise ArchiveError(
                f"{folder} holds the archive of {archive.source} of {source.server}: give another folder"
            )
        if manifest.options != self.options:
            raise ArchiveError(
                f"{folder} holds an archive with other parts ({manifest.options}): give another folder"
            )
        return None if manifest.problems and layout.JOURNAL in names else archive

    def _fill(self, journal: Journal) -> Flow[Manifest]:
        from runql.archive.artifacts import ArtifactExport  # noqa: PLC0415 - only some exports have artifacts

        done = {str(entry["done"]): entry for entry in journal.entries if "done" in entry}
        whole = Done()
        project = yield from read_project(self.home.entity, self.home.project)
        if "runs" not in done or not (self.place.folder / LISTING).exists():
            yield from self._list_runs()
            journal.note({"done": "runs"})
        units = yield from offload(lambda: list(_units(self.place.folder / LISTING)))
        folders = run_folders(self.place.folder, [str(run["id"]) for unit in units for run in unit.runs])
        extras = RunExtrasReader(self.home, self.place, self.options, folders)

        def read(unit: Unit) -> Flow[None]:
            known = done.get(f"unit {unit.number}")
            part = None if known is None else Done.of(known["part"])
            if part is None or part.problems:
                part = yield from self._read_unit(unit, extras, journal)
                entry = part.entry()
                yield from offload(lambda: journal.note({"done": f"unit {unit.number}", "part": entry}))
            with self._guard:
                whole.add(part)
            self._note_runs(len(unit.runs), sum(len(each.runs) for each in units))

        yield from gather([read(unit) for unit in units], limit=UNITS_AT_ONCE)
        whole.add((yield from self._sweeps()))
        if self.options.artifacts:
            whole.add((yield from ArtifactExport(self.home, self.place, journal).run()))
        whole.add((yield from offload(lambda: self._final_runs(whole))))
        running = [str(run["id"]) for unit in units for run in unit.runs if run.get("state") not in OVER]
        return Manifest(
            format=layout.FORMAT,
            version=layout.VERSION,
            tool=f"runql {__version__}",
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            source=Source(
                server=self._server,
                entity=self.home.entity,
                project=self.home.project,
                description=project.description,
            ),
            options=self.options,
            counts=dict(sorted(whole.counts.items())),
            running=running,
            problems=sorted(whole.problems),
            mapped=dict(sorted(whole.mapped.items())),
            files=dict(sorted(whole.files.items())),
        )

    # -- runs ----------------------------------------------------------------------------------------------------

    def _list_runs(self) -> Flow[None]:
        """Write the fields of all runs into a hidden file; one request for 50 runs."""
        query = RunQuery(self.home.entity, self.home.project, per_page=RUNS_PER_PAGE)
        writer = yield from offload(lambda: TableWriter(self.place.folder / LISTING, RUN_COLUMNS))
        with writer:
            sizes, seen, after = _UnitSizes(), set[str](), None
            while True:
                page: Page[FullRunFields] = yield from list_full_page(query, after)
                new = [run for run in page.nodes if run.name not in seen]
                seen.update(run.name for run in new)
                rows = [run_row(run, sizes.unit_of(run.history_line_count)) for run in new]
                yield from offload(partial(writer.add, rows))
                if not page.more:
                    break
                if page.cursor in (None, after):
                    raise PaginationError(f"the server's cursor stands still after {len(seen)} runs")
                after = page.cursor
            yield from offload(writer.finish)

    def _read_unit(self, unit: Unit, extras: RunExtrasReader, journal: Journal) -> Flow[Done]:
        part = Done()
        ids = [str(run["id"]) for run in unit.runs]
        rows = [_rows_of(run) for run in unit.runs]
        if len(ids) == 1 and (rows[0] is None or rows[0] > ROWS_PER_UNIT):
            yield from self._long_history(unit.number, ids[0], rows[0], part, journal)
        else:
            yield from self._short_histories(unit, part)
        yield from extras.read(unit.number, ids, part)
        part.count("runs", len(ids))
        return part

    def _short_histories(self, unit: Unit, part: Done) -> Flow[None]:
        logged = {str(run["id"]): count for run in unit.runs if (count := _rows_of(run)) != 0}
        most = max((count or 0 for count in logged.values()), default=0)
        short = (yield from read_short(self.home, [*logged], most)) if logged else {}
        parts = Parts(layout.HISTORY, unit.number, self.place.path)
        for run, count in logged.items():
            if run in short:
                yield from _add(parts, run, iter(short.pop(run)))
                continue
            scan = LongHistory(self._address(run), count, self._limits)
            try:
                while (rows := (yield from scan.next_rows())) is not None:
                    yield from _add(parts, run, rows)
            except RunqlError as error:
                part.miss(f"the history of run {run}", error)
        yield from parts.write()
        part.files |= parts.notes
        part.count("history rows", parts.count)

    def _long_history(
        self, unit: int, run: str, rows: int | None, part: Done, journal: Journal
    ) -> Flow[None]:
        """Scan one run, file by file; go on behind the last file that an earlier call wrote."""
        start, first, count = 0, 0, 0
        for entry in journal.entries:
            if entry.get("history") == unit:
                note = Done.of(entry["part"])
                part.files |= note.files
                count = note.counts["history rows"]
                first, start = first + 1, _after(entry["last step"])
        parts = Parts(layout.HISTORY, unit, self.place.path, first=first, by_step=True)
        parts.count = count
        scan = LongHistory(self._address(run), rows, self._limits, start=start)
        try:
            while (found := (yield from scan.next_rows())) is not None:
                for row in found:
                    if parts.is_due(row):
                        last = parts.last_step
                        count = parts.count
                        yield from parts.write()
                        written = Done(
                            files=dict([*parts.notes.items()][-1:]), counts={"history rows": count}
                        )
                        noted: dict[str, JSONValue] = {
                            "history": unit,
                            "last step": last,
                            "part": written.entry(),
                        }
                        yield from offload(partial(journal.note, noted))
                    parts.add(run, row)
        except RunqlError as error:
            part.miss(f"the history of run {run}", error)
        yield from parts.write()
        part.files |= parts.notes
        part.count("history rows", parts.count)

    def _final_runs(self, whole: Done) -> Done:
        """Write the file of runs, each with what only its unit's requests brought."""
        part = Done()
        with TableWriter(self.place.path(layout.RUNS), RUN_COLUMNS) as writer:
            rows: list[Row] = []
            for _, row in read_rows(self.place.folder / LISTING):
                rows.append({**row, **whole.facts.get(str(row["id"]), {})})
                if len(rows) == RUNS_PER_PAGE:
                    writer.add(rows)
                    rows = []
            writer.add(rows)
            part.files[layout.RUNS] = writer.finish()
        return part

    def _sweeps(self) -> Flow[Done]:
        sweeps = yield from read_all(
            lambda after: list_sweep_page(self.home.entity, self.home.project, RUNS_PER_PAGE, after)
        )
        rows = [sweep_row(sweep) for sweep in sweeps]
        target = self.place.path(layout.SWEEPS)
        note = yield from offload(lambda: write_records(target, SWEEP_COLUMNS, rows))
        return Done(files={layout.SWEEPS: note}, counts={"sweeps": len(rows)})

    def _publish(self, manifest: Manifest) -> None:
        target, part = self.place.folder / layout.MANIFEST, self.place.folder / f".{layout.MANIFEST}"
        for name, noted in manifest.files.items():
            path = self.place.path(name)
            if size_of(path) != noted.size:
                raise ArchiveError(
                    f"{path} was removed or changed while the export was interrupted: empty {self.place.folder}, "
                    "and export again"
                )
        try:
            with part.open("wb") as file:
                file.write(manifest.to_json())
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise LocalFileError(f"cannot write {target}", error) from error

    def _address(self, run: str) -> RunAddress:
        return RunAddress(self.home.entity, self.home.project, run)

    def _note_runs(self, more: int, total: int) -> None:
        with self._guard:
            self._read_runs += more
            if self._report is not None:
                self._report(self._read_runs, total)


class _UnitSizes:
    """Decides which runs share a unit."""

    def __init__(self) -> None:
        self._unit = 0
        self._runs = 0
        self._rows = 0

    def unit_of(self, rows: int | None) -> int:
        """The unit of the next run, by the rows that it has."""
        is_long = rows is None or rows > ROWS_PER_UNIT
        more = 0 if rows is None else rows
        if self._runs and (is_long or self._runs == RUNS_PER_PAGE or self._rows + more > ROWS_PER_UNIT):
            self._unit, self._runs, self._rows = self._unit + 1, 0, 0
        unit = self._unit
        self._runs, self._rows = self._runs + 1, self._rows + more
        if is_long:
            self._unit, self._runs, self._rows = self._unit + 1, 0, 0
        return unit


def _units(listing: Path) -> Iterator[Unit]:
    number, runs = 0, list["Row"]()
    for _, row in read_rows(listing):
        unit = row["unit"]
        if isinstance(unit, int) and unit != number:
            if runs:
                yield Unit(number, runs)
            number, runs = unit, []
        runs.append({key: row[key] for key in ("id", "state", "history_rows") if key in row})
    if runs:
        yield Unit(number, runs)


def _rows_of(run: Row) -> int | None:
    rows = run.get("history_rows")
    return rows if isinstance(rows, int) else None


def _add(parts: Parts, run: str, rows: Iterator[Row]) -> Flow[None]:
    for row in rows:
        if parts.is_due(row):
            yield from parts.write()
        parts.add(run, row)


def _after(step: JSONValue) -> int:
    return step + 1 if isinstance(step, int) else 0


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise LocalFileError(f"cannot remove {path}", error) from error
