"""Brings the records of one file into a data directory, in transactions of bounded size."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from runql_server import lenient_json, timestamps
from runql_server.access import auth
from runql_server.errors import NotFoundError, RequestError
from runql_server.lenient_json import JsonObject
from runql_server.names import check_name
from runql_server.offline.artifact_import import ArtifactImport
from runql_server.offline.errors import OfflineFileError
from runql_server.offline.fields import inner, moment, text
from runql_server.offline.folder import DEFAULT_PROJECT
from runql_server.offline.framing import RecordFile
from runql_server.offline.messages import UndecodableError, decode
from runql_server.offline.run_files import RunFiles
from runql_server.offline.run_state import INTERNAL, Batch, Earlier, RunState, run_tags
from runql_server.runs import forks, lines, run_values, runs
from runql_server.runs.runs import RunChange
from runql_server.storage import projects
from runql_server.storage.projects import Project
from runql_server.storage.store import CRASH_AFTER, Store

_MOST_ROWS: Final = 5_000
_MOST_BYTES: Final = 4 << 20
NO_EXIT_CODE: Final = 1
"""What `wandb sync` reports for a run whose file has no exit record."""


class RunImport:
    """One file on its way into a data directory. `advance` applies what was written since the last call."""

    def __init__(self, store: Store, path: Path) -> None:
        self.path: Path = path
        self.reader: RecordFile = RecordFile(path)
        self.state: RunState = RunState()
        self.number: int | None = None
        self.project: Project | None = None
        self.ended: bool = False
        self.notes: list[str] = []
        self._store = store
        self._files = RunFiles(store, path.parent / "files")
        self._artifacts = ArtifactImport(store)
        self._damaged = ""
        self._is_stored = False
        self._rows = 0
        self._first_line = 0
        self._wrote_console = False

    @classmethod
    def of_stored(cls, store: Store, path: Path) -> RunImport:
        """Return the import of a file that the data directory holds already."""
        made = cls(store, path)
        made.ended = made._is_stored = True
        return made

    @property
    def run_id(self) -> str:
        """The run's id, once its record was read."""
        return text(self.state.run, "run_id")

    def advance(self) -> bool:
        """Read the new records, and write what they change; return whether there were any.

        Raises:
            OfflineFileError: the file cannot be read or is no .wandb file, or its run has a name that no run can have.
        """
        try:
            return self._advance()
        except OSError as error:
            raise OfflineFileError(self.path, f"cannot be read: {error.strerror or error}") from error

    def _advance(self) -> bool:
        found = False
        if not self._damaged and not self._is_stored:
            for data in self.reader.read():
                try:
                    record = decode(data)
                except UndecodableError as error:
                    self._damaged = f"{error} (before byte {self.reader.offset})"
                    break
                self.state.take(record)
                found = True
                if record.kind == "run":
                    self._begin()
                self._rows += 1
                if self._rows >= _MOST_ROWS or self.state.batch.size >= _MOST_BYTES:
                    self._write()
        self._write()
        self._finish_pass(found=found)
        return found

    def problem(self) -> str:
        """Return what keeps the file from being whole, or an empty string."""
        if self._damaged:
            return self._damaged
        if self._is_stored:
            return ""
        stop = self.reader.stop
        if stop.end == "cut" and not self.ended:
            # Its process writes on.
            return ""
        if stop.end != "whole":
            return f"{stop.problem} (at byte {stop.offset})"
        return "it holds no run yet" if self.number is None else ""

    def missing_files(self) -> list[str]:
        """List the names of saved files that were not there."""
        return self._files.missing

    def _begin(self) -> None:
        if self.number is not None:
            self._write()
            with self._store.writing() as connection:
                runs.change(connection, self.number, self._change())
            return
        run = self.state.run
        try:
            with self._store.writing() as connection:
                self.project = _home(connection, text(run, "entity"), text(run, "project"))
                self.number = self._find_or_create(connection, self.project)
                runs.change(connection, self.number, self._change())
        except RequestError as error:
            raise OfflineFileError(self.path, f"its run cannot be stored: {error}") from error

    def _find_or_create(self, connection: sqlite3.Connection, project: Project) -> int:
        found = runs.find(connection, project.number, self.run_id, crash_before=self._store.crash_before())
        if found is not None:
            point = self._branch_point()
            if point is not None and point.run_name == self.run_id:
                lines.cut_history(connection, found.number, after=point.step)
            self.state.resume(_earlier(connection, found.number))
            self._first_line = self.state.earlier.log_lines
            return found.number
        number = runs.create(connection, project, self.run_id, user=project.user_number)
        started = timestamps.to_string(moment(self.state.start_time))
        connection.execute("UPDATE runs SET created_at = ? WHERE id = ?", (started, number))
        self._fork(connection, number)
        return number

    def _fork(self, connection: sqlite3.Connection, number: int) -> None:
        point = self._branch_point()
        if point is None:
            return
        if point.run_name == self.run_id:
            self.notes.append(
                f"rows up to step {point.step} are not here: the file rewinds a run that is not"
            )
            return
        try:
            forks.copy_parent_rows(connection, number, point)
        except NotFoundError as error:
            self.notes.append(f"rows before the fork are not here: {error}")

    def _branch_point(self) -> forks.BranchPoint | None:
        return forks.branch_point(lenient_json.dump(self.state.config()))

    def _change(self) -> RunChange:
        run = self.state.run
        tags = run_tags(run)
        return RunChange(
            display_name=text(run, "display_name") or None,
            group_name=text(run, "run_group") or None,
            job_type=text(run, "job_type") or None,
            sweep=text(run, "sweep_id") or None,
            host=text(run, "host") or None,
            commit_sha=text(inner(run, "git"), "commit") or None,
            notes=text(run, "notes") or None,
            tags=tags or None,
        )

    def _write(self) -> None:
        """Write the batch in one transaction."""
        self._rows = 0
        if self.number is None:
            return
        state, batch = self.state, self.state.batch
        with self._store.writing() as connection:
            self._write_lines(connection, self.number, batch)
            program = state.environment().get("program")
            runs.change(
                connection,
                self.number,
                RunChange(
                    config=lenient_json.dump(state.config()) if state.config_changed else None,
                    summary=lenient_json.dump(state.summary()) if state.summary_changed else None,
                    job_program=program if isinstance(program, str) else None,
                ),
            )
        state.batch = Batch()
        self._files.add(batch.files)
        if self.project is not None:
            for record in batch.artifacts:
                self.notes += self._artifacts.take(record, self.project, self.number)

    def _write_lines(self, connection: sqlite3.Connection, number: int, batch: Batch) -> None:
        if batch.history:
            offset = lines.line_count(connection, "history", number)
            lines.write_history(connection, number, lines.parse_history(batch.history, offset))
        if batch.events:
            offset = lines.line_count(connection, "events", number)
            lines.write_events(connection, number, batch.events, offset)
        for line, stored, _ in self.state.console.changed():
            lines.write_lines(connection, "log_lines", number, [run_values.storable(stored)], line)
            self._wrote_console = False

    def _finish_pass(self, *, found: bool) -> None:
        if self.number is None:
            return
        self._files.copy(self.number)
        state = self.state
        if found:
            self._put_documents(self.number)
        state.config_changed = state.summary_changed = False
        self._set_state(self.number)

    def _put_documents(self, number: int) -> None:
        state = self.state
        if state.config_changed:
            self._files.put_document(number, "config.yaml", state.config())
            if state.environment():
                self._files.put_document(number, "wandb-metadata.json", state.environment())
        if state.summary_changed:
            self._files.put_document(number, "wandb-summary.json", state.summary())
        if state.console.count and not self._wrote_console:
            self._files.put_console(number, self._first_line)
            self._wrote_console = True

    def _set_state(self, number: int) -> None:
        """Set the state by the exit record; a file without one that nobody writes any more is a failed run."""
        state = self.state
        changed = moment(self.path.stat().st_mtime)
        exit_code = state.exit_code
        if exit_code is None and timestamps.now() - changed > CRASH_AFTER:
            exit_code = NO_EXIT_CODE
        self.ended = exit_code is not None
        heartbeat = moment(state.last_time) if self.ended and state.last_time else changed
        with self._store.writing() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, exitcode = ?, heartbeat_at = ? WHERE id = ?",
                (
                    _state(exit_code, state),
                    None if state.not_complete else exit_code,
                    timestamps.to_string(heartbeat),
                    number,
                ),
            )


def _state(exit_code: int | None, state: RunState) -> str:
    if exit_code is None or state.not_complete:
        return "preempting" if state.is_preempting else "running"
    if exit_code == 0:
        return "finished"
    return "preempted" if state.is_preempting else "failed"


def _home(connection: sqlite3.Connection, entity: str, project: str) -> Project:
    user = auth.user_number(connection)
    owner = entity or auth.USERNAME
    check_name(owner, what="entity name")
    connection.execute("INSERT OR IGNORE INTO entities (name, user_id) VALUES (?, ?)", (owner, user))
    return projects.ensure(connection, owner, project or DEFAULT_PROJECT, user=user)


def _earlier(connection: sqlite3.Connection, number: int) -> Earlier:
    """Return where a run ended that a later file resumes."""
    row = connection.execute("SELECT config FROM runs WHERE id = ?", (number,)).fetchone()
    stored = lenient_json.parse_object(row["config"], what="config")
    config: JsonObject = {key: run_values.unwrap(value) for key, value in stored.items() if key != INTERNAL}
    tail = lines.tail(connection, "history", number, 1)
    last = lenient_json.parse_object(tail[0], what="the last row").get("_step") if tail else None
    return Earlier(
        config=config,
        next_step=last + 1 if isinstance(last, int) else 0,
        log_lines=lines.line_count(connection, "log_lines", number),
    )
