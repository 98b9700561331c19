"""What the operations use, found out anew, so that the drift check is not measured by itself."""

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
from runql.drift.senders import known_senders
from runql.drift.written_types import base_name, named_type_of

TEAM = Path(__file__).with_name("queries")


def all_operations() -> list[CheckedOperation]:
    """Those of runql, and a team's."""
    own = own_operations()
    return own + user_operations(TEAM, own)


class Ground(Visitor):
    """What the operations use, found out anew: field by field, argument by argument.

    Attributes:
        fields: ``Run.state``.
        arguments: ``Run.files(names:)``.
        filled: ``DeleteRunInput.id``, of variables and of values written out.
        inputs: the input types that values are sent in.
        types: the types whose fields are selected, and those that fragments name.
    """

    def __init__(self, schema: GraphQLSchema, operations: Sequence[CheckedOperation]) -> None:
        super().__init__()
        self.schema = schema
        self.fields: set[str] = set()
        self.arguments: set[str] = set()
        self.filled: set[str] = set()
        self.inputs: set[str] = set()
        self.types: set[str] = set()
        self._info = TypeInfo(schema)
        self._ours = False
        for operation in operations:
            self._ours = operation.is_ours
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
                    self.inputs.add(described.name)
                    self.filled |= {
                        f"{described.name}.{name}" for name in described.fields if f"{name}: " in written
                    }

    def enter_variable_definition(self, node: VariableDefinitionNode, *_where: object) -> None:
        described = self.schema.type_map.get(base_name(print_ast(node.type)))
        if isinstance(described, GraphQLInputObjectType):
            self.inputs.add(described.name)
            ours = known_senders().inputs.get(described.name, frozenset[str]())
            filled = ours if self._ours else frozenset(described.fields)
            self.filled |= {f"{described.name}.{name}" for name in filled}

    def _argument_type(self, field: str, argument: str) -> str:
        owner, _, name = field.partition(".")
        described = self.schema.type_map[owner]
        assert isinstance(described, GraphQLObjectType | GraphQLInterfaceType)
        return named_type_of(described.fields[name].args[argument])


def passes_required(schema: GraphQLSchema, argument: str) -> bool:
    """Whether every operation gives it a variable that cannot be null."""
    field_name, _, name = argument[:-2].partition("(")
    found = Passing(schema, field_name, name)
    return bool(found.kinds) and found.kinds == {True}


class Passing(Visitor):
    """How an argument is given: by variables that may be null, or may not."""

    def __init__(self, schema: GraphQLSchema, field_name: str, argument: str) -> None:
        super().__init__()
        self.kinds: set[bool] = set()
        self._field, self._argument = field_name, argument
        self._info = TypeInfo(schema)
        for operation in all_operations():
            [node] = parse(operation.definition.text).definitions
            assert isinstance(node, OperationDefinitionNode)
            self._types = {
                each.variable.name.value: print_ast(each.type) for each in node.variable_definitions
            }
            for each in (operation.definition, *operation.fragments):
                visit(parse(each.text), TypeInfoVisitor(self._info, self))

    def enter_field(self, node: FieldNode, *_where: object) -> None:
        owner = self._info.get_parent_type()
        if owner is None or f"{owner.name}.{node.name.value}" != self._field:
            return
        given = {each.name.value: print_ast(each.value) for each in node.arguments}
        value = given.get(self._argument)
        self.kinds.add(value is not None and self._types.get(value[1:], "").endswith("!"))
