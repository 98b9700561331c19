"""HTTP endpoint of GraphQL: from the request body to the response bytes."""

from __future__ import annotations

import anyio.to_thread
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runql_server import lenient_json
from runql_server.access.signing import Signer
from runql_server.errors import RequestError
from runql_server.exports.exporter import Exporter
from runql_server.graphql.context import RequestContext
from runql_server.graphql.execution import Documents, GraphQLResponse
from runql_server.lenient_json import JsonValue
from runql_server.storage.store import Store

OPERATION = "runql_server.operation"
"""Key of the ASGI scope that holds the name of a request's operation, for the middleware."""


class GraphQLEndpoint:
    """Executes each request in a worker thread, because SQLite blocks."""

    def __init__(
        self, store: Store, signer: Signer, exporter: Exporter, documents: Documents, *, config_merge: bool
    ) -> None:
        self._store = store
        self._signer = signer
        self._exporter = exporter
        self._documents = documents
        self._config_merge = config_merge

    async def __call__(self, request: Request) -> Response:
        """Handle one request; syntax, validation and variable errors have status 400, all others 200."""
        body = await request.body()
        try:
            text, variables, name = _parse(body)
        except RequestError as error:
            return JSONResponse({"errors": [{"message": str(error)}]}, status_code=400)
        operation = self._documents.operation(text, name)
        if operation is not None:
            request.scope[OPERATION] = operation.name.value if operation.name else ""
        reads_only = operation is not None and operation.operation is OperationType.QUERY

        def work() -> tuple[bytes, bool]:
            # A query reads one snapshot; a mutation must read its own writes.
            borrow = self._store.reading() if reads_only else self._store.connection()
            with borrow as connection:
                context = RequestContext(
                    self._store,
                    connection,
                    self._signer,
                    self._exporter,
                    request.state.user,
                    str(request.base_url),
                    config_merge=self._config_merge,
                )
                response: GraphQLResponse = self._documents.execute(text, variables, name, context)
            return lenient_json.dump(response.body).encode(), response.executed

        content, executed = await anyio.to_thread.run_sync(work)
        return Response(content, status_code=200 if executed else 400, media_type="application/json")


def _parse(body: bytes) -> tuple[str, dict[str, JsonValue], str | None]:
    try:
        document = lenient_json.parse_object(body.decode(), what="the body")
    except UnicodeDecodeError as error:
        raise RequestError("the body is not UTF-8") from error
    text, variables, name = document.get("query"), document.get("variables"), document.get("operationName")
    if not isinstance(text, str):
        raise RequestError("query: a text is needed")
    if variables is not None and not isinstance(variables, dict):
        raise RequestError("variables: an object is needed")
    # Newer SDKs send an empty operation name with documents from Python code; it means no name.
    return text, variables or {}, name if isinstance(name, str) and name else None
