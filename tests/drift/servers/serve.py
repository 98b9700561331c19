"""`python serve.py KIND`: serve any SDL on a loopback port by a GraphQL server of PyPI; print the port.

The protocol is that of serve.mjs.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import strawberry
import uvicorn
from ariadne.asgi import GraphQL as Ariadne
from graphql import GraphQLObjectType, GraphQLSchema, build_schema, is_introspection_type
from graphql.validation import NoSchemaIntrospectionCustomRule
from strawberry.asgi import GraphQL as Strawberry
from strawberry.extensions import AddValidationRules

# Any: the messages of ASGI have no types.
Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

resolved: list[str] = []


def schema_of(sdl: str) -> GraphQLSchema:
    """Build a schema whose fields note that they were resolved."""
    schema = build_schema(sdl)
    for described in schema.type_map.values():
        if isinstance(described, GraphQLObjectType) and not is_introspection_type(described):
            for name, field in described.fields.items():
                field.resolve = noting(f"{described.name}.{name}")
    return schema


def noting(coordinate: str) -> Callable[..., None]:
    """Return a resolver that notes its field."""

    def resolve(*_given: object, **_arguments: object) -> None:
        resolved.append(coordinate)

    return resolve


def ariadne(schema: GraphQLSchema, *, introspection: bool) -> App:
    """Return Ariadne's server."""
    return Ariadne(schema, introspection=introspection)


@strawberry.type
class Query:
    """The query of a schema in Python, as Strawberry's are written."""

    name: str = ""


def of_strawberry(schema: GraphQLSchema, *, introspection: bool) -> App:
    """Return Strawberry's server; its schema gets the types of the SDL."""
    made = strawberry.Schema(
        Query,
        extensions=[] if introspection else [lambda: AddValidationRules([NoSchemaIntrospectionCustomRule])],
    )
    # It has no way in for a schema that is there already.
    vars(made)["_schema"] = schema
    return Strawberry(made, graphql_ide=None)


MAKERS = {"ariadne": ariadne, "strawberry": of_strawberry}


class Switch:
    """Serves the control path itself, and hands every other request to the server of the current SDL."""

    def __init__(self, kind: str) -> None:
        self.make = MAKERS[kind]
        self.app: App | None = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        if scope["path"] != "/control":
            assert self.app is not None, "no SDL yet"
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST":
            schema = schema_of((await whole_body(receive)).decode())
            self.app = self.make(schema, introspection=scope["query_string"] == b"introspection")
            resolved.clear()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(resolved).encode()})


async def whole_body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """Read the body of a request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


if __name__ == "__main__":
    # Both log every invalid document, and all are invalid.
    logging.disable(logging.CRITICAL)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(Switch(sys.argv[1]), log_level="critical", lifespan="off"))
    server.run(sockets=[listening])
