"""HTTP endpoints of artifacts: downloads with the API key, signed transfers of entries and manifests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runql_server.access.signing import Access, Signer
from runql_server.artifacts import versions
from runql_server.artifacts.contents import blobs, entries, manifests
from runql_server.artifacts.contents.blobs import Blob
from runql_server.errors import NotFoundError, RequestError
from runql_server.http import bodies, browsers
from runql_server.storage import files
from runql_server.storage.files import Upload
from runql_server.storage.store import Store

RecordUpload = Callable[[Upload], str | None]
"""Records received bytes, and returns a blob that is no longer needed."""

_NOT_FOUND = "no artifact here has these bytes"


class ArtifactEndpoints:
    """Handlers that share the store and the signer."""

    def __init__(self, store: Store, signer: Signer, *, most_manifest_bytes: int) -> None:
        self._store = store
        self._most_manifest_bytes = most_manifest_bytes
        self._signer = signer

    async def locate_v1(self, request: Request) -> Response:
        """GET ``/artifacts/{entity}/{hex}``: needs the API key, or a session; redirects to a signed URL."""
        return await self._locate(
            request, str(request.path_params["entity"]), str(request.path_params["digest"])
        )

    async def locate_v2(self, request: Request) -> Response:
        """GET ``/artifactsV2/...``: as `locate_v1`, in three forms that differ in their number of parts.

        ``{region}/{entity}/{birth}/{hex}``, ``{region}/{entity}/{project}/{collection}/{birth}/{hex}/{name}`` and
        ``{region}/{entity}/{project}/{collection}/{artifact}/{birth}/{hex}/{name}``. The birth may be empty.
        """
        match str(request.path_params["rest"]).split("/"):
            case [_region, entity, birth, digest]:
                return await self._locate(request, entity, digest, birth=birth)
            case [_region, entity, project, collection, birth, digest, name]:
                return await self._locate(
                    request, entity, digest, birth=birth, collection=(project, collection), name=name
                )
            case [_region, entity, project, collection, artifact, birth, digest, name]:
                place = (project, collection)
                return await self._locate(
                    request, entity, digest, birth=birth, collection=place, artifact=artifact, name=name
                )
            case _:
                raise NotFoundError(_NOT_FOUND)

    async def download_entry(self, request: Request) -> Response:
        """GET the bytes of an entry by a signed URL; of entries with the same bytes, ``name`` says which is meant."""
        self._check(request, "GET")
        number, digest = (
            int(request.path_params["artifact"]),
            blobs.from_hex(str(request.path_params["digest"])),
        )

        wanted = request.query_params.get("name", "")

        def work() -> tuple[Blob | None, str]:
            with self._store.connection() as connection:
                owner = versions.by_number(connection, number).entity_number
                return blobs.find(connection, owner, digest), entries.name_of(
                    connection, number, digest, wanted
                )

        blob, name = await anyio.to_thread.run_sync(work)
        if blob is None:
            raise NotFoundError(_NOT_FOUND)
        return self._send(request, blob.name, digest, files.mimetype(name), name=name)

    async def upload_entry(self, request: Request) -> Response:
        """PUT the bytes of an entry to a signed URL; they must have the announced MD5."""
        self._check(request, "PUT")
        number, digest = (
            int(request.path_params["artifact"]),
            blobs.from_hex(str(request.path_params["digest"])),
        )

        def record(upload: Upload) -> str | None:
            _check_md5(upload, digest)
            with self._store.writing() as connection:
                artifact = versions.by_number(connection, number)
                if not entries.is_announced(connection, number, digest):
                    raise NotFoundError("the artifact of this upload waits for no such file")
                return blobs.record(connection, artifact.entity_number, upload)

        return await self._receive(request, record, request.stream())

    async def download_manifest(self, request: Request) -> Response:
        """GET a manifest by a signed URL."""
        self._check(request, "GET")
        number = int(request.path_params["manifest"])

        def work() -> manifests.StoredManifest:
            with self._store.connection() as connection:
                return manifests.by_number(connection, number)

        found = await anyio.to_thread.run_sync(work)
        if found.blob is None:
            raise NotFoundError("this manifest was not uploaded")
        return self._send(request, found.blob, found.digest, "application/json", name="wandb_manifest.json")

    async def upload_manifest(self, request: Request) -> Response:
        """PUT a manifest to a signed URL; it must have the announced MD5, if there is one."""
        self._check(request, "PUT")
        number = int(request.path_params["manifest"])

        def record(upload: Upload) -> str | None:
            with self._store.writing() as connection:
                found = manifests.by_number(connection, number)
                if found.digest:
                    _check_md5(upload, found.digest)
                if versions.by_number(connection, found.artifact_number).state == "COMMITTED":
                    raise RequestError("the artifact is committed: its manifest cannot change any more")
                return manifests.record(connection, number, upload)

        # A commit reads the manifest to memory.
        most = self._most_manifest_bytes
        bodies.check_announced(request.headers.get("content-length"), most)
        return await self._receive(request, record, bodies.bounded(request.stream(), most))

    async def _locate(
        self,
        request: Request,
        entity: str,
        digest: str,
        *,
        birth: str | None = None,
        collection: tuple[str, str] | None = None,
        artifact: str | None = None,
        name: str = "",
    ) -> Response:
        wanted = blobs.from_hex(digest)

        def work() -> int | None:
            with self._store.connection() as connection:
                return entries.owner_of(
                    connection, entity, wanted, birth=birth, collection=collection, artifact=artifact
                )

        owner = await anyio.to_thread.run_sync(work)
        if owner is None:
            raise NotFoundError(_NOT_FOUND)
        path = f"/artifact-storage/{owner}/{blobs.to_hex(wanted)}"
        signed = self._signer.url(str(request.base_url), "GET", path)
        # Names may hold half of a surrogate pair, which has no place in a URL.
        which = f"&name={quote(name, safe='', errors='replace')}" if name else ""
        return RedirectResponse(signed + which, status_code=307)

    def _check(self, request: Request, access: Access) -> None:
        query = request.query_params
        self._signer.check(
            access,
            str(request.scope["path"]),
            expires=query.get("expires", ""),
            signature=query.get("signature", ""),
        )

    async def _receive(
        self, request: Request, record: RecordUpload, chunks: AsyncIterator[bytes]
    ) -> Response:
        bodies.check_room(request, self._store.blobs)
        upload = await files.receive(self._store, chunks)
        try:
            surplus = await anyio.to_thread.run_sync(record, upload)
        except BaseException:
            files.remove_blobs(self._store, [upload.blob])
            raise
        files.remove_blobs(self._store, [surplus])
        return Response(headers={"ETag": f'"{upload.md5}"'})

    def _send(self, request: Request, blob: str, digest: str, media_type: str, *, name: str = "") -> Response:
        path = files.stored_path(self._store, blob)
        return browsers.send_file(request, path, name=name, media_type=media_type, etag=digest)


def _check_md5(upload: Upload, announced: str) -> None:
    if upload.md5 != announced:
        raise RequestError(f"the bytes have MD5 {upload.md5}, {announced} was announced: nothing was stored")
