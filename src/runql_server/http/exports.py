"""HTTP endpoint of history exports: signed downloads, whole or in ranges."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from runql_server.access.signing import Signer
from runql_server.errors import NotFoundError
from runql_server.runs import history_exports
from runql_server.runs.history_exports import Export
from runql_server.storage import files
from runql_server.storage.store import Store


class ExportEndpoints:
    """Handlers that share the store and the signer."""

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    async def download(self, request: Request) -> Response:
        """GET or HEAD a parquet file by a signed URL; honours ``Range``."""
        query = request.query_params
        self._signer.check(
            "GET",
            str(request.scope["path"]),
            expires=query.get("expires", ""),
            signature=query.get("signature", ""),
        )
        number = int(request.path_params["export"])

        def work() -> Export | None:
            with self._store.connection() as connection:
                return history_exports.by_number(connection, number)

        export = await anyio.to_thread.run_sync(work)
        if export is None:
            raise NotFoundError("this export was replaced: ask for the run's history again")
        headers = {"ETag": f'"{export.blob}"', "X-Content-Type-Options": "nosniff"}
        path = files.stored_path(self._store, export.blob)
        return FileResponse(path, media_type="application/vnd.apache.parquet", headers=headers)
