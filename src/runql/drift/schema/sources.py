"""Sources of schemas: the one that runql was built with, an SDL or introspection file, or a server's introspection."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import TypeGuard

from graphql import (
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    build_client_schema,
    build_schema,
    get_introspection_query,
    parse,
    validate_schema,
)
from graphql.utilities import IntrospectionQuery
from graphql.validation.validate import validate_sdl

from runql.drift.server_errors.request import send_patiently
from runql.errors import (
    AccessDeniedError,
    DriftInputError,
    IntrospectionRefusedError,
)
from runql.transport.flow import Flow
from runql.values import JSONValue

INTROSPECTION = get_introspection_query(descriptions=True)


@cache
def known_schema() -> GraphQLSchema:
    """Return the schema that runql was built with."""
    return build_schema(known_sdl(), assume_valid_sdl=True)


def known_sdl() -> str:
    """Return the SDL that runql was built with."""
    return resources("runql_graphql").joinpath("wandb.graphql").read_text(encoding="utf-8")


def load_schema(path: Path) -> GraphQLSchema:
    """Read a schema from an SDL file or from the JSON of an introspection.

    Raises:
        DriftInputError: the file is missing, or holds neither an SDL nor an introspection.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DriftInputError(f"{path} cannot be read: {error}") from error
    if path.suffix == ".json" or content.lstrip().startswith("{"):
        return _from_introspection(path, content)
    try:
        document = parse(content)
        errors = validate_sdl(document)
        if errors:
            raise errors[0]
        schema = build_ast_schema(document, assume_valid_sdl=True)
    except GraphQLError as error:
        # The last location is that of the second definition, the one to remove.
        line = error.locations[-1].line if error.locations else 1
        raise DriftInputError(f"{path}:{line}: {error.message}") from error
    except TypeError as error:
        # A type is used where its kind may not be.
        raise DriftInputError(f"{path} is not a valid schema: {error}") from error
    wrong = validate_schema(schema)
    if wrong:
        raise DriftInputError(f"{path} is not a valid schema: {wrong[0].message}")
    return schema


def _from_introspection(path: Path, content: str) -> GraphQLSchema:
    try:
        body: JSONValue = json.loads(content)
    except ValueError as error:
        raise DriftInputError(f"{path} is not JSON: {error}") from error
    found = _introspected(body)
    if found is None:
        message = body.get("errors") if isinstance(body, dict) else None
        hint = f", but errors: {message}" if message else ""
        raise DriftInputError(f"{path} holds no introspection (data.__schema){hint}")
    try:
        return _built(found)
    except (GraphQLError, TypeError) as error:
        raise DriftInputError(f"{path} holds an invalid introspection: {error}") from error


def introspect() -> Flow[GraphQLSchema]:
    """Request the schema of a server by introspection.

    Requests: one; a server that fails without a GraphQL response is asked again.

    Raises:
        IntrospectionRefusedError: the server refuses introspection, or returns an invalid one.
        AnswerError: the server does not know the API key, or fails.
    """
    try:
        response = yield from send_patiently(INTROSPECTION, "IntrospectionQuery")
    except AccessDeniedError as error:
        # A firewall may refuse this document and no other: the probe's first request tells whether it is the key.
        raise IntrospectionRefusedError(f"the server refuses introspection: {error}") from error
    found = _introspected({"data": response.data})
    if found is None:
        message = response.errors[0].message if response.errors else f"status {response.status}"
        raise IntrospectionRefusedError(f"the server refuses introspection: {message}")
    try:
        return _built(found)
    except (GraphQLError, TypeError) as error:
        raise IntrospectionRefusedError(f"the server's introspection is invalid: {error}") from error


def _built(found: IntrospectionQuery) -> GraphQLSchema:
    schema = build_client_schema(found)
    wrong = validate_schema(schema)
    if wrong:
        raise wrong[0]
    return schema


def _introspected(body: JSONValue) -> IntrospectionQuery | None:
    if isinstance(body, dict) and "__schema" not in body:
        body = body.get("data")
    return body if _is_introspection(body) else None


def _is_introspection(value: JSONValue) -> TypeGuard[IntrospectionQuery]:
    return isinstance(value, dict) and isinstance(value.get("__schema"), dict)
