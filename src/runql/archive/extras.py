"""Reads what runs have beside their rows: metrics of the machine, console lines, and files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.archive import layout
from runql.archive.done import Done
from runql.archive.histories import named
from runql.archive.layout import Options, Place
from runql.archive.names import file_paths
from runql.archive.parts import Parts
from runql.archive.records import console_row, file_row
from runql.archive.tables import note_of, size_of
from runql.errors import LocalFileError, PaginationError, RunqlError
from runql.paths import RunAddress
from runql.resources.files.listing import FileQuery, list_files
from runql.resources.files.record import fetch_file
from runql.resources.history.span_reader import REFUSALS
from runql.resources.pages.listing import require_connection
from runql.resources.records.identity import require_run, require_runs
from runql.transport.files.bodies import CHUNK, new_md5
from runql.transport.flow import Flow, fetch, gather, offload
from runql.values import parse_rows
from runql_graphql.fragments import FileFields, LogLineFields, RunExtras
from runql_graphql.operations import list_log_lines, list_run_extras

if TYPE_CHECKING:
    from runql.archive.tables import Row

EVENTS: Final = 10_000
"""Rows of the machine's metrics that are requested of a run; the server samples longer ones."""
LINES: Final = 1_000
FILES_PER_PAGE: Final = 500
FILES_AT_ONCE: Final = 4


class RunExtrasReader:
    """Reads them for the runs of a unit; one request, and more for what is long."""

    def __init__(
        self, home: RunAddress, place: Place, options: Options, folders: Mapping[str, str | None]
    ) -> None:
        self._home = home
        self._place = place
        self._options = options
        self._folders = folders

    def read(self, unit: int, runs: Sequence[str], part: Done) -> Flow[None]:
        """Write them, and note the files in ``part``.

        Raises:
            RunqlError: an error that is about more than one run.
        """
        events = Parts(layout.EVENTS, unit, self._place.path)
        console = Parts(layout.CONSOLE, unit, self._place.path)
        lists = Parts(layout.FILE_LISTS, unit, self._place.path)
        found = dict[str, RunExtras]()
        yield from self._request(runs, found, part)
        for run in runs:
            extras = found.pop(run, None)
            if extras is None:
                continue
            if extras.host is not None:
                part.facts[run] = {"host": extras.host}
            try:
                if len(extras.events) >= EVENTS:
                    part.problems.append(
                        f"the system metrics of run {run}: the server returns a sample of {EVENTS} rows, not all"
                    )
                for row in parse_rows(extras.events):
                    yield from _add(events, run, row)
            except RunqlError as error:
                part.miss(f"the system metrics of run {run}", error)
            try:
                yield from self._lines(run, extras, console)
            except RunqlError as error:
                part.miss(f"the console lines of run {run}", error)
            if self._options.files:
                yield from self._files(run, extras, lists, part)
        for each, name in ((events, "system rows"), (console, "console lines"), (lists, "files")):
            yield from each.write()
            part.files |= each.notes
            part.count(name, each.count)

    def _request(self, runs: Sequence[str], found: dict[str, RunExtras], part: Done) -> Flow[None]:
        """Read a page of runs; in halves where that is too much for the server or for us."""
        operation = list_run_extras(
            entity=self._home.entity,
            project=self._home.project,
            filters=named(runs),
            order="+created_at",
            first=len(runs),
            files=FILES_PER_PAGE,
            lines=LINES,
            samples=EVENTS,
            with_files=self._options.files,
        )
        try:
            response = yield from fetch(operation, fail_fast=len(runs) > 1)
            edges = require_runs(response.project, self._home.entity, self._home.project).edges
        except REFUSALS as error:
            if len(runs) == 1:
                part.miss(f"the system metrics, console lines and files of run {runs[0]}", error)
                return
            half = len(runs) // 2
            yield from self._request(runs[:half], found, part)
            yield from self._request(runs[half:], found, part)
            return
        found |= {edge.node.name: edge.node for edge in edges}
        part.problems += [f"run {run}: it was deleted during the export" for run in runs if run not in found]

    def _lines(self, run: str, extras: RunExtras, parts: Parts) -> Flow[None]:
        connection, count = extras.log_lines, extras.log_line_count
        if connection is None:
            if count:
                raise PaginationError(f"the server returned none of its {count} lines")
            return
        start = 0
        nodes = [edge.node for edge in connection.edges]
        more, cursor = connection.page_info.has_next_page, connection.page_info.end_cursor
        while True:
            for node in nodes:
                start = yield from _add_line(parts, run, node, start)
            is_short = count is not None and start < count and bool(nodes)
            if not more and not is_short:
                break
            before = cursor
            response = yield from fetch(
                list_log_lines(
                    entity=self._home.entity,
                    project=self._home.project,
                    run=run,
                    first=10 * LINES,
                    after=cursor,
                )
            )
            page = require_run(response.project, self._home.entity, self._home.project, run)
            connected = require_connection(page.log_lines, f"the console lines of run {run}")
            nodes = [edge.node for edge in connected.edges]
            more, cursor = connected.page_info.has_next_page, connected.page_info.end_cursor
            if more and (cursor == before or not nodes):
                raise PaginationError(f"the server's cursor stands still after {start} lines")
        if count is not None and start < count:
            raise PaginationError(f"the server returned {start} of {count} lines")

    def _files(self, run: str, extras: RunExtras, lists: Parts, part: Done) -> Flow[None]:
        address = RunAddress(self._home.entity, self._home.project, run)
        try:
            connection = require_connection(extras.files, f"the files of run {run}")
            found = [edge.node for edge in connection.edges if edge.node is not None]
            more, after = connection.page_info.has_next_page, connection.page_info.end_cursor
            while more:
                page = yield from list_files(FileQuery(address, per_page=FILES_PER_PAGE), after)
                found += page.nodes
                if page.cursor in (None, after):
                    raise PaginationError(f"the server's cursor stands still after {len(found)} files")
                more, after = page.more, page.cursor
        except RunqlError as error:
            part.miss(f"the files of run {run}", error)
            return
        files = {file.name: file for file in found if file.updated_at is not None}
        paths = file_paths(self._place.folder, self._folders[run], run, [*files])
        saved = yield from gather(
            [self._file(address, file, paths[file.name], part) for file in files.values()],
            limit=FILES_AT_ONCE,
        )
        for file, is_saved in zip(files.values(), saved, strict=True):
            path = paths[file.name]
            yield from _add(lists, run, file_row(file, path if is_saved else None))
            if is_saved and path.startswith(f"{layout.MAPPED}/"):
                part.mapped[path] = f"{run}/{file.name}"

    def _file(self, run: RunAddress, file: FileFields, path: str, part: Done) -> Flow[bool]:
        try:
            target = self._place.path(path)
            if not (yield from offload(lambda: _has(target, file))):
                yield from fetch_file(run, file, target, None)
            part.files[path] = yield from offload(lambda: note_of(target))
        except RunqlError as error:
            part.miss(f"file {file.name} of run {run.run_id}", error)
            return False
        return True


def _has(target: Path, file: FileFields) -> bool:
    """Whether an earlier call has fetched these bytes."""
    if not file.md5 or size_of(target) != int(file.size_bytes):
        return False
    digest = new_md5()
    try:
        with target.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise LocalFileError(f"cannot read {target}", error) from error
    return b64encode(digest.digest()).decode() == file.md5


def _add(parts: Parts, run: str, row: Row) -> Flow[None]:
    if parts.is_due(row):
        yield from parts.write()
    parts.add(run, row)


def _add_line(parts: Parts, run: str, node: LogLineFields, start: int) -> Flow[int]:
    number = start if node.number is None else node.number
    yield from _add(parts, run, console_row(node, number))
    return number + 1
