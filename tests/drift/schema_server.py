"""GraphQL servers for any SDL on a loopback port: with the engine of the embedded server, or with py-gql."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import py_gql
import uvicorn
from ariadne import make_executable_schema
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Lexer,
    Node,
    NoSchemaIntrospectionCustomRule,
    Source,
    TokenKind,
    parse,
    validate,
)
from py_gql.exc import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runql_server.graphql.execution import Documents
from runql_server.http import listening

KEY = "0123456789" * 4
Body: TypeAlias = dict[str, Any]  # Any: GraphQL requests and responses
Engine: TypeAlias = Literal["graphql-core", "py-gql"]


@dataclass(frozen=True)
class ServerBehaviour:
    """How a server differs from a default one.

    Attributes:
        introspection: whether it allows introspection.
        status: HTTP status for invalid documents.
        max_errors: largest number of errors in a response.
        masked_message: the message that replaces every other.
        max_bytes: it refuses longer requests with 413.
        without_locations: whether errors have no lines and columns.
        sorts_errors: whether it sorts errors by message.
        needs_key: whether it refuses requests without a key.
        max_tokens: it refuses documents with more tokens, as GraphQL Armor does.
        max_depth: it refuses documents with deeper selections, as GraphQL Armor does, before it validates them.
        forbidden: it responds with 403 to documents that contain this str, as a firewall does.
        validates: whether it validates; else it responds with empty data.
    """

    introspection: bool = True
    status: int = 200
    max_errors: int | None = None
    masked_message: str | None = None
    max_bytes: int | None = None
    without_locations: bool = False
    sorts_errors: bool = False
    needs_key: bool = False
    max_tokens: int | None = None
    max_depth: int | None = None
    forbidden: str | None = None
    validates: bool = True


@dataclass(eq=False)
class SchemaServer:
    """A GraphQL server for an SDL, on a loopback port.

    Attributes:
        sdl: the current schema, see `serve`.
        received: the bodies of all requests.
        authorization: the header of that name of each of them, None where it has none.
        resolved: every resolved field; empty if the server ran nothing.
    """

    sdl: str
    engine: Engine = "graphql-core"
    behaviour: ServerBehaviour = field(default_factory=ServerBehaviour)
    received: list[Body] = field(default_factory=list[Body])
    authorization: list[str | None] = field(default_factory=list[str | None])
    resolved: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        app = Starlette(routes=[Route("/graphql", self._answer, methods=["POST"])])
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        self._socket = listening.bind("127.0.0.1", 0)
        self.url = listening.url("127.0.0.1", self._socket)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._engines: dict[str, Callable[[Body], Body]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def serve(self, sdl: str) -> None:
        """Serve another schema, and clear `received` and `resolved`."""
        self.sdl = sdl
        self._engines.clear()
        self.received.clear()
        self.authorization.clear()
        self.resolved.clear()

    async def _answer(self, request: Request) -> Response:
        raw = await request.body()
        if self.behaviour.max_bytes is not None and len(raw) > self.behaviour.max_bytes:
            return PlainTextResponse("too large", status_code=413)
        body: Body = json.loads(raw)
        self.received.append(body)
        self.authorization.append(request.headers.get("authorization"))
        if self.behaviour.needs_key and "authorization" not in request.headers:
            return JSONResponse({"errors": [{"message": "who are you?"}]}, status_code=401)
        if not self.behaviour.validates:
            return JSONResponse({"data": {}})
        if self.behaviour.forbidden is not None and self.behaviour.forbidden in body["query"]:
            return PlainTextResponse("forbidden", status_code=403)
        if (refused := self._beyond_limits(body["query"])) is not None:
            return JSONResponse({"errors": [{"message": f"Syntax Error: {refused}"}]}, status_code=400)
        try:
            answer = self._executor()(body)
        except GraphQLError:
            # py-gql fails on some documents; a web framework would respond like this.
            return PlainTextResponse("internal server error", status_code=500)
        errors: list[Body] = answer.get("errors", [])
        if self.behaviour.masked_message is not None:
            errors = [{"message": self.behaviour.masked_message} for _ in errors]
        if self.behaviour.without_locations:
            errors = [{"message": each["message"]} for each in errors]
        if self.behaviour.sorts_errors:
            errors = sorted(errors, key=lambda each: str(each["message"]))
        if errors:
            answer = {"errors": errors[: self.behaviour.max_errors]}
        return JSONResponse(answer, status_code=self.behaviour.status if errors else 200)

    def _beyond_limits(self, query: str) -> str | None:
        """Return the words of GraphQL Armor for a document that is too large or too deep."""
        most_tokens, most_depth = self.behaviour.max_tokens, self.behaviour.max_depth
        if most_tokens is not None:
            lexer, number = Lexer(Source(query)), 0
            while lexer.advance().kind is not TokenKind.EOF:
                number += 1
                if number > most_tokens:
                    return f"Token limit of {most_tokens} exceeded, found {number}."
        if most_depth is not None:
            document = parse(query)
            depth = max(_depth(each, document) for each in document.definitions)
            if depth > most_depth:
                return f"Query depth limit of {most_depth} exceeded, found {depth}."
        return None

    def _executor(self) -> Callable[[Body], Body]:
        if self.sdl not in self._engines:
            self._engines[self.sdl] = (
                self._graphql_core(self.sdl) if self.engine == "graphql-core" else self._py_gql(self.sdl)
            )
        return self._engines[self.sdl]

    def _graphql_core(self, sdl: str) -> Callable[[Body], Body]:
        """Make the engine of the embedded server: Ariadne and `runql_server.graphql.execution`."""
        schema = make_executable_schema(sdl)
        for described in schema.type_map.values():
            for name, each in getattr(described, "fields", {}).items():
                if not described.name.startswith("__"):
                    each.resolve = self._resolver(f"{described.name}.{name}")
        documents = Documents(schema)

        def execute(body: Body) -> Body:
            if not self.behaviour.introspection:
                found = validate(schema, parse(body["query"]), [NoSchemaIntrospectionCustomRule])
                if found:
                    return {"errors": [each.formatted for each in found]}
            context: Any = None  # Any: these resolvers use no context
            return documents.execute(
                body["query"], body.get("variables") or {}, body.get("operationName"), context
            ).body

        return execute

    def _resolver(self, name: str) -> Callable[..., None]:
        def resolve(*_given: object, **_arguments: object) -> None:
            self.resolved.append(name)

        return resolve

    def _py_gql(self, sdl: str) -> Callable[[Body], Body]:
        """Make the engine of py-gql."""
        schema = py_gql.build_schema(sdl)

        # Any: py-gql's resolvers have no types.
        def note(follow: Any, root: Any, context: Any, info: Any, **arguments: Any) -> Any:
            if not str(next(iter(info.path))).startswith("__"):
                self.resolved.append(str(info.path))
            return follow(root, context, info, **arguments)

        def execute(body: Body) -> Body:
            if not self.behaviour.introspection and "__schema" in body["query"]:
                return {"errors": [{"message": "introspection is disabled"}]}
            result = py_gql.graphql_blocking(
                schema,
                body["query"],
                variables=body.get("variables") or {},
                operation_name=body.get("operationName"),
                middlewares=[note],
            )
            return dict(result.response())

        return execute


def _depth(node: Node, document: DocumentNode) -> int:
    """Return how many fields lie within each other at most."""
    if isinstance(node, FragmentSpreadNode):
        named = (
            each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value == node.name.value
        )
        return max((_depth(each, document) for each in named), default=0)
    selection = getattr(node, "selection_set", None)
    inner = max((_depth(each, document) for each in selection.selections), default=0) if selection else 0
    return inner + isinstance(node, FieldNode)
