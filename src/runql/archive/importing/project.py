"""Imports an archive into a project: sweeps, runs in their order, then their rows, lines and files, then artifacts."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive import layout
from runql.archive.archive import Archive, ArchiveReader, Unit
from runql.archive.errors import ArchiveError
from runql.archive.histories import named
from runql.archive.importing.artifacts import ArtifactImport
from runql.archive.importing.report import ImportReport
from runql.archive.importing.uploads import STREAMS, FileUploads, chunks, end_stream, post_chunk
from runql.archive.journal import Journal
from runql.archive.records import strings
from runql.errors import ProjectNotFoundError, QueryError, first_few
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.artifacts.collections.lookup import CollectionQuery, list_project_collection_page
from runql.resources.pages.listing import read_all
from runql.resources.project import read_project
from runql.resources.runs.query import RunQuery, list_light_page
from runql.resources.sweeps.sweeps import list_sweep_page
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, fetch, gather, offload
from runql.values import JSONValue
from runql_graphql.fragments import SweepFields
from runql_graphql.input_types import UpsertBucketInput, UpsertModelInput, UpsertSweepInput
from runql_graphql.operations import create_project, create_run, create_sweep, update_run

if TYPE_CHECKING:
    from runql.archive.tables import Row

NAMES: Final = 500
PER_PAGE: Final = 50
UNITS_AT_ONCE: Final = 4
EXIT_CODES: Final[Mapping[str, int]] = {"finished": 0, "failed": 1}
"""The states that the end of the file stream leads to."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an import writes, and where it notes what is done.

    Attributes:
        server: its base URL, or another name that stays the same from call to call.
        home: the project.
        folder: for the journal.
        if_taken: what to do when the project has a part of the archive already.
        if_other: what to do when the journal is that of another archive.
    """

    server: str
    home: RunAddress
    folder: Path
    if_taken: str = "import into another project"
    if_other: str = "repeat that one, or use another folder"

    @property
    def path(self) -> str:
        """The entity and the project."""
        return f"{self.home.entity}/{self.home.project}"

    @property
    def journal(self) -> Path:
        """The file that notes what is done."""
        target = hashlib.sha256(f"{self.server}\n{self.path}".encode()).hexdigest()[:16]
        return self.folder / f".import-{target}.jsonl"


class ProjectImport:
    """One import; `run` is the flow."""

    def __init__(
        self,
        destination: Destination,
        archive: Archive,
        *,
        dry_run: bool = False,
        is_checked: bool = False,
        report: Progress | None = None,
    ) -> None:
        """Prepare it.

        Args:
            destination: where to write.
            archive: what to write.
            dry_run: write nothing.
            is_checked: whether the caller has compared the archive with its digests, and checked its rows.
            report: called with the runs that are written and their total.
        """
        self._destination = destination
        self._server = destination.server
        self._home = destination.home
        self._path = destination.path
        self._archive = archive
        self._reader = ArchiveReader(archive)
        self._dry_run = dry_run
        self._is_checked = is_checked
        self._report = report
        self._uploads = FileUploads(destination.home)
        self._notes: list[str] = []
        self._left_out: list[str] = []
        self._sweeps: dict[str, str] = {}
        self._done: set[str] = set()
        self._rows: dict[tuple[str, str], int] = {}
        self._written = 0
        self._guard = threading.Lock()

    def run(self) -> Flow[ImportReport]:
        """Write the archive, or go on with it.

        Raises:
            ArchiveError: the archive is damaged, or the project has some of its runs or artifacts already. Nothing was
                written.
            RunqlError: the server refuses; what was written stays, and the same call goes on.
        """
        if not self._is_checked:
            yield from offload(self._archive.verify)
            yield from offload(self._reader.check)
        journal_path = self._destination.journal
        is_new = not (yield from offload(journal_path.exists))
        before = (yield from self._refuse_existing()) if is_new else list[str]()
        if self._dry_run:
            return self._reported()
        purpose: dict[str, JSONValue] = {
            "archive": self._digest(),
            "server": self._server,
            "project": self._path,
        }
        journal = yield from offload(lambda: Journal(journal_path, purpose, self._destination.if_other))
        with journal:
            token = next((str(entry["token"]) for entry in journal.entries if "token" in entry), None)
            if token is None:
                # A kill between the first line and this one: nothing was written to the server.
                before = before if is_new else (yield from self._refuse_existing())
                token = secrets.token_hex(16)
                yield from offload(lambda: journal.note({"token": token, "sweeps": list[JSONValue](before)}))
            else:
                before = next(strings_of(entry["sweeps"]) for entry in journal.entries if "token" in entry)
            self._done = {str(entry["run"]) for entry in journal.entries if "run" in entry}
            self._rows = {
                (str(entry["rows of"]), str(entry["kind"])): count
                for entry in journal.entries
                if "rows of" in entry and isinstance(count := entry["count"], int)
            }
            yield from self._compare_earlier(journal_path)
            end = next((entry for entry in journal.entries if "complete" in entry), None)
            if end is None:
                yield from self._write(journal, token, before)
                done: dict[str, JSONValue] = {
                    "complete": True,
                    "notes": list[JSONValue](self._notes),
                    "left_out": list[JSONValue](self._left_out),
                }
                yield from offload(lambda: journal.note(done))
            else:
                self._notes = strings_of(end.get("notes"))
                self._left_out = strings_of(end.get("left_out"))
        return self._reported()

    def _reported(self) -> ImportReport:
        manifest = self._reader.manifest
        notes = [f"run {run} was not over when it was exported: it stays running" for run in manifest.running]
        left_out = [f"the archive lacks it: {problem}" for problem in manifest.problems]
        return ImportReport(
            self._path,
            self._archive.counts,
            [*notes, *self._notes],
            [*left_out, *self._left_out],
            self._dry_run,
        )

    def _digest(self) -> str:
        return hashlib.sha256(self._reader.manifest.to_json()).hexdigest()

    # -- before anything is written ------------------------------------------------------------------------------

    def _refuse_existing(self) -> Flow[list[str]]:
        """Check that the project has none of the runs and collections; return the sweeps that it has."""
        try:
            yield from read_project(self._home.entity, self._home.project)
        except ProjectNotFoundError:
            return []
        ids = yield from offload(lambda: [str(run["id"]) for run in self._reader.runs()])
        taken = [f"run {run}" for run in (yield from self._existing(ids))]
        wanted = yield from offload(lambda: {str(each["name"]) for each in self._reader.collections()})
        if wanted:
            query_all = CollectionQuery(self._home.entity, self._home.project, None, None, PER_PAGE)
            known = yield from read_all(partial(list_project_collection_page, query_all))
            taken += [f"artifact {each.name}" for each in known if each.name in wanted]
        if taken:
            raise ArchiveError(
                f"{self._path} on {self._server} has {first_few(taken)} already: nothing was written; "
                f"{self._destination.if_taken}"
            )
        sweeps = yield from read_all(
            partial(list_sweep_page, self._home.entity, self._home.project, PER_PAGE)
        )
        return [sweep.name for sweep in sweeps]

    def _compare_earlier(self, journal: Path) -> Flow[None]:
        """Check that the runs that an earlier call has written are still there, and the rows of the run it stopped in."""
        begun = {run for run, _ in self._rows} - self._done
        if not self._done and not begun:
            return
        written = sorted(self._done | begun)
        try:
            found = yield from self._existing(written)
        except ProjectNotFoundError:
            found = {}
        if gone := sorted(self._done.difference(found)):
            raise ArchiveError(
                f"{self._path} on {self._server} lacks {first_few([f'run {run}' for run in gone])}, which an earlier import "
                f"has written: they were deleted. Remove {journal} to import again"
            )
        for run in begun:
            if run not in found or (found[run] or 0) < self._rows.get((run, layout.HISTORY), 0):
                # The server lost them, or has not counted them yet: rows may be written again, so all of them are.
                self._rows = {place: count for place, count in self._rows.items() if place[0] != run}

    def _existing(self, ids: Sequence[str]) -> Flow[dict[str, int | None]]:
        """Those of the runs that the project has, each with the number of its rows; one request for 500."""
        found: dict[str, int | None] = {}
        for start in range(0, len(ids), NAMES):
            part = ids[start : start + NAMES]
            query = RunQuery(self._home.entity, self._home.project, named(part), per_page=len(part))
            runs = yield from read_all(partial(list_light_page, query))
            found |= {run.name: run.history_line_count for run in runs}
        return found

    # -- writing -------------------------------------------------------------------------------------------------

    def _write(self, journal: Journal, token: str, sweeps_before: Sequence[str]) -> Flow[None]:
        yield from self._create_project()
        yield from self._create_sweeps(journal, sweeps_before)
        yield from self._create_runs()
        total = self._archive.counts.get("runs", 0)
        units = self._reader.units()
        while group := (yield from offload(lambda: list(islice(units, UNITS_AT_ONCE)))):
            yield from gather([self._fill(unit, journal, total) for unit in group], limit=UNITS_AT_ONCE)
        if self._reader.manifest.options.artifacts:
            artifacts = ArtifactImport(self._home, self._reader, journal, token)
            yield from artifacts.run()
            self._notes += artifacts.notes
            self._left_out += artifacts.left_out
        yield from self._end_sweeps()

    def _create_project(self) -> Flow[None]:
        wanted = UpsertModelInput(name=self._home.project, entityName=self._home.entity)
        try:
            yield from read_project(self._home.entity, self._home.project)
        except ProjectNotFoundError:
            if self._reader.manifest.source.description:
                wanted.description = self._reader.manifest.source.description
            yield from fetch(create_project(input=wanted), repeatable=True)

    def _create_sweeps(self, journal: Journal, before: Sequence[str]) -> Flow[None]:
        """Create the sweeps, whose ids the server chooses; one that a killed call created is taken over."""
        known = {str(entry["sweep"]): str(entry["new"]) for entry in journal.entries if "sweep" in entry}
        rows = yield from offload(lambda: list(self._reader.sweeps()))
        missing = [row for row in rows if str(row["id"]) not in known]
        spare: dict[str, str] = {}
        if missing and not journal.is_new:
            there = yield from read_all(
                partial(list_sweep_page, self._home.entity, self._home.project, PER_PAGE)
            )
            ours = {*before, *known.values()}
            spare = {sweep.config: sweep.name for sweep in there if sweep.name not in ours}
        for row in missing:
            new = spare.pop(str(row["config"]), None) or (yield from self._create_sweep(row))
            known[str(row["id"])] = new
            entry: dict[str, JSONValue] = {"sweep": row["id"], "new": new}
            yield from offload(partial(journal.note, entry))
        self._sweeps = known

    def _create_sweep(self, row: Row) -> Flow[str]:
        wanted = UpsertSweepInput(
            entityName=self._home.entity, projectName=self._home.project, config=str(row["config"])
        )
        if isinstance(name := row.get("name"), str):
            wanted.display_name = name
        if isinstance(description := row.get("description"), str):
            wanted.description = description
        made = (yield from fetch(create_sweep(input=wanted))).upsert_sweep
        if made is None or made.sweep is None:
            raise ArchiveError(
                f"the server made no sweep for {row['id']}: may your API key write to {self._path}?"
            )
        return made.sweep.name

    def _end_sweeps(self) -> Flow[None]:
        rows = yield from offload(lambda: list(self._reader.sweeps()))
        there = (
            yield from read_all(partial(list_sweep_page, self._home.entity, self._home.project, PER_PAGE))
            if rows
            else _none()
        )
        found = {sweep.name: sweep for sweep in there}
        for row in rows:
            sweep = found.get(self._sweeps[str(row["id"])])
            if sweep is None or sweep.state == row.get("state"):
                continue
            try:
                yield from fetch(
                    create_sweep(input=UpsertSweepInput(id=sweep.id, state=str(row["state"]))),
                    repeatable=True,
                )
            except QueryError as error:
                self._notes.append(f"sweep {sweep.name}: it stays {sweep.state}, not {row['state']}: {error}")

    def _create_runs(self) -> Flow[None]:
        """Create the runs, oldest first: the server notes the time, which orders them."""
        runs = self._reader.runs()
        while row := (yield from offload(lambda: next(runs, None))):
            if str(row["id"]) not in self._done:
                yield from self._create_run(row)

    def _create_run(self, row: Row) -> Flow[None]:
        wanted = UpsertBucketInput(
            name=str(row["id"]), modelName=self._home.project, entityName=self._home.entity
        )
        for column, name in _WRITABLE.items():
            if isinstance(value := row.get(column), str):
                setattr(wanted, name, value)
        wanted.tags = list(strings(row.get("tags")))
        if isinstance(sweep := row.get("sweep"), str):
            wanted.sweep = self._sweeps.get(sweep, sweep)
        config = row.get("config")
        is_fork = isinstance(config, str) and '"branch_point"' in config
        if isinstance(config, str) and not is_fork:
            wanted.config = config
        made = (yield from fetch(create_run(input=wanted), repeatable=True)).upsert_bucket
        if made is None or made.bucket is None:
            raise ProjectNotFoundError(self._home.entity, self._home.project)
        if isinstance(config, str) and is_fork:
            # A new run with it would begin with the rows of its parent, which are among its own rows here.
            change = UpsertBucketInput(id=made.bucket.id, config=config)
            yield from fetch(update_run(input=change, with_config=False, with_summary=False), repeatable=True)

    def _fill(self, unit: Unit, journal: Journal, total: int) -> Flow[None]:
        """Write the rows, lines and files of runs; idempotent, so that a killed call may write a part of them again."""
        runs = [run for run in unit.runs if str(run["id"]) not in self._done]
        ids = {str(run["id"]) for run in runs}
        for kind in STREAMS if ids else ():
            cut = chunks(kind, self._reader.rows(kind, unit.number))
            while chunk := (yield from offload(partial(next, cut, None))):
                if chunk.run in ids and chunk.end > self._rows.get((chunk.run, kind), 0):
                    yield from post_chunk(self._home, kind, chunk)
                    if chunk.is_full:
                        written: dict[str, JSONValue] = {
                            "rows of": chunk.run,
                            "kind": kind,
                            "count": chunk.end,
                        }
                        yield from offload(partial(journal.note, written))
        files = yield from offload(lambda: self._files_of(unit.number) if ids else {})
        for run in runs:
            name = str(run["id"])
            if name in files:
                yield from self._uploads.upload(name, files[name])
            yield from self._end(run)
            entry: dict[str, JSONValue] = {"run": name}
            yield from offload(partial(journal.note, entry))
        with self._guard:
            self._written += len(unit.runs)
            if self._report is not None:
                self._report(self._written, total)

    def _files_of(self, unit: int) -> dict[str, dict[str, Path]]:
        found: dict[str, dict[str, Path]] = {}
        for run, row in self._reader.rows(layout.FILE_LISTS, unit):
            if isinstance(path := row.get("path"), str):
                found.setdefault(run, {})[str(row["name"])] = self._reader.path(path)
            else:
                self._left_out.append(f"file {row['name']} of run {run}: it is not in the archive")
        return found

    def _end(self, run: Row) -> Flow[None]:
        """Bring a run to the state that it had."""
        name, state = str(run["id"]), str(run.get("state") or "running")
        if state in EXIT_CODES:
            yield from end_stream(self._home, name, EXIT_CODES[state])
        elif state != "running":
            change = UpsertBucketInput(
                name=name, modelName=self._home.project, entityName=self._home.entity, state=state
            )
            try:
                yield from fetch(
                    update_run(input=change, with_config=False, with_summary=False), repeatable=True
                )
            except QueryError as error:
                self._notes.append(f"run {name}: the server does not set its state to {state}: {error}")


_WRITABLE: Final[Mapping[str, str]] = {
    "name": "display_name",
    "group": "group_name",
    "job_type": "job_type",
    "description": "description",
    "notes": "notes",
    "commit": "commit",
    "host": "host",
    "summary": "summary_metrics",
}
"""The fields of a run that an import writes, by their columns."""


def strings_of(value: JSONValue) -> list[str]:
    """The members of a JSON list that are str."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _none() -> Flow[list[SweepFields]]:
    yield from ()
    return []
