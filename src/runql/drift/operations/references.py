"""Where in a document which part of the schema is used: every field, argument, input field, type, value and directive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    visit,
)

from runql.drift.operations.type_strings import enclosing_input, expected_input, named_type_of

ReferenceKind: TypeAlias = Literal[
    "field", "argument", "input field", "value", "variable", "type", "directive", "spread"
]


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a part of the schema.

    Attributes:
        kind: what stands there.
        name: the field's, argument's, variable's … own name, as messages of servers have it.
        coordinate: the schema coordinate, such as ``Run.files(names:)``; empty where the known schema has no such part.
            Of a variable, that of the argument or input field it is given to; of a spread, the field it selects from.
        definition: name of the operation or fragment that it stands in.
        line: counted from 1.
        column: counted from 1.
        named_type: of a field its result's type, of a type condition or variable the type itself, without list and `!`.
        is_input: whether values of that type are sent, not received.
    """

    kind: ReferenceKind
    name: str
    coordinate: str
    definition: str
    line: int
    column: int
    named_type: str = ""
    is_input: bool = False


def references_in(document: DocumentNode, schema: GraphQLSchema) -> list[Reference]:
    """Every use in a document, in its order."""
    info = TypeInfo(schema)
    collector = _ReferenceCollector(info)
    visit(document, TypeInfoVisitor(info, collector))
    return collector.references


class _ReferenceCollector(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.references: list[Reference] = []
        self._info = info
        self._definition = ""
        self._fields: list[str] = []
        self._directive = ""
        self._inputs: list[str] = []

    def enter_operation_definition(self, node: OperationDefinitionNode, *_where: object) -> None:
        self._definition = node.name.value if node.name else ""

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_where: object) -> None:
        self._definition = node.name.value

    def enter_field(self, node: FieldNode, *_where: object) -> None:
        parent, field = self._info.get_parent_type(), self._info.get_field_def()
        coordinate = f"{parent.name}.{node.name.value}" if parent and field else ""
        self._fields.append(coordinate)
        self._add("field", node, node.name.value, coordinate, named_type_of(field) if field else "")

    def leave_field(self, _node: FieldNode, *_where: object) -> None:
        self._fields.pop()

    def enter_directive(self, node: DirectiveNode, *_where: object) -> None:
        self._directive = f"@{node.name.value}"
        self._add("directive", node, node.name.value, self._directive)

    def leave_directive(self, _node: DirectiveNode, *_where: object) -> None:
        self._directive = ""

    def enter_argument(self, node: ArgumentNode, *_where: object) -> None:
        owner = self._directive or self._enclosing()
        known = owner and self._info.get_argument() is not None
        self._enter_input("argument", node, f"{owner}({node.name.value}:)" if known else "")

    def leave_argument(self, _node: ArgumentNode, *_where: object) -> None:
        self._inputs.pop()

    def enter_object_field(self, node: ObjectFieldNode, *_where: object) -> None:
        parent = enclosing_input(self._info)
        coordinate = f"{parent}.{node.name.value}" if parent and expected_input(self._info) else ""
        self._enter_input("input field", node, coordinate)

    def leave_object_field(self, _node: ObjectFieldNode, *_where: object) -> None:
        self._inputs.pop()

    def enter_variable(self, node: VariableNode, *_where: object) -> None:
        # Outside of arguments and objects it is the definition of the variable.
        if self._inputs:
            self._add("variable", node, node.name.value, self._inputs[-1], is_input=True)

    def enter_enum_value(self, node: EnumValueNode, *_where: object) -> None:
        name = expected_input(self._info)
        self._add("value", node, node.value, f"{name}.{node.value}" if name else "", name, is_input=True)

    def enter_named_type(self, node: NamedTypeNode, _key: object, parent: object, *_where: object) -> None:
        is_condition = isinstance(parent, FragmentDefinitionNode | InlineFragmentNode)
        name = node.name.value
        self._add("type", node, name, name, name, is_input=not is_condition)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_where: object) -> None:
        self._add("spread", node, node.name.value, self._enclosing())

    def enter_inline_fragment(self, node: InlineFragmentNode, *_where: object) -> None:
        self._add("spread", node, "", self._enclosing())

    def _enclosing(self) -> str:
        return self._fields[-1] if self._fields else ""

    def _enter_input(
        self, kind: ReferenceKind, node: ArgumentNode | ObjectFieldNode, coordinate: str
    ) -> None:
        self._inputs.append(coordinate)
        self._add(kind, node, node.name.value, coordinate, expected_input(self._info), is_input=True)

    def _add(
        self,
        kind: ReferenceKind,
        node: Node,
        name: str,
        coordinate: str,
        named_type: str = "",
        *,
        is_input: bool = False,
    ) -> None:
        if node.loc is None:
            raise TypeError("the document was parsed without locations")
        # The token knows its place; `get_location` would search the document from its beginning each time.
        place = node.loc.start_token
        self.references.append(
            Reference(
                kind, name, coordinate, self._definition, place.line, place.column, named_type, is_input
            )
        )
