"""HTTP endpoint of GraphQL: from the request body to the response bytes."""

from __future__ import annotations

import json
import re
from typing import Final

import anyio.to_thread
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runql_server import lenient_json
from runql_server.access.auth import Caller
from runql_server.access.signing import Signer
from runql_server.errors import RequestError
from runql_server.exports.exporter import Exporter
from runql_server.graphql.context import RequestContext
from runql_server.graphql.execution import Documents, GraphQLResponse
from runql_server.http import bodies
from runql_server.lenient_json import JsonValue
from runql_server.storage import disk
from runql_server.storage.store import Store

OPERATION = "runql_server.operation"
"""Key of the ASGI scope that holds the name of a request's operation, for the middleware."""


# Half of a pair is a lone surrogate, but not each half is alone.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class GraphQLEndpoint:
    """Parses and executes each request in a worker thread, because both may take long, and SQLite blocks."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        exporter: Exporter,
        documents: Documents,
        *,
        config_merge: bool,
        most_bytes: int,
    ) -> None:
        self._store = store
        self._signer = signer
        self._exporter = exporter
        self._documents = documents
        self._config_merge = config_merge
        self._most_bytes = most_bytes

    async def __call__(self, request: Request) -> Response:
        """Handle one request; syntax, validation and variable errors have status 400, all others 200.

        A read-only key's mutation has 403, a body above the limit 413, a full disk 507.
        """
        try:
            body = await bodies.read(request, self._most_bytes)
            return await anyio.to_thread.run_sync(self._respond, request, body)
        except RequestError as error:
            return _refusal(str(error), error.status)
        except Exception as error:
            if disk.is_full(error):
                return _refusal(disk.FULL, 507)
            raise

    def _respond(self, request: Request, body: bytes) -> Response:
        text, variables, name = _parse(body)
        operation = self._documents.operation(text, name)
        if operation is not None:
            request.scope[OPERATION] = operation.name.value if operation.name else ""
        reads_only = operation is not None and operation.operation is OperationType.QUERY
        caller: Caller = request.state.caller
        if operation is not None and not reads_only:
            caller.check_may_write()
        # A query reads one snapshot; a mutation must read its own writes.
        borrow = self._store.reading() if reads_only else self._store.connection()
        with borrow as connection:
            context = RequestContext(
                self._store,
                connection,
                self._signer,
                self._exporter,
                caller,
                str(request.base_url),
                config_merge=self._config_merge,
            )
            response = self._documents.execute(text, variables, name, context)
        content = lenient_json.dump(response.body).encode()
        return Response(content, status_code=_status(response), media_type="application/json")


def _status(response: GraphQLResponse) -> int:
    if response.is_disk_full:
        return 507
    return 200 if response.executed else 400


def _refusal(message: str, status: int) -> Response:
    return JSONResponse({"errors": [{"message": message}]}, status_code=status)


def _check_encodable(text: str, variables: JsonValue) -> None:
    try:
        text.encode()
        json.dumps(variables, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RequestError("variables: a string holds a lone surrogate, which is no character") from error


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
    if _SURROGATE.search(body):
        _check_encodable(text, variables)
    # Newer SDKs send an empty operation name with documents from Python code; it means no name.
    return text, variables or {}, name if isinstance(name, str) and name else None
