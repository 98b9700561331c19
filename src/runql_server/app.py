"""The ASGI application: routes, credentials, error responses and the record of requests."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runql_server.access import auth
from runql_server.access.auth import Caller
from runql_server.access.sessions import Sessions
from runql_server.access.signing import Signer, load_signer
from runql_server.errors import RequestError
from runql_server.exports.exporter import Exporter
from runql_server.exports.policy import DEFAULT_POLICY, ExportPolicy
from runql_server.graphql import schema
from runql_server.graphql.execution import Documents
from runql_server.graphql.limits import QueryLimits
from runql_server.http.artifacts import ArtifactEndpoints
from runql_server.http.bodies import BodyLimits
from runql_server.http.exports import ExportEndpoints
from runql_server.http.files import FileEndpoints
from runql_server.http.graphql import OPERATION, GraphQLEndpoint
from runql_server.pages.errors import error_page, is_for_browser, refused_route
from runql_server.pages.handlers import Visits
from runql_server.pages.routes import page_routes
from runql_server.storage import disk, recovery
from runql_server.storage.lock import DirectoryLock
from runql_server.storage.store import CRASH_AFTER, Store

Handler = Callable[[Request], Awaitable[Response]]


class RowNumber(Convertor[int]):
    """A row number in a path, of the digits that SQLite can hold."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        """Read the number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Write the number."""
        return str(value)


class FileName(Convertor[str]):
    """The name of a file in a path: any characters, line breaks too."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """Read the name."""
        return value

    def to_string(self, value: str) -> str:
        """Write the name."""
        return value


PAGE_POLL: Final = timedelta(seconds=2)
"""How often a page asks what is new, while something runs."""

register_url_convertor("row", RowNumber())
register_url_convertor("file", FileName())


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; ``operation`` is the GraphQL operation name, or empty for other requests."""

    method: str
    path: str
    operation: str
    body_size: int


@lru_cache(maxsize=8)
def _documents(limits: QueryLimits) -> Documents:
    """Return the schema with its limits: the servers of one process share the documents that were parsed."""
    return Documents(schema.load(), limits)


def create_app(
    data_dir: Path,
    *,
    api_key: str | None = None,
    crash_after: timedelta = CRASH_AFTER,
    export_policy: ExportPolicy = DEFAULT_POLICY,
    config_merge: bool = False,
    on_request: Callable[[ReceivedRequest], None] | None = None,
    body_limits: BodyLimits | None = None,
    query_limits: QueryLimits | None = None,
    page_poll: timedelta = PAGE_POLL,
) -> Starlette:
    """Create the application over a data directory; ``api_key`` is accepted in addition to the stored keys.

    ``app.state.store`` is the open store; shutdown closes it, and frees the directory for another server. One that is never
    started is closed by ``app.state.shut_down()``. The application calls ``on_request`` just before it
    sends a response. ``export_policy`` selects the histories that become parquet files. With ``config_merge`` the
    server merges a run's new config into the stored one, so keys that the client deleted come back. A page of a run
    that still logs renews itself every ``page_poll``.

    Raises:
        DataDirectoryError: another server has the directory, or its database is damaged.
    """
    body_limits = body_limits or BodyLimits()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = DirectoryLock(data_dir)
    store, signer = _open(data_dir, lock, crash_after, api_key)
    endpoints = FileEndpoints(store, signer, most_bytes=body_limits.file_stream)
    artifacts = ArtifactEndpoints(store, signer, most_manifest_bytes=body_limits.manifest)
    exports = ExportEndpoints(store, signer)
    exporter = Exporter(store, export_policy)
    graphql = GraphQLEndpoint(
        store,
        signer,
        exporter,
        _documents(query_limits or QueryLimits()),
        config_merge=config_merge,
        most_bytes=body_limits.graphql,
    )
    sessions = Sessions(signer)
    visits = Visits(store, sessions, poll=page_poll)
    middleware = [] if on_request is None else [Middleware(RequestRecorder, on_request=on_request)]

    def shut_down() -> None:
        exporter.close()
        store.close()
        lock.release()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        shut_down()

    def readable(handler: Handler) -> Handler:
        return _require_key(store, handler, visits=visits)

    app = Starlette(
        routes=[
            Route("/healthz", _greeting),
            Route("/graphql", _require_key(store, graphql), methods=["POST"]),
            Route(
                "/files/{entity}/{project}/{run}/file_stream",
                _require_key(store, endpoints.stream, writes=True),
                methods=["POST"],
            ),
            Route("/files/{entity}/{project}/{run}/{name:file}", readable(endpoints.download)),
            Route("/storage/{run:row}/{name:file}", endpoints.signed_download, methods=["GET"]),
            Route("/storage/{run:row}/{name:file}", endpoints.signed_upload, methods=["PUT"]),
            Route("/history-exports/{export:row}.parquet", exports.download, methods=["GET"]),
            Route("/artifacts/{entity}/{digest}", readable(artifacts.locate_v1)),
            Route("/artifactsV2/{rest:file}", readable(artifacts.locate_v2)),
            Route("/artifact-storage/{artifact:row}/{digest}", artifacts.download_entry, methods=["GET"]),
            Route("/artifact-storage/{artifact:row}/{digest}", artifacts.upload_entry, methods=["PUT"]),
            Route(
                "/artifact-storage/{artifact:row}/manifests/{manifest:row}",
                artifacts.download_manifest,
                methods=["GET"],
            ),
            Route(
                "/artifact-storage/{artifact:row}/manifests/{manifest:row}",
                artifacts.upload_manifest,
                methods=["PUT"],
            ),
            *page_routes(store, visits, greeting=_greeting),
        ],
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={
            RequestError: _error_response,
            HTTPException: _no_route_response,
            OSError: _full_disk_response,
            sqlite3.Error: _full_disk_response,
            Exception: _unexpected_response,
        },
    )
    app.state.store, app.state.sessions, app.state.shut_down = store, sessions, shut_down
    return app


def _open(
    data_dir: Path, lock: DirectoryLock, crash_after: timedelta, api_key: str | None
) -> tuple[Store, Signer]:
    # A lock that is given back unreleased still says that the last server did not end in order.
    try:
        store = recovery.open_store(data_dir, crash_after=crash_after, after_crash=lock.after_crash)
        with store.writing() as connection:
            signer = load_signer(connection)
            if api_key is not None:
                auth.add_key(connection, api_key)
    except BaseException:
        lock.abandon()
        raise
    return store, signer


def _require_key(
    store: Store, handler: Handler, *, writes: bool = False, visits: Visits | None = None
) -> Handler:
    """Refuse requests without a valid key; the handler finds the `Caller` in ``request.state.caller``.

    With ``visits`` a browser's session reads too, and a browser without one signs in.
    """

    async def checked(request: Request) -> Response:
        with store.connection() as connection:
            caller = auth.caller_of(connection, request.headers.get("authorization"))
        if caller is None and visits is not None and _is_browser(request):
            entered = visits.enters(request)
            if isinstance(entered, Response):
                return entered
            caller = Caller(entered, read_only=True)
        if caller is None:
            message = (
                "no valid API key: send it as HTTP Basic (user 'api', password the key) or as Bearer token"
            )
            return _refusal(request, 401, message)
        if writes:
            caller.check_may_write()
        request.state.caller = caller
        return await handler(request)

    return checked


def _is_browser(request: Request) -> bool:
    headers = request.headers
    return "authorization" not in headers and (
        "cookie" in headers or "text/html" in headers.get("accept", "")
    )


async def _greeting(_request: Request) -> Response:
    return PlainTextResponse("runql embedded server: point WANDB_BASE_URL here\n")


def _refusal(request: Request, status: int, message: str) -> Response:
    if is_for_browser(request):
        return error_page(request, status, message)
    return JSONResponse({"error": message}, status_code=status)


async def _error_response(request: Request, error: Exception) -> Response:
    return _refusal(request, error.status if isinstance(error, RequestError) else 400, str(error))


async def _no_route_response(request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (404, None)
    if is_for_browser(request):
        return error_page(request, status, refused_route(request, status), headers)
    return JSONResponse({"error": HTTPStatus(status).phrase}, status_code=status, headers=headers)


async def _full_disk_response(request: Request, error: Exception) -> Response:
    if not disk.is_full(error):
        raise error
    return _refusal(request, 507, disk.FULL)


async def _unexpected_response(request: Request, error: Exception) -> Response:
    message = f"internal server error: {type(error).__name__}"
    if is_for_browser(request):
        return error_page(request, 500, f"{message}. The output of the server says more.")
    body: dict[str, object] = {"error": message}
    if request.url.path == "/graphql":
        body = {"errors": [{"message": message}]}
    return JSONResponse(body, status_code=500)


class RequestRecorder:
    """Counts the body bytes of each request and reports it before the response starts."""

    def __init__(self, app: ASGIApp, on_request: Callable[[ReceivedRequest], None]) -> None:
        self._app = app
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request and its response on unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def reported(message: Message) -> None:
            if message["type"] == "http.response.start":
                operation = str(scope.get(OPERATION, ""))
                body_size = max(size, _announced_size(scope))
                self._on_request(ReceivedRequest(scope["method"], scope["path"], operation, body_size))
            await send(message)

        await self._app(scope, counted, reported)


def _announced_size(scope: Scope) -> int:
    # The server refuses some requests before it reads their bodies.
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isdecimal() and len(text) <= 18 else 0
