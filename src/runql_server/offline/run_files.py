"""Files of an offline run: those that its records name, and those that `wandb sync` makes of the records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject
from runql_server.names import check_file_name
from runql_server.storage import files
from runql_server.storage.files import Upload
from runql_server.storage.store import Store

_CHUNK: Final = 1 << 20
CONSOLE: Final = "output.log"
_PREFIX: Final = "ERROR "
_MOMENT: Final = len("2026-11-29T12:08:21.801990 ")


class RunFiles:
    """The files below one run's folder; `copy` stores those that are new or have changed since the last call."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._wanted: dict[str, tuple[int, int] | None] = {}
        self.missing: list[str] = []

    def add(self, names: Iterable[str]) -> None:
        """Take the names of files that the run saved."""
        for name in names:
            self._wanted.setdefault(name, None)

    def copy(self, run: int) -> None:
        """Store the files as they are now. A file that is not there is noted in ``missing``."""
        self.missing = []
        for name, before in self._wanted.items():
            try:
                check_file_name(name)
                path = self._folder / name
                status = path.stat()
                seen = (status.st_size, status.st_mtime_ns)
                if seen == before:
                    continue
                with path.open("rb") as file:
                    upload = files.write_chunks(self._store, read_chunks(file))
            except (OSError, RequestError):
                self.missing.append(name)
                continue
            self._wanted[name] = seen
            self.put(run, name, upload)

    def put(self, run: int, name: str, upload: Upload) -> None:
        """Record stored bytes as a file of the run."""
        with self._store.writing() as connection:
            before = files.record(connection, run, name, upload)
        files.remove_blobs(self._store, [before])

    def put_document(self, run: int, name: str, document: JsonObject) -> None:
        """Store a document as JSON or, by its name, as YAML."""
        text = (
            yaml.safe_dump(document, sort_keys=True, allow_unicode=True)
            if name.endswith(".yaml")
            else lenient_json.dump(document)
        )
        self.put(run, name, files.write(self._store, text.encode("utf-8", "replace")))

    def put_console(self, run: int, first_line: int) -> None:
        """Store the console's lines, from one on, as the file that the SDK uploads."""
        with self._store.reading() as connection:
            upload = files.write_chunks(self._store, _console_chunks(connection, run, first_line))
        self.put(run, CONSOLE, upload)


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of an open file."""
    while chunk := file.read(_CHUNK):
        yield chunk


def _console_chunks(connection: sqlite3.Connection, run: int, first_line: int) -> Iterator[bytes]:
    query = "SELECT text FROM log_lines WHERE run_id = ? AND line >= ? ORDER BY line"
    for row in connection.execute(query, (run, first_line)):
        text: str = row["text"]
        yield f"{text.removeprefix(_PREFIX)[_MOMENT:]}\n".encode("utf-8", "replace")
