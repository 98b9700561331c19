"""A transport of threads to a server as it would respond after a change of its schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx
from graphql import (
    DocumentNode,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLResolveInfo,
    GraphQLSchema,
    execute_sync,  # pyright: ignore[reportUnknownVariableType] - its middleware is a bare generic
    is_leaf_type,
    parse,
    validate,
)
from tests.contract.both_clients import PassingTransport
from tests.drift.oracle import VALUES

from runql.drift.operations.type_strings import base_name, type_of
from runql.values import JSONValue

# Any in this module: data of any JSON.


class ChangedTransport(PassingTransport):
    """Sends requests to a genuine server, and returns its responses as the changed schema types them.

    The changed server refuses what is not valid any more. A field that may be null now is null, one that is a list now
    has its value in a list, and one of another scalar has a value of that scalar.

    Attributes:
        found: the changed schema; None leaves every response as it is.
        operations: names of the operations that were sent.
    """

    def __init__(self, known: GraphQLSchema) -> None:
        super().__init__()
        self.found: GraphQLSchema | None = None
        self.operations: set[str] = set()
        self._known = known

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        return self._changed(request, response)

    def _changed(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/graphql"):
            return response
        sent = json.loads(request.content)
        self.operations.add(sent["operationName"])
        body = response.json()
        if self.found is None or body.get("data") is None:
            return response
        return httpx.Response(200, json=self._response_of(self.found, sent, body))

    def _response_of(self, found: GraphQLSchema, sent: dict[str, Any], body: dict[str, Any]) -> JSONValue:
        document = _parsed(sent["query"])
        if errors := validate(found, document):
            return {"errors": [{"message": each.message} for each in errors]}
        result = execute_sync(
            found,
            document,
            body["data"],
            variable_values=sent.get("variables"),
            operation_name=sent["operationName"],
            field_resolver=self._field,
            type_resolver=_type,
        )
        failed: list[JSONValue] = [{"message": each.message} for each in result.errors or ()]
        failed += body.get("errors", ())
        return {"data": result.data, "errors": failed} if failed else {"data": result.data}

    def _field(self, source: dict[str, Any], info: GraphQLResolveInfo, **_arguments: object) -> JSONValue:
        value = source.get(str(info.path.key))
        parent = self._known.type_map.get(info.parent_type.name)
        was = getattr(parent, "fields", {}).get(info.field_name)
        if was is None:
            return value
        return _typed(value, type_of(was), type_of(info.parent_type.fields[info.field_name]), info.schema)


@cache
def _parsed(query: str) -> DocumentNode:
    return parse(query)


def _type(value: dict[str, Any], info: GraphQLResolveInfo, abstract: GraphQLAbstractType) -> str:
    possible = [each.name for each in info.schema.get_possible_types(abstract)]
    named: str = value.get("__typename", possible[0])
    return named


def _typed(value: JSONValue, was: str, now: str, schema: GraphQLSchema) -> JSONValue:
    """Return a value of the type that a field has now."""
    if value is None or (was.endswith("!") and not now.endswith("!")):
        return None
    was, now = was.removesuffix("!"), now.removesuffix("!")
    was_list, is_list = was.startswith("["), now.startswith("[")
    if is_list and not was_list:
        return [_typed(value, was + "!", now[1:-1], schema)]
    if isinstance(value, list) and is_list and was_list:
        return [_typed(each, was[1:-1], now[1:-1], schema) for each in value]
    if isinstance(value, list) and was_list:
        return _typed(value[0], was[1:-1], now, schema) if value else None
    described = schema.type_map[base_name(now)]
    if base_name(was) == base_name(now) or not is_leaf_type(described):
        return value if is_leaf_type(described) or isinstance(value, dict) else {}
    if isinstance(described, GraphQLEnumType):
        return next(iter(described.values))
    return value if type(value) is type(VALUES.get(now)) else VALUES.get(now, "a str")
