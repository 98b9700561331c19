"""A transport that acts as an older server: refuses operations with unknown fields, and passes on the others."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

import httpx
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, build_schema, parse, validate
from tests.contract.both_clients import DoubleTransport

SDL: Final = (files("runql_graphql") / "wandb.graphql").read_text("utf-8")


@cache
def schema_without(parts: frozenset[str]) -> GraphQLSchema:
    """Build the pinned schema without these fields, such as ``Run.projectId``."""
    schema = build_schema(SDL)
    for part in parts:
        owner, _, name = part.partition(".")
        kind = schema.type_map[owner]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        del kind.fields[name]
    return schema


class OlderServer(DoubleTransport):
    """Validates operations against a schema without the given fields; ``asked`` names the received ones."""

    def __init__(self, *lacks: str, most_errors: int | None = None, status: int = 400) -> None:
        self.asked: list[str] = []
        self._schema = schema_without(frozenset(lacks))
        self._most_errors = most_errors
        self._status = status
        self._direct = httpx.HTTPTransport()
        self._awaited = httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._refused(request) or self._direct.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._refused(request) or await self._awaited.handle_async_request(request)

    def close(self) -> None:
        self._direct.close()

    async def aclose(self) -> None:
        await self._awaited.aclose()

    def _refused(self, request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            self.asked.append(request.method)
            return None
        body: dict[str, Any] = json.loads(request.content)  # Any: JSON
        self.asked.append(str(body["operationName"]))
        errors = validate(self._schema, parse(body["query"]))[: self._most_errors]
        if not errors:
            return None
        return httpx.Response(self._status, json={"errors": [error.formatted for error in errors]})
