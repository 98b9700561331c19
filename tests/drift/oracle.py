"""An oracle for changes of a schema: do operations validate, do the inputs that they fill coerce, do responses decode?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from ariadne_codegen.utils import str_to_snake_case
from graphql import (
    DocumentNode,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,  # pyright: ignore[reportUnknownVariableType] - its middleware is a bare generic
    is_leaf_type,
    is_required_input_field,
    parse,
    print_ast,
    validate,
)
from graphql.execution.values import get_variable_values
from pydantic import BaseModel, ValidationError

from runql.drift import CheckedOperation
from runql.drift.operations.senders import known_senders
from runql.drift.operations.type_strings import base_name, type_of
from runql.values import JSONValue

VALUES: Final[Mapping[str, JSONValue]] = {
    "Int": 7,
    "Float": 0.5,
    "String": "a str",
    "ID": "an id",
    "Boolean": True,
    "DateTime": "2026-01-02T03:04:05Z",
    "JSON": {"a": 1},
    "JSONString": '{"a": 1}',
    "Int64": 12,
    "Duration": 1.5,
}
"""A value of each scalar; one that is not here, such as a renamed one, has a str."""

NULLS: Final = (0.0, 1.0, 0.2, 0.2, 0.2)
"""The share of nulls among the values that may be null, in each response that is made up."""


@dataclass(frozen=True)
class Broken:
    """Why an operation breaks."""

    operation: str
    reason: str


class Oracle:
    """Judges schemas by what the operations do there, without `runql.drift`'s comparison."""

    def __init__(self, known: GraphQLSchema, operations: Sequence[CheckedOperation]) -> None:
        self._known = known
        self._documents = {
            each.name: parse("\n".join(part.text for part in (each.definition, *each.fragments)))
            for each in operations
        }
        enums = (each for each in known.type_map.values() if isinstance(each, GraphQLEnumType))
        self._most_values = max(len(each.values) for each in enums if not each.name.startswith("__"))
        self._ours = {each.name for each in operations if each.is_ours}

    def broken(self, found: GraphQLSchema) -> Iterator[Broken]:
        """Yield the operations that break under a schema."""
        for name, document in self._documents.items():
            reason = self._why(name, document, found)
            if reason:
                yield Broken(name, reason)

    def _why(self, name: str, document: DocumentNode, found: GraphQLSchema) -> str:
        errors = validate(found, document)
        if errors:
            return f"it is not valid: {errors[0].message}"
        definition = document.definitions[0]
        assert isinstance(definition, OperationDefinitionNode)
        coerced: dict[str, Any] = {}  # Any: values of any JSON
        for values in self._variables(name, definition):
            answer = get_variable_values(found, definition.variable_definitions, values)
            if isinstance(answer, list):
                return f"its input is refused: {answer[0].message}"
            coerced = values
        if name not in self._ours:
            return ""
        made = [_Responses(seed, share) for seed, share in enumerate(NULLS)]
        made.append(_Responses(0, 1.0, only_leaves=True))
        reasons = (_undecoded(name, document, found, coerced, each) for each in made)
        return next(filter(None, reasons), "")

    def _variables(self, name: str, definition: OperationDefinitionNode) -> Iterator[dict[str, Any]]:
        """Yield values of the variables: with every field that the operation fills, by every enum value, and without optional ones."""
        written = {each.variable.name.value: print_ast(each.type) for each in definition.variable_definitions}
        for number in range(self._most_values):
            yield {key: self._input(each, name, number) for key, each in written.items()}
        yield {
            key: self._input(each, name, 0, whole=False)
            for key, each in written.items()
            if each.endswith("!")
        }

    def _input(self, written: str, operation: str, number: int, *, whole: bool = True) -> JSONValue:
        written = written.removesuffix("!")
        if written.startswith("["):
            return [self._input(written[1:-1], operation, number, whole=whole)]
        described = self._known.type_map[written]
        if isinstance(described, GraphQLEnumType):
            values = list(described.values)
            return values[number % len(values)]
        if isinstance(described, GraphQLInputObjectType):
            filled = known_senders().inputs.get(written) if operation in self._ours else None
            return {
                field: self._input(str(each.type), operation, number, whole=whole)
                for field, each in described.fields.items()
                if is_required_input_field(each) or (whole and (filled is None or field in filled))
            }
        return VALUES.get(written, "a str")


class _Responses:
    """Resolvers that make up a response."""

    def __init__(self, seed: int, nulls: float, *, only_leaves: bool = False) -> None:
        self._nulls = nulls
        self._only_leaves = only_leaves
        self._random = random.Random(seed)

    def field(self, _source: object, info: GraphQLResolveInfo, **_arguments: object) -> JSONValue:
        """Resolve a field."""
        return self._value(type_of(info.parent_type.fields[info.field_name]), info.schema)

    def type(self, _value: object, info: GraphQLResolveInfo, abstract: GraphQLAbstractType) -> str:
        """Resolve a union or interface."""
        return self._random.choice([each.name for each in info.schema.get_possible_types(abstract)])

    def _value(self, written: str, schema: GraphQLSchema) -> JSONValue:
        described = schema.type_map[base_name(written)]
        is_null = self._random.random() < self._nulls and (not self._only_leaves or is_leaf_type(described))
        if is_null and not written.endswith("!"):
            return None
        written = written.removesuffix("!")
        if written.startswith("["):
            return [self._value(written[1:-1], schema) for _ in range(2)]
        if isinstance(described, GraphQLEnumType):
            return self._random.choice(list(described.values))
        return VALUES.get(written, "a str") if is_leaf_type(described) else {}


def model_of(operation: str) -> type[BaseModel]:
    """Return the generated model of an operation's data."""
    module = import_module(f"runql_graphql.{str_to_snake_case(operation)}")
    model: type[BaseModel] = getattr(module, operation)
    return model


def _undecoded(
    operation: str,
    document: DocumentNode,
    found: GraphQLSchema,
    variables: dict[str, Any],
    responses: _Responses,
) -> str:
    """Return why a response does not decode, or decodes to other values; empty if it decodes."""
    result = execute_sync(
        found,
        document,
        {},
        variable_values=variables,
        field_resolver=responses.field,
        type_resolver=responses.type,
    )
    if result.errors or result.data is None:
        first: GraphQLError | str = result.errors[0] if result.errors else "there is no data"
        return f"it fails: {first}"
    try:
        model = model_of(operation).model_validate(result.data)
    except ValidationError as error:
        return f"its response does not decode: {error.errors(include_url=False)[0]}"
    return _difference(model.model_dump(mode="json", by_alias=True), result.data, "")


def _difference(read: JSONValue, sent: JSONValue, path: str) -> str:
    """Return where what was read differs from what the server sent; what a model does not name is left out."""
    if isinstance(read, dict) and isinstance(sent, dict):
        found = (_difference(value, sent[key], f"{path}.{key}") for key, value in read.items() if key in sent)
        return next(filter(None, found), "")
    if isinstance(read, list) and isinstance(sent, list):
        found = (
            _difference(one, other, f"{path}[{at}]")
            for at, (one, other) in enumerate(zip(read, sent, strict=True))
        )
        return next(filter(None, found), "")
    return "" if read == sent else f"it reads {read!r} for {sent!r} at {path}"
