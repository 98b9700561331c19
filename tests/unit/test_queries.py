"""The rules of `queries/`: every document is valid, every operation named, every entity read in one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    is_composite_type,
    parse,
    print_ast,
    specified_rules,
    validate,
)

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "queries").glob("*.graphql"))
SCHEMA = build_schema((ROOT / "schema" / "wandb.graphql").read_text("utf-8"))

# Servers refuse the whole query for it, unless the client is their own.
NEVER_ASKED = {"User.apiKeys"}

# Marks a field that runql can do without; see `runql.transport.unknown_parts`.
MARK = "@include(if: true)"
IDENTITY = {"id", "name"}

# What an envelope around entities may tell of itself.
ENVELOPE_LEAVES = {"cursor", "logLineCount", "totalCount", "totalSweeps", "version", "__typename"}

# By these a response says what it is about; on the way to an entity they are asked for too.
SAYS_WHOSE = {
    "Project": {"name", "entityName"},
    "Run": {"name"},
    "Artifact": {"id"},
    "ArtifactType": {"name"},
    "ArtifactCollection": {"name"},
}


@dataclass(frozen=True)
class Selection:
    """A selection set and where it stands.

    Attributes:
        parent: the type that it selects from.
        nodes: the set.
        is_shape: it is a fragment's own set, where an entity's fields are listed.
        place: a path, for the reader of a failure.
    """

    parent: GraphQLNamedType
    nodes: SelectionSetNode
    is_shape: bool
    place: str

    @property
    def fields(self) -> list[FieldNode]:
        """The fields of the set itself."""
        return [node for node in self.nodes.selections if isinstance(node, FieldNode)]

    @property
    def spreads(self) -> list[FragmentSpreadNode]:
        """The fragments spread in the set itself."""
        return [node for node in self.nodes.selections if isinstance(node, FragmentSpreadNode)]


def selections(document: DocumentNode, schema: GraphQLSchema) -> Iterator[Selection]:
    """Every selection set of a document, outermost first."""
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            root = schema.get_root_type(definition.operation)
            assert root is not None
            name = definition.name.value if definition.name else "a nameless operation"
            yield from _inside(schema, Selection(root, definition.selection_set, is_shape=False, place=name))
        if isinstance(definition, FragmentDefinitionNode):
            parent = schema.type_map[definition.type_condition.name.value]
            name = definition.name.value
            yield from _inside(schema, Selection(parent, definition.selection_set, is_shape=True, place=name))


def _inside(schema: GraphQLSchema, selection: Selection) -> Iterator[Selection]:
    yield selection
    for node in selection.nodes.selections:
        if isinstance(node, InlineFragmentNode):
            assert node.type_condition is not None
            condition = node.type_condition.name.value
            place = f"{selection.place} on {condition}"
            inner = Selection(schema.type_map[condition], node.selection_set, selection.is_shape, place)
            yield from _inside(schema, inner)
        if isinstance(node, FieldNode) and node.selection_set is not None:
            place = f"{selection.place}.{node.name.value}"
            inner = Selection(
                _type_of(schema, selection.parent, node), node.selection_set, is_shape=False, place=place
            )
            yield from _inside(schema, inner)


def _type_of(schema: GraphQLSchema, parent: GraphQLNamedType, field: FieldNode) -> GraphQLNamedType:
    assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
    return schema.type_map[str(parent.fields[field.name.value].type).strip("[]!")]


def broken_rules(document: DocumentNode, schema: GraphQLSchema) -> list[str]:
    """What is wrong with a document beyond what GraphQL itself refuses."""
    named = [
        "an operation has no name"
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode) and each.name is None
    ]
    return named + [
        f"{selection.place}: {wrong}"
        for selection in selections(document, schema)
        for wrong in _wrong(schema, selection)
    ]


def _wrong(schema: GraphQLSchema, selection: Selection) -> Iterator[str]:
    fields = {field.name.value: field for field in selection.fields}
    for name in fields:
        if f"{selection.parent.name}.{name}" in NEVER_ASKED:
            yield f"{name} is never asked for"
    if any(spread.directives for spread in selection.spreads):
        yield "a spread has a directive, which the types do not show"
    for field in selection.fields:
        if MARK in {print_ast(directive) for directive in field.directives}:
            if not selection.is_shape or isinstance(selection.parent, GraphQLUnionType):
                yield "what a server may not know is marked where a fragment lists its fields"
            if field.arguments or len(field.directives) > 1 or field.name.value in IDENTITY:
                yield "what is marked has no arguments, no other directive, and is not what tells things apart"
    is_abstract = isinstance(selection.parent, GraphQLInterfaceType | GraphQLUnionType)
    inline = [node for node in selection.nodes.selections if isinstance(node, InlineFragmentNode)]
    if is_abstract and inline and "__typename" not in fields:
        yield "which of several types it is cannot be told without __typename"
    if selection.is_shape:
        if selection.spreads:
            yield "a fragment lists its fields: with another fragment beside them the class has no order of bases"
    elif selection.spreads:
        if len(selection.nodes.selections) > 1:
            yield "a spread stands alone, so that one type stands for one shape"
    elif is_abstract and inline:
        if set(fields) != {"__typename"}:
            yield "what a union's types have in common stands in a fragment of each"
    elif not _is_envelope(schema, selection):
        yield "an entity's fields are selected by one fragment"
    elif not SAYS_WHOSE.get(selection.parent.name, set()) <= set(fields):
        yield "an envelope says whose it is"


def _is_envelope(schema: GraphQLSchema, selection: Selection) -> bool:
    leaves = {
        field.name.value
        for field in selection.fields
        if field.name.value == "__typename"
        or not is_composite_type(_type_of(schema, selection.parent, field))
    }
    known = ENVELOPE_LEAVES | SAYS_WHOSE.get(selection.parent.name, set())
    leads_on = len(leaves) < len(selection.fields) or leaves <= ENVELOPE_LEAVES
    return len(selection.fields) == len(selection.nodes.selections) and leaves <= known and leads_on


@pytest.fixture(scope="module")
def document() -> DocumentNode:
    """All files as one document, as the operations are built from."""
    return parse("\n".join(path.read_text("utf-8") for path in FILES))


def test_there_are_queries(document: DocumentNode) -> None:
    assert len(FILES) >= 5
    assert sum(isinstance(each, OperationDefinitionNode) for each in document.definitions) >= 10


def test_all_documents_are_valid_and_ask_for_nothing_deprecated(document: DocumentNode) -> None:
    # Among the rules: every variable and every fragment is used, names are unique, arguments that must be are given.
    errors = validate(SCHEMA, document, [*specified_rules, NoDeprecatedCustomRule])
    assert [error.message for error in errors] == []


def test_no_rule_is_broken(document: DocumentNode) -> None:
    assert broken_rules(document, SCHEMA) == []


def test_names_follow_one_form(document: DocumentNode) -> None:
    for each in document.definitions:
        assert isinstance(each, OperationDefinitionNode | FragmentDefinitionNode)
        assert each.name is not None
        name = each.name.value
        assert name[0].isupper(), name
        assert "_" not in name
        assert not name.endswith(("Query", "Mutation", "Fragment")), name


def test_every_connection_that_is_paged_through_asks_for_the_next_page(document: DocumentNode) -> None:
    for selection in selections(document, SCHEMA):
        for field in selection.fields:
            paged = any(argument.name.value == "after" for argument in field.arguments)
            if paged:
                assert field.selection_set is not None
                asked = {
                    each.name.value for each in field.selection_set.selections if isinstance(each, FieldNode)
                }
                assert {"pageInfo", "edges"} <= asked, f"{selection.place}.{field.name.value}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_begins_by_saying_what_it_asks(path: Path) -> None:
    assert path.read_text("utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{ viewer { ...V } } fragment V on User { name }", "no name"),
        ("query A { viewer { name } }", "by one fragment"),
        ("query A { viewer { ...V name } } fragment V on User { id }", "stands alone"),
        (
            "query A { viewer { ...V ...W } } fragment V on User { id } fragment W on User { name }",
            "stands alone",
        ),
        ("fragment V on User { id ...W } fragment W on User { name }", "lists its fields"),
        ("query A($b: Boolean!) { viewer { ...V @include(if: $b) } } fragment V on User { id }", "directive"),
        (
            "fragment V on User { apiKeys { edges { node { ...K } } } } fragment K on ApiKey { name }",
            "never asked",
        ),
        ("fragment V on User { teams { edges { node { name } } } }", "by one fragment"),
        ("fragment V on User { id @include(if: true) }", "tells things apart"),
        ("query A { viewer @include(if: true) { ...V } } fragment V on User { id }", "is marked where"),
        ('query A { project(name: "p") { id runs { totalCount } } }', "by one fragment"),
        ('query A { project(name: "p") { name entityName } }', "by one fragment"),
        ('query A { project(name: "p") { name runs { totalCount } } }', "says whose it is"),
    ],
)
def test_a_broken_rule_is_seen(text: str, rule: str) -> None:
    assert any(rule in wrong for wrong in broken_rules(parse(text), SCHEMA))


def test_a_type_that_cannot_be_told_is_seen() -> None:
    schema = build_schema(
        "type Query { owner: Owner } union Owner = User | Team type User { a: Int } type Team { a: Int }"
    )
    told = "fragment F on Owner { __typename ... on User { a } ... on Team { a } }"
    assert broken_rules(parse(told), schema) == []
    assert "__typename" in broken_rules(parse(told.replace("__typename", "")), schema)[0]
