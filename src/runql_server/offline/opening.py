"""Serves offline runs: imports them into a data directory, and follows the files that are still written."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runql_server.access import auth
from runql_server.errors import NotFoundError
from runql_server.offline.errors import OfflineFileError
from runql_server.offline.folder import FoundRun, find_files, first_run
from runql_server.offline.run_import import RunImport
from runql_server.running import RunningServer
from runql_server.runs import runs
from runql_server.storage import files
from runql_server.storage.store import Store

_POLL_SECONDS: Final = 1.0
_NOTE: Final = "offline-runs.json"
RunPath = tuple[str, str, str]


@dataclass
class _Followed:
    """The files of one folder, each with its import, in the order of the runs' starts."""

    store: Store
    data_dir: Path
    is_kept: bool
    path: Path
    imports: dict[Path, RunImport] = field(default_factory=dict[Path, RunImport])
    refused: dict[Path, str] = field(default_factory=dict[Path, str])
    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict[Path, tuple[int, int]])
    paths: dict[Path, RunPath] = field(default_factory=dict[Path, RunPath])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def refresh(self) -> bool:
        """Apply what was written since the last call, also new files; return whether there was anything."""
        with self.lock:
            found = self._begin_new(find_files(self.path))
            if found:
                # Before a row is written: after a kill, the next call knows which runs may be half-imported.
                self.note()
            for path, each in list(self.imports.items()):
                if _size(path) != self.sizes.get(path) or not each.ended:
                    found = self._advance(path, each) or found
            return found

    def problems(self) -> list[str]:
        """List the files that are not whole, and what was left out, one sentence each."""
        with self.lock:
            said = list(self.refused.values())
            for path, each in self.imports.items():
                if each.problem():
                    said.append(f"{path}: {each.problem()}; what is whole before it was read")
                said += [f"{path}: {note}" for note in each.notes]
                said += [f"{path}: {count} × {what} left out" for what, count in each.state.left_out.items()]
                said += [f"{path}: file {name} is not there" for name in each.missing_files()]
            return said

    def note(self) -> None:
        """Write down which files the directory holds, and whether their runs have ended."""
        if not self.is_kept:
            return
        noted = [
            (str(path), *self.sizes.get(path, (0, 0)), self.paths[path], each.ended)
            for path, each in self.imports.items()
        ]
        (self.data_dir / _NOTE).write_text(json.dumps(noted), encoding="utf-8")

    def _begin_new(self, paths: Iterable[Path]) -> bool:
        new: list[FoundRun] = []
        for path in paths:
            if path in self.paths:
                continue
            try:
                new.append(first_run(path))
                self.refused.pop(path, None)
            except OfflineFileError as error:
                self.refused[path] = str(error)
        for each in sorted(new):
            run = (each.entity, each.project, each.run_id)
            if run not in self.paths.values() and self._is_stored(run):
                self.refused[each.path] = (
                    f"{self.data_dir} holds a run {'/'.join(run)} already, which was not read from {each.path}: "
                    "name another data directory"
                )
                continue
            self.paths[each.path] = run
            self.imports[each.path] = RunImport(self.store, each.path)
        return any(each.path in self.imports for each in new)

    def _is_stored(self, run: RunPath) -> bool:
        with self.store.reading() as connection:
            try:
                runs.number_of(connection, *run)
            except NotFoundError:
                return False
        return True

    def _advance(self, path: Path, each: RunImport) -> bool:
        size = _size(path)
        try:
            found = each.advance()
        except OfflineFileError as error:
            self.refused[path] = str(error)
            del self.imports[path]
            return False
        self.sizes[path] = size
        return found


class OpenedFolder:
    """A server over the offline runs of one path.

    Attributes:
        url: base URL, on loopback.
        api_key: a key that can only read.
    """

    def __init__(self, server: RunningServer, followed: _Followed, api_key: str) -> None:
        self.url: str = server.url
        self.api_key: str = api_key
        self._server = server
        self._followed = followed

    def run_paths(self) -> list[str]:
        """List the runs as ``entity/project/id``, in the order of their starts, each once."""
        with self._followed.lock:
            found = [self._followed.paths[path] for path in self._followed.imports]
            return list(dict.fromkeys("/".join(each) for each in found))

    def problems(self) -> list[str]:
        """List what could not be read, one sentence each."""
        return self._followed.problems()

    def refresh(self) -> bool:
        """Read what was written since the last time; return whether there was anything."""
        return self._followed.refresh()

    def page_link(self, path: str = "/") -> str:
        """Return a link to a page that signs a browser in; it works once."""
        return self._server.page_link(path)


@contextmanager
def open_path(
    path: Path, *, data_dir: Path | None = None, follow: bool = True, port: int = 0
) -> Generator[OpenedFolder]:
    """Serve the offline runs of a path inside the block, from a temporary directory or a kept ``data_dir``.

    Nothing is written below ``path``. With ``follow`` a thread reads what running processes write, once a second. A kept
    ``data_dir`` is updated: runs whose files have not changed are not read again.

    Raises:
        OfflineFileError: ``path`` holds no run that can be read.
        DataDirectoryError: another server has ``data_dir``, or its database is damaged.
        OSError: the port is not free, or ``data_dir`` cannot be written.
    """
    path = path.absolute()
    found = find_files(path)
    with RunningServer(data_dir, port=port) as server:
        followed = _Followed(server.store, server.data_dir, data_dir is not None, path)
        try:
            _take_over(followed, found)
            followed.refresh()
        except sqlite3.Error as error:
            raise OSError(f"cannot write the database in {server.data_dir}: {error}") from error
        if not followed.imports:
            raise OfflineFileError(path, "; ".join(followed.refused.values()))
        reader_key = auth.new_key()
        with server.store.writing() as connection:
            auth.add_key(connection, reader_key, read_only=True)
        ended = threading.Event()
        thread = threading.Thread(target=_follow, args=(followed, ended), name="runql-follow", daemon=True)
        if follow:
            thread.start()
        try:
            yield OpenedFolder(server, followed, reader_key)
        finally:
            ended.set()
            if follow:
                thread.join()
            followed.note()


def _follow(followed: _Followed, ended: threading.Event) -> None:
    while not ended.wait(_POLL_SECONDS):
        # A folder that goes away while it is followed, or a full disk, changes nothing of what was read.
        with suppress(OSError, ValueError, sqlite3.Error):
            followed.refresh()


def _take_over(followed: _Followed, paths: list[Path]) -> None:
    """Keep runs that are in the directory already and whose files have not changed; remove the others of them."""
    known = _noted(followed.data_dir)
    found: dict[RunPath, set[Path]] = {}
    for path in paths:
        with suppress(OfflineFileError):
            each = first_run(path)
            found.setdefault((each.entity, each.project, each.run_id), set()).add(path)
    by_run: dict[RunPath, list[Path]] = {}
    for path, noted in known.items():
        by_run.setdefault(noted.run, []).append(path)
    for run, own in by_run.items():
        is_same = all(known[path].ended and _size(path) == known[path].size for path in own)
        if found.get(run) == set(own) and is_same:
            for path in own:
                followed.paths[path], followed.sizes[path] = run, known[path].size
                followed.imports[path] = RunImport.of_stored(followed.store, path)
        elif run in found or not all(known[path].ended for path in own):
            _delete(followed.store, run)


def _delete(store: Store, run_path: RunPath) -> None:
    with suppress(NotFoundError):
        with store.writing() as connection:
            number = runs.number_of(connection, *run_path)
            blobs = files.blobs_of(connection, number)
            runs.delete(connection, number)
        files.remove_blobs(store, blobs)


@dataclass(frozen=True)
class _Noted:
    size: tuple[int, int]
    run: RunPath
    ended: bool


def _noted(data_dir: Path) -> dict[Path, _Noted]:
    try:
        rows: list[tuple[str, int, int, list[str], bool]] = json.loads(
            (data_dir / _NOTE).read_text(encoding="utf-8")
        )
        return {
            Path(path): _Noted((size, changed), (run[0], run[1], run[2]), ended)
            for path, size, changed, run, ended in rows
        }
    except (OSError, ValueError, TypeError, IndexError):
        return {}


def _size(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
