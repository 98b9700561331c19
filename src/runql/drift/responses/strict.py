"""Answers read strictly: whatever in them is not as the SDL says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

from runql.drift.findings import Finding, Use
from runql.drift.operations.senders import senders_of
from runql.drift.operations.type_strings import type_of
from runql.drift.responses.json_scalars import shape_error
from runql.values import JSONValue, parse_json

DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$")
WHOLE_NUMBER: Final = re.compile(r"-?\d+$")


@dataclass(frozen=True, slots=True)
class Exchange:
    """An operation that was sent, and what came back.

    Attributes:
        operation: its name.
        document: the GraphQL text.
        variables: what was sent with it.
        data: the answer's data; None when there was none.
        path: the recording; None for a live answer.
        line: of the recording, where the exchange begins.
    """

    operation: str
    document: str
    variables: Mapping[str, JSONValue]
    data: JSONValue
    path: Path | None = None
    line: int = 1


def read_strictly(exchange: Exchange, schema: GraphQLSchema) -> list[Finding]:
    """Where the answer leaves the schema; each kind of departure once."""
    document = parse(exchange.document)
    operation = next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (node.name is None or node.name.value == exchange.operation)
    )
    root = schema.get_root_type(operation.operation)
    if root is None or not isinstance(exchange.data, dict):
        return []
    reader = _Reader(schema, exchange, _fragments(document))
    reader.read_object(root.name, [operation.selection_set], exchange.data)
    return list(reader.found.values())


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }


@dataclass(slots=True)
class _Reader:
    schema: GraphQLSchema
    exchange: Exchange
    fragments: Mapping[str, FragmentDefinitionNode]
    found: dict[tuple[str, str, str], Finding] = field(default_factory=dict[tuple[str, str, str], Finding])

    def note(self, rule: str, coordinate: str, message: str) -> None:
        use = Use(
            self.exchange.operation,
            senders_of(self.exchange.operation),
            self.exchange.path,
            self.exchange.line,
        )
        finding = Finding(rule, "breaking", coordinate, message, (use,))
        self.found.setdefault(finding.place, finding)

    def read_object(
        self, declared: str, selections: Sequence[SelectionSetNode], data: Mapping[str, JSONValue]
    ) -> None:
        typename = data.get("__typename")
        runtime = typename if isinstance(typename, str) else declared
        described = self.schema.type_map.get(runtime)
        if typename is not None and not isinstance(described, GraphQLObjectType):
            self.note(
                "answer-unknown-type",
                declared,
                f"{declared} came back as {runtime}, which the SDL does not have",
            )
            return
        selected = self.selected_fields(runtime, selections)
        for key in data.keys() - selected.keys():
            self.note(
                "answer-unknown-field", f"{runtime}.{key}", f"{runtime}.{key} came back and was not asked for"
            )
        is_object = isinstance(described, GraphQLObjectType)
        for key, nodes in selected.items():
            if key in data:
                self.read_field(runtime, nodes, data[key])
            elif is_object:
                coordinate = f"{runtime}.{nodes[0].name.value}"
                self.note(
                    "answer-missing-field", coordinate, f"{coordinate} was asked for and did not come back"
                )

    def read_field(self, owner: str, nodes: Sequence[FieldNode], value: JSONValue) -> None:
        name = nodes[0].name.value
        described = self.schema.type_map.get(owner)
        if name == "__typename":
            return
        if (
            not isinstance(described, GraphQLObjectType | GraphQLInterfaceType)
            or name not in described.fields
        ):
            self.note("answer-unknown-field", f"{owner}.{name}", f"the SDL has no {owner}.{name}")
            return
        inner = [node.selection_set for node in nodes if node.selection_set is not None]
        self.read_value(f"{owner}.{name}", type_of(described.fields[name]), inner, value)

    def read_value(
        self, coordinate: str, written: str, selections: Sequence[SelectionSetNode], value: JSONValue
    ) -> None:
        if value is None:
            if written.endswith("!"):
                self.note("answer-null", coordinate, f"{coordinate} came back null; the SDL says {written}")
            return
        written = written.removesuffix("!")
        if written.startswith("["):
            if not isinstance(value, list):
                self.note(
                    "answer-type",
                    coordinate,
                    f"{coordinate} came back as {_describe(value)}; the SDL says {written}",
                )
                return
            for each in value:
                self.read_value(coordinate, written[1:-1], selections, each)
            return
        self.read_named(coordinate, written, selections, value)

    def read_named(
        self, coordinate: str, name: str, selections: Sequence[SelectionSetNode], value: JSONValue
    ) -> None:
        described = self.schema.type_map.get(name)
        if isinstance(described, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            if isinstance(value, dict):
                self.read_object(name, selections, value)
                return
        elif isinstance(described, GraphQLEnumType):
            if isinstance(value, str) and value not in described.values:
                text = f"{coordinate} came back as {value}, which {name} does not have in the SDL"
                self.note("answer-enum-value", f"{name}.{value}", text)
            if isinstance(value, str):
                return
        elif isinstance(described, GraphQLScalarType) and _is_scalar_value(name, value):
            wrong = shape_error(coordinate, value)
            if wrong:
                self.note("answer-shape", coordinate, f"{coordinate} has another shape inside: {wrong}")
            return
        self.note(
            "answer-type", coordinate, f"{coordinate} came back as {_describe(value)}; the SDL says {name}"
        )

    def selected_fields(
        self, runtime: str, selections: Sequence[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        """The fields that were selected of an object of this type, by the key they come back under."""
        selected: dict[str, list[FieldNode]] = {}
        for node in (each for selection in selections for each in self.flatten(runtime, selection)):
            selected.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return selected

    def flatten(self, runtime: str, selection: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection.selections:
            if not self.is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                if self.applies(fragment.type_condition.name.value, runtime):
                    yield from self.flatten(runtime, fragment.selection_set)
            elif isinstance(node, InlineFragmentNode):
                condition = _condition(node)
                if condition is None or self.applies(condition, runtime):
                    yield from self.flatten(runtime, node.selection_set)

    def applies(self, condition: str, runtime: str) -> bool:
        if condition == runtime:
            return True
        outer, inner = self.schema.type_map.get(condition), self.schema.type_map.get(runtime)
        if isinstance(outer, GraphQLInterfaceType | GraphQLUnionType) and isinstance(
            inner, GraphQLObjectType | GraphQLInterfaceType
        ):
            return self.schema.is_sub_type(outer, inner)
        # An abstract type that did not tell what it is: its members' fields may be there.
        return isinstance(inner, GraphQLInterfaceType | GraphQLUnionType)

    def is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives:
            for argument in directive.arguments:
                if isinstance(argument.value, VariableNode):
                    given = self.exchange.variables.get(argument.value.name.value)
                elif isinstance(argument.value, BooleanValueNode):
                    given = argument.value.value
                else:
                    continue
                if given is not (directive.name.value == "include"):
                    return False
        return True


def _condition(node: InlineFragmentNode) -> str | None:
    # graphql-core types it as always there; `... @include(if: $x) { … }` has none.
    named: NamedTypeNode | None = getattr(node, "type_condition", None)
    return None if named is None else named.name.value


def _is_scalar_value(scalar: str, value: JSONValue) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    match scalar:
        case "Int":
            return is_whole
        case "Float":
            return is_number
        case "Int64":
            return is_whole or (isinstance(value, str) and WHOLE_NUMBER.match(value) is not None)
        case "Duration":
            return is_number
        case "Boolean":
            return isinstance(value, bool)
        case "String":
            return isinstance(value, str)
        case "ID":
            return isinstance(value, str) or is_whole
        case "DateTime":
            return isinstance(value, str) and DATE_TIME.match(value) is not None
        case "JSONString":
            return isinstance(value, str) and _is_json(value)
        case _:
            return True


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except ValueError:
        return False
    return True


def _describe(value: JSONValue) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case bool():
            return f"the boolean {value}"
        case str():
            return f"the text {value[:40]!r}"
        case _:
            return f"the number {value}"
