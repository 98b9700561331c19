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
from runql_server.graphql.limits import DEFAULT, QueryLimits, excess
from runql_server.lenient_json import JsonValue
from runql_server.storage import disk

Leaf = TypeVar("Leaf")

logger: Final = logging.getLogger("runql_server")

_CACHED_LENGTH: Final = 50_000
"""Characters of the longest document whose parsed form is kept."""


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
    """The response body, whether the document was executed, and whether the disk was full."""

    body: dict[str, object]
    executed: bool
    is_disk_full: bool = False


class Documents:
    """The schema and a cache of parsed documents: clients repeat the same few."""

    def __init__(self, schema: GraphQLSchema, limits: QueryLimits = DEFAULT) -> None:
        self._schema = schema
        self._limits = limits
        self._prepare_cached = lru_cache(maxsize=256)(self._parse)

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
        errors = result.errors or []
        body: dict[str, object] = {}
        if errors:
            body["errors"] = self._reported(errors)
        body["data"] = result.data
        is_disk_full = any(disk.is_full(error.original_error) for error in errors)
        # Every root field is nullable, so data is missing only when the variables are not valid.
        return GraphQLResponse(body, executed=result.data is not None, is_disk_full=is_disk_full)

    def _reported(self, errors: list[GraphQLError]) -> list[dict[str, object]]:
        most = self._limits.errors
        reported = [_format(error) for error in errors[:most]]
        if len(errors) > most:
            reported.append({"message": f"{len(errors) - most} more errors are not listed"})
        return reported

    def _prepare(self, text: str) -> DocumentNode | list[GraphQLError]:
        return self._prepare_cached(text) if len(text) <= _CACHED_LENGTH else self._parse(text)

    def _parse(self, text: str) -> DocumentNode | list[GraphQLError]:
        limits = self._limits
        if len(text) > limits.length:
            return [GraphQLError(f"the document has {len(text)} characters: {limits.length} are allowed")]
        try:
            document = parse(text, max_tokens=limits.tokens)
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError(f"the document is nested more than {limits.depth} levels deep")]
        too_large = excess(document, limits)
        if too_large is not None:
            return [too_large]
        try:
            return validate(self._schema, document, max_errors=limits.errors) or document
        except RecursionError:
            return [GraphQLError("a value of the document is nested too deeply")]


def _format(error: GraphQLError) -> dict[str, object]:
    cause = error.original_error
    if disk.is_full(cause):
        return {**error.formatted, "message": disk.FULL}
    if cause is not None and not isinstance(cause, RequestError | GraphQLError):
        logger.error("resolver of %s failed", error.path, exc_info=cause)
        return {**error.formatted, "message": f"internal server error: {type(cause).__name__}"}
    return {**error.formatted}
