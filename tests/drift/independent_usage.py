"""What the operations use, computed without `runql.drift.operations.usage`, to test the drift check against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from runql.drift import CheckedOperation, own_operations, user_operations
from runql.drift.operations.senders import known_senders
from runql.drift.operations.type_strings import base_name, named_type_of

TEAM_QUERIES = Path(__file__).with_name("queries")


def all_operations() -> list[CheckedOperation]:
    """Return the operations of runql, and those of a team."""
    own = own_operations()
    return own + user_operations(TEAM_QUERIES, own)


class IndependentUsage(Visitor):
    """What the operations use of a schema.

    Attributes:
        fields: selected fields, such as ``Run.state``.
        arguments: such as ``Run.files(names:)``.
        input_fields: such as ``DeleteRunInput.id``, in variables and in literals.
        input_types: the input types of values that operations send.
        variable_types: those of them that the definition of a variable names.
        types: the types whose fields are selected.
    """

    def __init__(self, schema: GraphQLSchema, operations: Sequence[CheckedOperation]) -> None:
        super().__init__()
        self.schema = schema
        self.fields: set[str] = set()
        self.arguments: set[str] = set()
        self.input_fields: set[str] = set()
        self.input_types: set[str] = set()
        self.variable_types: set[str] = set()
        self.types: set[str] = set()
        self._info = TypeInfo(schema)
        self._is_ours = False
        for operation in operations:
            self._is_ours = operation.is_ours
            for each in (operation.definition, *operation.fragments):
                document: DocumentNode = parse(each.text)
                visit(document, TypeInfoVisitor(self._info, self))

    def enter_field(self, node: FieldNode, *_where: object) -> None:
        owner = self._info.get_parent_type()
        if owner is not None and not node.name.value.startswith("__"):
            field = f"{owner.name}.{node.name.value}"
            self.types.add(owner.name)
            self.fields.add(field)
            self.arguments |= {f"{field}({each.name.value}:)" for each in node.arguments}
            for each in node.arguments:
                written = print_ast(each.value)
                described = self.schema.type_map.get(self._argument_type(field, each.name.value))
                if written.startswith("{") and isinstance(described, GraphQLInputObjectType):
                    self.input_types.add(described.name)
                    self.input_fields |= {
                        f"{described.name}.{name}" for name in described.fields if f"{name}: " in written
                    }

    def enter_variable_definition(self, node: VariableDefinitionNode, *_where: object) -> None:
        name = base_name(print_ast(node.type))
        if isinstance(self.schema.type_map.get(name), GraphQLInputObjectType):
            self.variable_types.add(name)
            self._fill(name)

    def _fill(self, name: str) -> None:
        """Note an input type, and the types of the fields that an operation fills."""
        described = self.schema.type_map.get(name)
        if not isinstance(described, GraphQLInputObjectType):
            return
        self.input_types.add(name)
        ours = known_senders().inputs.get(name, frozenset[str]())
        for field in ours if self._is_ours else frozenset(described.fields):
            if f"{name}.{field}" not in self.input_fields:
                self.input_fields.add(f"{name}.{field}")
                self._fill(named_type_of(described.fields[field]))

    def _argument_type(self, field: str, argument: str) -> str:
        owner, _, name = field.partition(".")
        described = self.schema.type_map[owner]
        assert isinstance(described, GraphQLObjectType | GraphQLInterfaceType)
        return named_type_of(described.fields[name].args[argument])


class NonNullArguments(Visitor):
    """The arguments that receive a variable of a non-null type."""

    def __init__(self, schema: GraphQLSchema, operations: Sequence[CheckedOperation]) -> None:
        super().__init__()
        self._required: dict[str, list[set[str]]] = {}
        """By field, for each of its selections: the arguments that cannot be null."""
        self._info = TypeInfo(schema)
        for operation in operations:
            [node] = parse(operation.definition.text).definitions
            assert isinstance(node, OperationDefinitionNode)
            self._types = {
                each.variable.name.value: print_ast(each.type) for each in node.variable_definitions
            }
            for each in (operation.definition, *operation.fragments):
                visit(parse(each.text), TypeInfoVisitor(self._info, self))

    def is_always_given(self, argument: str) -> bool:
        """Return whether every selection of the field passes the argument a variable that cannot be null."""
        field, _, name = argument[:-2].partition("(")
        selected = self._required.get(field, [])
        return bool(selected) and all(name in each for each in selected)

    def enter_field(self, node: FieldNode, *_where: object) -> None:
        owner = self._info.get_parent_type()
        if owner is not None:
            given = {each.name.value: print_ast(each.value) for each in node.arguments}
            self._required.setdefault(f"{owner.name}.{node.name.value}", []).append(
                {name for name, value in given.items() if self._types.get(value[1:], "").endswith("!")}
            )
