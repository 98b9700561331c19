"""Files of a run: rows in the database, bytes in blobs with names made by the server."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from runql_server import ids, timestamps
from runql_server.errors import NotFoundError
from runql_server.names import check_file_name
from runql_server.storage.store import Store, make_private_folder, open_private


@dataclass(frozen=True)
class StoredFile:
    """One file of a run; ``blob`` and ``updated_at`` are ``None`` until the file is uploaded."""

    run: int
    name: str
    blob: str | None = None
    size_bytes: int = 0
    md5: str | None = None
    mimetype: str | None = None
    updated_at: str | None = None

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("File", f"{self.run}:{self.name}")

    @property
    def display_name(self) -> str:
        """Equal to the name; only files of artifacts have another one."""
        return self.name

    @property
    def digest(self) -> str | None:
        """Equal to the md5."""
        return self.md5

    @property
    def storage_path(self) -> str:
        """Path of this server for reading and writing the bytes."""
        return f"/storage/{self.run}/{self.name}"


@dataclass(frozen=True)
class Upload:
    """Received bytes that no file owns yet."""

    blob: str
    size: int
    md5: str


def count(connection: sqlite3.Connection, run: int, part: str = "") -> int:
    """Count the files of the run; with ``part`` those whose name holds it."""
    query = "SELECT COUNT(*) FROM files WHERE run_id = ? AND (? = '' OR instr(name, ?))"
    return int(connection.execute(query, (run, part, part)).fetchone()[0])


def page(connection: sqlite3.Connection, run: int, *, after: str, part: str, first: int) -> list[StoredFile]:
    """List up to ``first`` files with names above ``after``, by name; with ``part`` those whose name holds it."""
    query = """SELECT * FROM files WHERE run_id = ? AND name > ? AND (? = '' OR instr(name, ?))
               ORDER BY name LIMIT ?"""
    return [_file(row) for row in connection.execute(query, (run, after, part, part, first))]


def find(connection: sqlite3.Connection, run: int, name: str) -> StoredFile | None:
    """Find the file of that name, or return ``None``."""
    row = connection.execute("SELECT * FROM files WHERE run_id = ? AND name = ?", (run, name)).fetchone()
    return None if row is None else _file(row)


def by_names(connection: sqlite3.Connection, run: int, names: Iterable[str]) -> list[StoredFile]:
    """Return one file for each name, in the given order; a missing one has no blob."""
    return [find(connection, run, check_file_name(name)) or StoredFile(run, name) for name in names]


def matching(connection: sqlite3.Connection, run: int, pattern: str | None) -> list[StoredFile]:
    """List files whose name matches the SQL LIKE pattern (``%`` any string, ``_`` one character); all without one."""
    query = "SELECT * FROM files WHERE run_id = ? AND name LIKE ? ORDER BY name"
    return [_file(row) for row in connection.execute(query, (run, "%" if pattern is None else pattern))]


def by_id(opaque: str) -> tuple[int, str]:
    """Decode a node id to run number and file name."""
    number, colon, name = ids.decode("File", opaque).partition(":")
    if not colon or not number.isdecimal() or len(number) > 18:
        raise NotFoundError(f"{opaque!r} is not the id of a file")
    return int(number), name


async def receive(store: Store, chunks: AsyncIterator[bytes]) -> Upload:
    """Write a request body to a new blob."""
    blob = secrets.token_hex(16)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    path = blob_path(store, blob)
    await anyio.to_thread.run_sync(make_private_folder, path.parent)
    try:
        async with await anyio.open_file(path, "wb", opener=open_private) as file:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                await file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(blob, size, base64.b64encode(digest.digest()).decode())


def write(store: Store, content: bytes) -> Upload:
    """Write bytes from memory to a new blob."""
    return write_chunks(store, [content])


def write_chunks(store: Store, chunks: Iterable[bytes]) -> Upload:
    """Write bytes to a new blob, chunk by chunk."""
    blob = secrets.token_hex(16)
    path = blob_path(store, blob)
    make_private_folder(path.parent)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with open(path, "wb", opener=open_private) as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(blob, size, base64.b64encode(digest.digest()).decode())


def record(connection: sqlite3.Connection, run: int, name: str, upload: Upload) -> str | None:
    """Replace a file's bytes, and return its previous blob. Needs a write transaction."""
    before = find(connection, run, name)
    connection.execute(
        """INSERT OR REPLACE INTO files (run_id, name, blob, size, md5, mimetype, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            run,
            name,
            upload.blob,
            upload.size,
            upload.md5,
            mimetype(name),
            timestamps.to_string(timestamps.now()),
        ),
    )
    return None if before is None else before.blob


def delete(connection: sqlite3.Connection, run: int, name: str) -> str | None:
    """Delete a file, and return its blob. Needs a write transaction."""
    before = find(connection, run, name)
    connection.execute("DELETE FROM files WHERE run_id = ? AND name = ?", (run, name))
    return None if before is None else before.blob


def blobs_of(connection: sqlite3.Connection, run: int) -> list[str]:
    """List the blobs of all files and history exports of a run."""
    query = """SELECT blob FROM files WHERE run_id = :run
               UNION ALL SELECT blob FROM history_exports WHERE run_id = :run"""
    return [row["blob"] for row in connection.execute(query, {"run": run})]


def remove_blobs(store: Store, blobs: Iterable[str | None]) -> None:
    """Delete blobs without owners; call it after the transaction."""
    for blob in blobs:
        if blob is not None:
            blob_path(store, blob).unlink(missing_ok=True)


def blob_path(store: Store, blob: str) -> Path:
    """Return the path of a blob on disk."""
    return store.blobs / blob[:2] / blob


def stored_path(store: Store, blob: str) -> Path:
    """Return the path of a blob with bytes; raises ``NotFoundError`` for one that lost them."""
    path = blob_path(store, blob)
    if not path.exists():
        raise NotFoundError("the server lost the bytes of this file: upload it again")
    return path


def mimetype(name: str) -> str:
    """Guess the media type from the name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _file(row: sqlite3.Row) -> StoredFile:
    return StoredFile(
        run=row["run_id"],
        name=row["name"],
        blob=row["blob"],
        size_bytes=row["size"],
        md5=row["md5"],
        mimetype=row["mimetype"],
        updated_at=row["updated_at"],
    )
