"""Editing an SDL as a tree; a text comes out again."""

from __future__ import annotations

from graphql import (
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    NamedTypeNode,
    NameNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    Visitor,
    parse,
    parse_type,
    print_ast,
    visit,
)

WithFields = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode


class SdlEditor:
    """A schema that is being changed."""

    def __init__(self, text: str) -> None:
        self._document = parse(text, no_location=True)

    def sdl(self) -> str:
        """The SDL as it is now."""
        return print_ast(self._document)

    def outputs(self) -> list[WithFields]:
        """The types that fields are selected from."""
        return [node for node in self._document.definitions if isinstance(node, WithFields)]

    def inputs(self) -> list[InputObjectTypeDefinitionNode]:
        """The types that values are sent in."""
        return [
            node for node in self._document.definitions if isinstance(node, InputObjectTypeDefinitionNode)
        ]

    def type_named(self, name: str) -> TypeDefinitionNode:
        """A type."""
        return next(
            node
            for node in self._document.definitions
            if isinstance(node, TypeDefinitionNode) and node.name.value == name
        )

    def field(self, coordinate: str) -> FieldDefinitionNode:
        """A field that is selected: ``Run.state``."""
        owner, _, name = coordinate.partition(".")
        return next(each for each in self.owner(owner).fields if each.name.value == name)

    def input_value(self, coordinate: str) -> InputValueDefinitionNode:
        """A field that is filled, or an argument: ``DeleteRunInput.id``, ``Run.files(names:)``."""
        if coordinate.endswith(":)"):
            field_name, _, argument = coordinate[:-2].partition("(")
            return next(each for each in self.field(field_name).arguments if each.name.value == argument)
        owner, _, name = coordinate.partition(".")
        described = self.type_named(owner)
        assert isinstance(described, InputObjectTypeDefinitionNode)
        return next(each for each in described.fields if each.name.value == name)

    def add_type(self, text: str) -> None:
        """One definition more."""
        self._document.definitions = (*self._document.definitions, *parse(text).definitions)

    def add_field(self, owner: str, text: str) -> None:
        """One field more, of an object or input type."""
        described = self.type_named(owner)
        if isinstance(described, InputObjectTypeDefinitionNode):
            described.fields = (*described.fields, *_parse_input_fields(text).fields)
        else:
            owned = self.owner(owner)
            owned.fields = (*owned.fields, *_parse_fields(text).fields)

    def add_argument(self, coordinate: str, text: str) -> None:
        """One argument more."""
        field = self.field(coordinate)
        field.arguments = (*field.arguments, *_parse_fields(f"x({text}): Int").fields[0].arguments)

    def remove(self, coordinate: str) -> None:
        """Take out a field, an argument, an input field or an enum value."""
        owner, _, name = coordinate.partition(".")
        described = self.type_named(owner)
        if coordinate.endswith(":)"):
            field_name, _, argument = coordinate[:-2].partition("(")
            field = self.field(field_name)
            field.arguments = tuple(each for each in field.arguments if each.name.value != argument)
        elif isinstance(described, InputObjectTypeDefinitionNode):
            described.fields = tuple(each for each in described.fields if each.name.value != name)
        elif isinstance(described, EnumTypeDefinitionNode):
            described.values = tuple(each for each in described.values if each.name.value != name)
        else:
            owned = self.owner(owner)
            owned.fields = tuple(each for each in owned.fields if each.name.value != name)

    def retype(self, coordinate: str, written: str) -> None:
        """Give a field, argument or input field another type."""
        is_input = isinstance(self.type_named(coordinate.partition(".")[0]), InputObjectTypeDefinitionNode)
        part = (
            self.input_value(coordinate) if is_input or coordinate.endswith(":)") else self.field(coordinate)
        )
        part.type = parse_type(written)

    def set_default(self, coordinate: str, text: str) -> None:
        """Give an argument or input field a default."""
        self.input_value(coordinate).default_value = (
            _parse_input_fields(f"x: Int = {text}").fields[0].default_value
        )

    def deprecate(self, coordinate: str) -> None:
        """Mark a field that is selected."""
        field = _parse_fields('x: Int @deprecated(reason: "use another")').fields[0]
        self.field(coordinate).directives = field.directives

    def remove_type(self, name: str) -> None:
        """Take out a type, and every field and argument of it."""
        self._remove_definition(name)
        for described in self.outputs():
            described.fields = tuple(each for each in described.fields if _base(each) != name)
            for field in described.fields:
                field.arguments = tuple(each for each in field.arguments if _base(each) != name)
        for each in self.inputs():
            each.fields = tuple(field for field in each.fields if _base(field) != name)

    def replace_type(self, name: str, text: str) -> None:
        """Put another definition in the place of a type."""
        self._remove_definition(name)
        self.add_type(text)

    def _remove_definition(self, name: str) -> None:
        self._document.definitions = tuple(
            node
            for node in self._document.definitions
            if not (isinstance(node, TypeDefinitionNode) and node.name.value == name)
        )

    def rename_type(self, name: str, other: str) -> None:
        """Call a type differently, wherever it is named."""
        visit(self._document, _TypeRenamer(name, other))

    def remove_member(self, member: str, abstract: str) -> None:
        """Take a type out of a union or interface."""
        described, joined = self.type_named(abstract), self.type_named(member)
        if isinstance(described, UnionTypeDefinitionNode):
            described.types = tuple(each for each in described.types if each.name.value != member)
        if isinstance(joined, WithFields):
            joined.interfaces = tuple(each for each in joined.interfaces if each.name.value != abstract)

    def add_member(self, member: str, union: str) -> None:
        """Put a type into a union."""
        described = self.type_named(union)
        assert isinstance(described, UnionTypeDefinitionNode)
        described.types = (*described.types, NamedTypeNode(name=NameNode(value=member)))

    def add_value(self, enum: str, value: str) -> None:
        """One value more in an enum."""
        described = self.type_named(enum)
        [parsed] = parse(f"enum X {{ {value} }}").definitions
        assert isinstance(described, EnumTypeDefinitionNode)
        assert isinstance(parsed, EnumTypeDefinitionNode)
        described.values = (*described.values, *parsed.values)

    def owner(self, name: str) -> WithFields:
        """An object or interface type."""
        described = self.type_named(name)
        assert isinstance(described, WithFields)
        return described


class _TypeRenamer(Visitor):
    def __init__(self, name: str, other: str) -> None:
        super().__init__()
        self._name = name
        self._other = other

    def enter_name(self, node: NameNode, _key: object, parent: object, *_where: object) -> None:
        if node.value == self._name and isinstance(parent, NamedTypeNode | TypeDefinitionNode):
            node.value = self._other


def _base(node: FieldDefinitionNode | InputValueDefinitionNode) -> str:
    return print_ast(node.type).strip("[]!")


def _parse_fields(fields: str) -> ObjectTypeDefinitionNode:
    [parsed] = parse(f"type X {{ {fields} }}").definitions
    assert isinstance(parsed, ObjectTypeDefinitionNode)
    return parsed


def _parse_input_fields(fields: str) -> InputObjectTypeDefinitionNode:
    [parsed] = parse(f"input X {{ {fields} }}").definitions
    assert isinstance(parsed, InputObjectTypeDefinitionNode)
    return parsed
