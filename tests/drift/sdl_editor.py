"""An editor of an SDL as a syntax tree."""

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
    """An SDL under change; parts are named by schema coordinates."""

    def __init__(self, sdl: str) -> None:
        self._document = parse(sdl, no_location=True)

    def sdl(self) -> str:
        """Return the current SDL."""
        return print_ast(self._document)

    def outputs(self) -> list[WithFields]:
        """Return the object and interface types."""
        return [node for node in self._document.definitions if isinstance(node, WithFields)]

    def inputs(self) -> list[InputObjectTypeDefinitionNode]:
        """Return the input types."""
        return [
            node for node in self._document.definitions if isinstance(node, InputObjectTypeDefinitionNode)
        ]

    def type_named(self, name: str) -> TypeDefinitionNode:
        """Return a type by name."""
        return next(
            node
            for node in self._document.definitions
            if isinstance(node, TypeDefinitionNode) and node.name.value == name
        )

    def field(self, coordinate: str) -> FieldDefinitionNode:
        """Return a field of an object or interface: ``Run.state``."""
        owner, _, name = coordinate.partition(".")
        return next(each for each in self.owner(owner).fields if each.name.value == name)

    def input_value(self, coordinate: str) -> InputValueDefinitionNode:
        """Return an input field or an argument: ``DeleteRunInput.id``, ``Run.files(names:)``."""
        if coordinate.endswith(":)"):
            field_name, _, argument = coordinate[:-2].partition("(")
            return next(each for each in self.field(field_name).arguments if each.name.value == argument)
        owner, _, name = coordinate.partition(".")
        described = self.type_named(owner)
        assert isinstance(described, InputObjectTypeDefinitionNode)
        return next(each for each in described.fields if each.name.value == name)

    def add_type(self, source: str) -> None:
        """Add a definition."""
        self._document.definitions = (*self._document.definitions, *parse(source).definitions)

    def add_field(self, owner: str, source: str) -> None:
        """Add a field to an object or input type."""
        described = self.type_named(owner)
        if isinstance(described, InputObjectTypeDefinitionNode):
            described.fields = (*described.fields, *_parse_input_fields(source).fields)
        else:
            owned = self.owner(owner)
            owned.fields = (*owned.fields, *_parse_fields(source).fields)

    def add_argument(self, coordinate: str, source: str) -> None:
        """Add an argument to a field."""
        field = self.field(coordinate)
        field.arguments = (*field.arguments, *_parse_fields(f"x({source}): Int").fields[0].arguments)

    def remove(self, coordinate: str) -> None:
        """Remove a field, an argument, an input field or an enum value."""
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

    def set_default(self, coordinate: str, source: str) -> None:
        """Give an argument or input field a default."""
        self.input_value(coordinate).default_value = (
            _parse_input_fields(f"x: Int = {source}").fields[0].default_value
        )

    def deprecate(self, coordinate: str) -> None:
        """Deprecate a field of an object or interface."""
        field = _parse_fields('x: Int @deprecated(reason: "use another")').fields[0]
        self.field(coordinate).directives = field.directives

    def remove_type(self, name: str) -> None:
        """Remove a type, and every field and argument that has it."""
        self._remove_definition(name)
        for described in self.outputs():
            described.fields = tuple(each for each in described.fields if _base(each) != name)
            for field in described.fields:
                field.arguments = tuple(each for each in field.arguments if _base(each) != name)
        for each in self.inputs():
            each.fields = tuple(field for field in each.fields if _base(field) != name)

    def replace_type(self, name: str, source: str) -> None:
        """Replace a type by another definition."""
        self._remove_definition(name)
        self.add_type(source)

    def _remove_definition(self, name: str) -> None:
        self._document.definitions = tuple(
            node
            for node in self._document.definitions
            if not (isinstance(node, TypeDefinitionNode) and node.name.value == name)
        )

    def rename_type(self, name: str, other: str) -> None:
        """Rename a type and every reference to it."""
        visit(self._document, _TypeRenamer(name, other))

    def remove_member(self, member: str, abstract: str) -> None:
        """Remove a type from a union or interface."""
        described, joined = self.type_named(abstract), self.type_named(member)
        if isinstance(described, UnionTypeDefinitionNode):
            described.types = tuple(each for each in described.types if each.name.value != member)
        if isinstance(joined, WithFields):
            joined.interfaces = tuple(each for each in joined.interfaces if each.name.value != abstract)

    def add_member(self, member: str, union: str) -> None:
        """Add a type to a union."""
        described = self.type_named(union)
        assert isinstance(described, UnionTypeDefinitionNode)
        described.types = (*described.types, NamedTypeNode(name=NameNode(value=member)))

    def add_value(self, enum: str, value: str) -> None:
        """Add a value to an enum."""
        described = self.type_named(enum)
        [parsed] = parse(f"enum X {{ {value} }}").definitions
        assert isinstance(described, EnumTypeDefinitionNode)
        assert isinstance(parsed, EnumTypeDefinitionNode)
        described.values = (*described.values, *parsed.values)

    def owner(self, name: str) -> WithFields:
        """Return an object or interface type by name."""
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
