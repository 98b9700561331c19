"""HTTP endpoints of a run's files: the file stream, downloads with the API key, signed transfers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runql_server import lenient_json
from runql_server.access.signing import Access, Signer
from runql_server.errors import NotFoundError, RequestError
from runql_server.http import bodies, browsers
from runql_server.names import check_file_name
from runql_server.runs import filestream, runs
from runql_server.storage import files
from runql_server.storage.files import StoredFile
from runql_server.storage.store import Store

Find: TypeAlias = Callable[[sqlite3.Connection], StoredFile | None]
"""Looks up a file."""


class FileEndpoints:
    """Handlers that share the store and the signer."""

    def __init__(self, store: Store, signer: Signer, *, most_bytes: int) -> None:
        self._store = store
        self._signer = signer
        self._most_bytes = most_bytes

    async def stream(self, request: Request) -> Response:
        """POST a chunk of metrics; the response follows the commit of the rows."""
        body = await bodies.read(request, self._most_bytes)
        entity, project, name = (str(request.path_params[part]) for part in ("entity", "project", "run"))

        def work() -> lenient_json.JsonObject:
            post = filestream.parse(lenient_json.parse(_decoded(body), what="the body"))
            with self._store.writing() as connection:
                return filestream.apply(connection, runs.number_of(connection, entity, project, name), post)

        return JSONResponse(await anyio.to_thread.run_sync(work))

    async def download(self, request: Request) -> Response:
        """GET a file by entity, project, run and name; needs the API key, or a session."""
        entity, project, run, name = (
            str(request.path_params[part]) for part in ("entity", "project", "run", "name")
        )

        def find(connection: sqlite3.Connection) -> StoredFile | None:
            return files.find(connection, runs.number_of(connection, entity, project, run), name)

        return await self._send(request, find, name)

    async def signed_download(self, request: Request) -> Response:
        """GET a file by a signed URL."""
        run, name = self._signed(request, "GET")
        return await self._send(request, lambda connection: files.find(connection, run, name), name)

    async def signed_upload(self, request: Request) -> Response:
        """PUT a file to a signed URL; readers see the old bytes until the new ones are complete."""
        run, name = self._signed(request, "PUT")
        check_file_name(name)
        bodies.check_room(request, self._store.blobs)
        upload = await files.receive(self._store, request.stream())

        def work() -> None:
            with self._store.writing() as connection:
                if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
                    raise NotFoundError("the run of this upload was deleted")
                before = files.record(connection, run, name, upload)
            files.remove_blobs(self._store, [before])

        try:
            await anyio.to_thread.run_sync(work)
        except BaseException:
            files.remove_blobs(self._store, [upload.blob])
            raise
        return Response(headers={"ETag": f'"{upload.md5}"'})

    def _signed(self, request: Request, access: Access) -> tuple[int, str]:
        run, name = int(request.path_params["run"]), str(request.path_params["name"])
        query = request.query_params
        self._signer.check(
            access,
            f"/storage/{run}/{name}",
            expires=query.get("expires", ""),
            signature=query.get("signature", ""),
        )
        return run, name

    async def _send(self, request: Request, find: Find, name: str) -> Response:
        def work() -> tuple[StoredFile, Path]:
            lost: str | None = None
            while True:
                with self._store.connection() as connection:
                    file = _existing(find(connection), name)
                try:
                    return file, files.stored_path(self._store, file.blob or "")
                except NotFoundError:
                    # An upload that ended in between has replaced the file, and removed these bytes.
                    if file.blob == lost:
                        raise
                    lost = file.blob

        file, path = await anyio.to_thread.run_sync(work)
        media_type = file.mimetype or files.mimetype(file.name)
        return browsers.send_file(request, path, name=file.name, media_type=media_type, etag=file.md5 or "")


def _existing(file: StoredFile | None, name: str) -> StoredFile:
    if file is None:
        raise NotFoundError(f"file {name!r} not found")
    return file


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"the body cannot be read: {error}") from error
