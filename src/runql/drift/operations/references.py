"""References from a document to the schema: fields, arguments, input fields, types, enum values and directives."""

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
    """One reference from a document to a part of the schema.

    Attributes:
        kind: kind of the part.
        name: its own name, as servers write it in messages.
        coordinate: schema coordinate, such as ``Run.files(names:)``; empty if the known schema lacks the part.
        definition: name of the operation or fragment.
        line: line and ``column`` are counted from 1.
        named_type: type of a field's result, a variable or a condition, without list and `!`.
        is_input: whether the operation sends values of that type.
    """

    kind: ReferenceKind
    name: str
    # Of a variable, the argument or input field that receives it; of a spread, the field that it selects from.
    coordinate: str
    definition: str
    line: int
    column: int
    named_type: str = ""
    is_input: bool = False


def references_in(document: DocumentNode, schema: GraphQLSchema) -> list[Reference]:
    """Return every reference in a document, in document order."""
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

    def enter_operation_definition(self, node: OperationDefinitionNode, *_context: object) -> None:
        self._definition = node.name.value if node.name else ""

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_context: object) -> None:
        self._definition = node.name.value

    def enter_field(self, node: FieldNode, *_context: object) -> None:
        parent, field = self._info.get_parent_type(), self._info.get_field_def()
        coordinate = f"{parent.name}.{node.name.value}" if parent and field else ""
        self._fields.append(coordinate)
        self._add("field", node, node.name.value, coordinate, named_type_of(field) if field else "")

    def leave_field(self, _node: FieldNode, *_context: object) -> None:
        self._fields.pop()

    def enter_directive(self, node: DirectiveNode, *_context: object) -> None:
        self._directive = f"@{node.name.value}"
        self._add("directive", node, node.name.value, self._directive)

    def leave_directive(self, _node: DirectiveNode, *_context: object) -> None:
        self._directive = ""

    def enter_argument(self, node: ArgumentNode, *_context: object) -> None:
        owner = self._directive or self._enclosing()
        known = owner and self._info.get_argument() is not None
        self._enter_input("argument", node, f"{owner}({node.name.value}:)" if known else "")

    def leave_argument(self, _node: ArgumentNode, *_context: object) -> None:
        self._inputs.pop()

    def enter_object_field(self, node: ObjectFieldNode, *_context: object) -> None:
        parent = enclosing_input(self._info)
        coordinate = f"{parent}.{node.name.value}" if parent and expected_input(self._info) else ""
        self._enter_input("input field", node, coordinate)

    def leave_object_field(self, _node: ObjectFieldNode, *_context: object) -> None:
        self._inputs.pop()

    def enter_variable(self, node: VariableNode, *_context: object) -> None:
        # A variable outside of arguments and objects is the definition of the variable.
        if self._inputs:
            self._add("variable", node, node.name.value, self._inputs[-1], is_input=True)

    def enter_enum_value(self, node: EnumValueNode, *_context: object) -> None:
        name = expected_input(self._info)
        self._add("value", node, node.value, f"{name}.{node.value}" if name else "", name, is_input=True)

    def enter_named_type(self, node: NamedTypeNode, _key: object, parent: object, *_context: object) -> None:
        is_condition = isinstance(parent, FragmentDefinitionNode | InlineFragmentNode)
        name = node.name.value
        self._add("type", node, name, name, name, is_input=not is_condition)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_context: object) -> None:
        self._add("spread", node, node.name.value, self._enclosing())

    def enter_inline_fragment(self, node: InlineFragmentNode, *_context: object) -> None:
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
        # `get_location` would search the document from its beginning for each node.
        token = node.loc.start_token
        self.references.append(
            Reference(
                kind, name, coordinate, self._definition, token.line, token.column, named_type, is_input
            )
        )
