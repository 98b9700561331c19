"""A transport that acts as an older server: refuses operations with unknown fields, and passes on the others."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

import httpx
from graphql import (
    DocumentNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_ast_schema,
    parse,
    validate,
)
from tests.contract.both_clients import PassingTransport

SDL: Final = (files("runql_graphql") / "wandb.graphql").read_text("utf-8")


@cache
def _document() -> DocumentNode:
    return parse(SDL, no_location=True)


@cache
def schema_without(parts: frozenset[str]) -> GraphQLSchema:
    """Build the pinned schema without these fields, such as ``Run.projectId``."""
    schema = build_ast_schema(_document(), assume_valid_sdl=True)  # other tests validate it
    for part in parts:
        owner, _, name = part.partition(".")
        kind = schema.type_map[owner]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        del kind.fields[name]
    return schema


class OlderServer(PassingTransport):
    """Validates operations against a schema without the given fields; ``asked`` names the received ones."""

    def __init__(self, *lacks: str, most_errors: int | None = None, status: int = 400) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._schema = schema_without(frozenset(lacks))
        self._most_errors = most_errors
        self._status = status

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        if request.method != "POST":
            self.asked.append(request.method)
            return request
        body: dict[str, Any] = json.loads(request.content)  # Any: JSON
        self.asked.append(str(body["operationName"]))
        errors = validate(self._schema, parse(body["query"]))[: self._most_errors]
        if not errors:
            return request
        return httpx.Response(self._status, json={"errors": [error.formatted for error in errors]})
