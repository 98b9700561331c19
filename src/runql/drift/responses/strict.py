"""Read responses strictly: report everything that departs from the SDL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
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

from runql.drift.findings import Finding, Level, Use
from runql.drift.operations.documents import own_operations
from runql.drift.operations.senders import senders_of
from runql.drift.operations.type_strings import type_of
from runql.drift.responses.json_scalars import shape_error
from runql.values import JSONValue, parse_json

DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$")
WHOLE_NUMBER: Final = re.compile(r"-?\d+$")
SCHEMA_NAME: Final = re.compile(r"[_A-Za-z]\w{0,63}", re.ASCII)
WHOLE: Final = frozenset({"Int", "Int64"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with an operation, and its response.

    Attributes:
        operation: name of the operation.
        document: the GraphQL source.
        variables: values of the variables.
        data: data of the response, None without any.
        path: the recording, None for a live response.
        line: first line of the exchange in the recording.
    """

    operation: str
    document: str
    variables: Mapping[str, JSONValue]
    data: JSONValue
    path: Path | None = None
    line: int = 1


def read_strictly(exchange: Exchange, schema: GraphQLSchema, *, shows_values: bool = True) -> list[Finding]:
    """Return a finding for each departure of a response from the schema, each once.

    Args:
        exchange: the request and its response.
        schema: what the response must fit.
        shows_values: quote values of the response in messages; without it they name types alone.
    """
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
    reader = _Reader(
        schema, exchange, _fragments(document), _senders(exchange.operation, document), shows_values
    )
    reader.read_object(root.name, [operation.selection_set], exchange.data)
    return list(reader.found.values())


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }


def _senders(operation: str, document: DocumentNode) -> tuple[str, ...]:
    """Return the members of runql that send a document; none for another document of the same name.

    Of an older server runql requests fewer fields: a document that selects less is still runql's.
    """
    return (
        senders_of(operation) if _selected(document) <= _own_selections().get(operation, frozenset()) else ()
    )


@cache
def _own_selections() -> dict[str, frozenset[tuple[str, str]]]:
    """Return what each operation of runql selects."""
    return {
        each.name: _selected(parse("\n".join(part.text for part in (each.definition, *each.fragments))))
        for each in own_operations()
    }


def _selected(document: DocumentNode) -> frozenset[tuple[str, str]]:
    """Return the name of each selected field, beside that of the operation or fragment."""
    found = set[tuple[str, str]]()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            name = definition.name.value if definition.name else ""
            waiting = [definition.selection_set]
            while waiting:
                for node in waiting.pop().selections:
                    if isinstance(node, FieldNode):
                        found.add((name, node.name.value))
                    inner = getattr(node, "selection_set", None)
                    if isinstance(inner, SelectionSetNode):
                        waiting.append(inner)
    return frozenset(found)


@dataclass(slots=True)
class _Reader:
    schema: GraphQLSchema
    exchange: Exchange
    fragments: Mapping[str, FragmentDefinitionNode]
    senders: tuple[str, ...]
    shows_values: bool
    found: dict[tuple[str, str, str], Finding] = field(default_factory=dict[tuple[str, str, str], Finding])

    def note(self, rule: str, coordinate: str, message: str, level: Level = "breaking") -> None:
        use = Use(self.exchange.operation, self.senders, self.exchange.path, self.exchange.line)
        finding = Finding(rule, level, coordinate, message, (use,))
        before = self.found.get(finding.place)
        self.found[finding.place] = before.joined(finding) if before else finding

    def describe(self, value: JSONValue) -> str:
        """Return words for a value."""
        return _describe(value) if self.shows_values else f"a value of type {type(value).__name__}"

    def as_name(self, name: str, placeholder: str) -> str:
        """Return what should be a name of the schema; the placeholder where it may be anything else."""
        return name if self.shows_values or SCHEMA_NAME.fullmatch(name) else placeholder

    def read_object(
        self, declared: str, selections: Sequence[SelectionSetNode], data: Mapping[str, JSONValue]
    ) -> None:
        typename = data.get("__typename")
        runtime = typename if isinstance(typename, str) else declared
        described = self.schema.type_map.get(runtime)
        if typename is not None and not isinstance(described, GraphQLObjectType):
            self.note(
                "response-unknown-type",
                declared,
                f"the server returned {self.as_name(runtime, 'a value')} for {declared}, a type that is not in the SDL",
            )
            return
        selected = self.selected_fields(runtime, selections)
        for key in data.keys() - selected.keys():
            shown = f"{runtime}.{self.as_name(key, 'key')}"
            self.note(
                "response-unknown-field",
                shown,
                f"the server returned {shown}, which the operation does not select",
                "dangerous",
            )
        is_object = isinstance(described, GraphQLObjectType)
        for key, nodes in selected.items():
            if key in data:
                self.read_field(runtime, nodes, data[key])
            elif is_object:
                coordinate = f"{runtime}.{nodes[0].name.value}"
                self.note(
                    "response-missing-field",
                    coordinate,
                    f"the server did not return the selected {coordinate}",
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
            self.note("response-undeclared-field", f"{owner}.{name}", f"{owner}.{name} is not in the SDL")
            return
        inner = [node.selection_set for node in nodes if node.selection_set is not None]
        self.read_value(f"{owner}.{name}", type_of(described.fields[name]), inner, value)

    def read_value(
        self, coordinate: str, declared: str, selections: Sequence[SelectionSetNode], value: JSONValue
    ) -> None:
        if value is None:
            if declared.endswith("!"):
                message = f"the server returned null for {coordinate}; the SDL declares {declared}"
                self.note("response-null", coordinate, message)
            return
        declared = declared.removesuffix("!")
        if declared.startswith("["):
            if not isinstance(value, list):
                self.note(
                    "response-type",
                    coordinate,
                    f"the server returned {self.describe(value)} for {coordinate}; the SDL declares {declared}",
                )
                return
            for each in value:
                self.read_value(coordinate, declared[1:-1], selections, each)
            return
        self.read_named(coordinate, declared, selections, value)

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
                shown = self.as_name(value, "VALUE")
                message = f"the server returned {shown} for {coordinate}; the SDL has no such value in {name}"
                self.note("response-enum-value", f"{name}.{shown}", message)
            if isinstance(value, str):
                return
        elif isinstance(described, GraphQLScalarType) and _is_scalar_value(name, value):
            wrong = shape_error(coordinate, value)
            if wrong:
                content = f": {wrong}" if self.shows_values else ""
                self.note("response-shape", coordinate, f"unexpected content in {coordinate}{content}")
            return
        message = f"the server returned {self.describe(value)} for {coordinate}; the SDL declares {name}"
        # JSON has one kind of number: decoders read 1.0 as the integer that it is.
        is_whole = name in WHOLE and isinstance(value, float) and value.is_integer()
        self.note("response-type", coordinate, message, "dangerous" if is_whole else "breaking")

    def selected_fields(
        self, runtime: str, selections: Sequence[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        """Return the fields that an operation selects from an object of this type, by response key."""
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
        # Without `__typename` the concrete type is unknown: the fields of any member may be present.
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
    # graphql-core's types do not allow for a fragment without a condition, `... @include(if: $x) { … }`.
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


def _is_json(value: str) -> bool:
    try:
        parse_json(value)
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
            return f"the string {value[:40]!r}"
        case _:
            return f"the number {value}"
