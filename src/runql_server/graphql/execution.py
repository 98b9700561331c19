"""Executes GraphQL documents: caches parsed ones, and passes lists of scalars through whole."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterable, Awaitable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from graphql import (
    DocumentNode,
    ExecutionContext,
    FieldNode,
    GraphQLError,
    GraphQLFloat,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,  # pyright: ignore[reportUnknownVariableType] - a bare Tuple in its signature
    get_operation_ast,
    parse,
    validate,
)
from graphql.pyutils import Path

from runql_server.errors import RequestError
from runql_server.graphql.context import RequestContext
from runql_server.lenient_json import JsonValue

Leaf = TypeVar("Leaf")

logger: Final = logging.getLogger("runql_server")

MOST_ERRORS = 10_000
"""Errors reported for an invalid document; a client that checks its operations wants all, graphql-core stops at 100."""


class Leaves(list[Leaf]):
    """A list of scalars in wire form."""


class LeafContext(ExecutionContext):
    """Passes `Leaves` through unchecked: graphql-core's cost per item would dominate a page of history.

    A number that its type cannot carry (a Float that is not finite, an Int beyond 32 bits) becomes null. An error
    instead would let one logged value break every listing that shows it.
    """

    @staticmethod
    def complete_leaf_value(
        return_type: GraphQLLeafType,
        result: Any,
    ) -> Any:
        """Complete as the base class does, except for numbers that do not fit."""
        if return_type is GraphQLFloat and isinstance(result, float) and not math.isfinite(result):
            return None
        if return_type is GraphQLInt and isinstance(result, int) and not -(2**31) <= result < 2**31:
            return None
        return ExecutionContext.complete_leaf_value(return_type, result)

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: AsyncIterable[Any] | Iterable[Any],
    ) -> Awaitable[list[Any]] | list[Any]:
        """Complete as the base class does, except for ``Leaves``; the Any are the base class's."""
        if isinstance(result, Leaves):
            return result
        base = super().complete_list_value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
        return base(return_type, field_nodes, info, path, result)


@dataclass(frozen=True)
class GraphQLResponse:
    """The response body, and whether the document was executed."""

    body: dict[str, object]
    executed: bool


class Documents:
    """The schema and a cache of parsed documents: clients repeat the same few."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._prepare = lru_cache(maxsize=256)(self._parse)

    def operation(self, text: str, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation that would run, ``None`` if the document is not valid or has no such operation."""
        prepared = self._prepare(text)
        return get_operation_ast(prepared, name) if isinstance(prepared, DocumentNode) else None

    def execute(
        self, text: str, variables: dict[str, JsonValue], name: str | None, context: RequestContext
    ) -> GraphQLResponse:
        """Run one operation; ignores variables that it does not declare, as the real server does."""
        prepared = self._prepare(text)
        if not isinstance(prepared, DocumentNode):
            return GraphQLResponse({"errors": [_format(error) for error in prepared]}, executed=False)
        result = execute_sync(
            self._schema,
            prepared,
            context_value=context,
            variable_values=variables,
            operation_name=name,
            execution_context_class=LeafContext,
        )
        body: dict[str, object] = {}
        if result.errors:
            body["errors"] = [_format(error) for error in result.errors]
        body["data"] = result.data
        # Every root field is nullable, so data is missing only when the variables are not valid.
        return GraphQLResponse(body, executed=result.data is not None)

    def _parse(self, text: str) -> DocumentNode | list[GraphQLError]:
        try:
            document = parse(text, no_location=False)
        except GraphQLError as error:
            return [error]
        return validate(self._schema, document, max_errors=MOST_ERRORS) or document


def _format(error: GraphQLError) -> dict[str, object]:
    cause = error.original_error
    if cause is not None and not isinstance(cause, RequestError | GraphQLError):
        logger.error("resolver of %s failed", error.path, exc_info=cause)
        return {**error.formatted, "message": f"internal server error: {type(cause).__name__}"}
    return {**error.formatted}
